use crate::{fixture::Shop, projection::tests::run};
use serde_json::{Value, json};
use weir_domain::{
    delivery::{Deployed, Promotion},
    id::{Id as _, OperationId, PromotionId},
    operation::WorkflowKind,
    time::Millis,
};
use weir_edge::wire::{
    operation::OperationView,
    page::Page,
    projection::ProjectionView,
    service::{ReleaseTimeline, ServiceView},
};
use weir_orchestration::Clock as _;
use weir_store::{Key, RebuildMark, ReleaseRun, Write};

async fn services(shop: &Shop, by: &str) -> Value {
    shop.api.get("/v1/services").by(by).send().await.expect(200)
}

fn key(shop: &Shop) -> Key {
    Key::deployed(&shop.scope, &"service.shop".parse().unwrap(), &"environment.staging".parse().unwrap())
}

#[tokio::test]
async fn a_service_tells_what_was_brought_where_last() {
    let shop = Shop::open().await;
    let first = shop.stage(shop.release).await;
    let told: ServiceView =
        serde_json::from_value(services(&shop, "viewer").await["items"][0].clone()).unwrap();
    assert_eq!((told.id.as_str(), told.environments.len()), ("service.shop", 2));
    let latest = |told: &ServiceView, name: &str| {
        told.environments.iter().find(|it| it.environment_id.name() == name).unwrap().latest_release.clone()
    };
    let staging = latest(&told, "staging").unwrap();
    assert_eq!((staging.version.as_str(), staging.operation_id), ("1.0.0", first));
    assert_eq!(latest(&told, "production"), None);
    shop.api.clock.advance(Millis::from_secs(5));
    let second = shop.stage(shop.ready("2.0.0").await).await;
    let one = shop.api.get("/v1/services/service.shop").by("viewer").send().await.expect(200);
    assert_eq!(one["projection"]["behind"], 0);
    let told: ServiceView = serde_json::from_value(one).unwrap();
    assert_eq!(latest(&told, "staging").unwrap().operation_id, second);
    let missing = shop.api.get("/v1/services/environment.staging").by("viewer").send().await;
    assert_eq!(missing.short(), "404 not-found");
    assert!(
        services(&shop, "stranger").await["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|it| it["environments"][0].get("latest_release").is_none())
    );
}

#[tokio::test]
async fn the_index_is_made_again_to_the_same_bytes_and_says_when_it_is_behind() {
    let shop = Shop::open().await;
    shop.stage(shop.release).await;
    let table = shop.api.cx.table();
    let before = table.get(&key(&shop)).await.unwrap().unwrap();
    let (row, expected) = table.read::<Deployed>(&key(&shop)).await.unwrap().unwrap();
    let link = Key::release_run(&shop.scope, shop.release, row.operation_id);
    let linked = table.get(&link).await.unwrap().unwrap();
    table.transact(&[Write::Delete { key: key(&shop), expected }]).await.unwrap();
    table.transact(&[Write::Delete { key: link.clone(), expected: linked.version }]).await.unwrap();
    assert_eq!(services(&shop, "viewer").await["projection"]["behind"], 1);
    let asked = shop.api.post("/v1/projections/rebuild").by("root").json(&json!({})).send().await;
    let made = run(&shop.api, asked.read::<OperationView>(201).operation_id).await;
    assert_eq!(made.summary_counts["rows_written"], 2);
    assert_eq!(table.get(&key(&shop)).await.unwrap().unwrap(), before);
    assert_eq!(table.get(&link).await.unwrap().unwrap(), linked);
    assert_eq!(services(&shop, "viewer").await["projection"]["behind"], 0);
}

async fn rebuild(shop: &Shop) -> OperationView {
    let asked = shop.api.post("/v1/projections/rebuild").by("root").json(&json!({})).send().await;
    run(&shop.api, asked.read::<OperationView>(201).operation_id).await
}

/// Every row of the index and every link to a release, byte by byte
fn index(shop: &Shop) -> Vec<String> {
    let is_row = |key: &Key| key.pk().contains("#deployed#") || key.pk().contains("#release_run#");
    let records = shop.api.table.snapshot().records.into_iter().filter(|record| is_row(&record.key));
    let mut rows: Vec<_> = records.map(|it| format!("{:?} {} {:?}", it.key, it.doc, it.list)).collect();
    rows.sort();
    rows
}

#[tokio::test]
async fn rows_that_no_operation_makes_are_gone_however_late_they_say_they_are() {
    let shop = Shop::open().await;
    shop.stage(shop.release).await;
    let before = index(&shop);
    assert_eq!(before.len(), 2);
    let table = shop.api.cx.table();
    let (row, _) = table.read::<Deployed>(&key(&shop)).await.unwrap().unwrap();
    let later = (shop.api.clock.now() + Millis::from_secs(9_999)).into();
    // One that is wrong and says that it is later, one of a place where nothing was brought, one of a lost operation.
    shop.api
        .put(&shop.scope, &Deployed { version: "6.6.6".to_owned(), deployed_at: later, ..row.clone() })
        .await;
    let elsewhere = "environment.production".parse().unwrap();
    shop.api.put(&shop.scope, &Deployed { environment_id: elsewhere, ..row.clone() }).await;
    let lost = OperationId::derived(1, "lost");
    shop.api.put(&shop.scope, &ReleaseRun { release_id: shop.release, operation_id: lost }).await;
    assert_ne!(index(&shop), before);
    let made = rebuild(&shop).await;
    assert_eq!(index(&shop), before);
    let count = |key: &str| made.summary_counts[key];
    assert_eq!((count("rows_written"), count("rows_deleted")), (1, 2));
    // The end of another deployment heals its place as well.
    shop.api.put(&shop.scope, &Deployed { deployed_at: later, ..row }).await;
    shop.api.clock.advance(Millis::from_secs(5));
    let second = shop.stage(shop.ready("2.0.0").await).await;
    let (row, _) = table.read::<Deployed>(&key(&shop)).await.unwrap().unwrap();
    assert_eq!((row.version.as_str(), row.operation_id), ("2.0.0", second));
}

#[tokio::test]
async fn an_attempt_goes_on_where_the_one_before_it_came_to() {
    let shop = Shop::open().await;
    shop.stage(shop.release).await;
    let table = shop.api.cx.table();
    let (_, expected) = table.read::<Deployed>(&key(&shop)).await.unwrap().unwrap();
    table.transact(&[Write::Delete { key: key(&shop), expected }]).await.unwrap();
    let asked = shop.api.post("/v1/projections/rebuild").by("root").json(&json!({})).send().await;
    let operation = asked.read::<OperationView>(201).operation_id;
    let outer = shop.scope.outer();
    let mark = RebuildMark {
        operation_id: operation,
        at: "harbor/globex".parse().unwrap(),
        after: None,
        counts: [("written".to_owned(), 7), ("deleted".to_owned(), 3)].into(),
        forget_at: (shop.api.clock.now() + Millis::from_secs(60)).into(),
    };
    shop.api.put(&outer, &mark).await;
    let made = run(&shop.api, operation).await;
    // What was done is not done again, and is counted.
    assert_eq!((made.summary_counts["rows_written"], made.summary_counts["rows_deleted"]), (7, 3));
    assert!(table.get(&key(&shop)).await.unwrap().is_none());
    let (kept, _) =
        table.read::<RebuildMark>(&Key::entity(&outer, "rebuild_mark", operation)).await.unwrap().unwrap();
    assert_eq!(kept.at.to_string(), "harbor/globex");
    assert_eq!(rebuild(&shop).await.summary_counts["rows_written"], 1, "another rebuild begins at the begin");
}

#[tokio::test]
async fn projections_say_how_far_they_have_come_by_the_newest_thousand_promotions() {
    let shop = Shop::open().await;
    shop.stage(shop.release).await;
    let table = shop.api.cx.table();
    let (row, expected) = table.read::<Deployed>(&key(&shop)).await.unwrap().unwrap();
    table.transact(&[Write::Delete { key: key(&shop), expected }]).await.unwrap();
    let promotion = Key::entity(&shop.scope, "promotion", row.promotion_id);
    let (promotion, _) = table.read::<Promotion>(&promotion).await.unwrap().unwrap();
    let put = async |numbers: std::ops::Range<i64>| {
        for number in numbers {
            let id = PromotionId::derived(shop.api.clock.now().0 + number, "later");
            let target_environment_id = "environment.production".parse().unwrap();
            let other = Promotion {
                id,
                target_environment_id,
                workflow_run_id: OperationId::derived(1, "none"),
                ..promotion.clone()
            };
            shop.api.put(&shop.scope, &other).await;
        }
    };
    let told = async |query: &str| -> Vec<(String, u64)> {
        let path = format!("/v1/projections{query}");
        let page: Page<ProjectionView> = shop.api.get(&path).by("viewer").send().await.read(200);
        page.items.into_iter().map(|it| (it.name, it.behind)).collect()
    };
    let all = |behind| {
        [("resources", 0), ("services", behind), ("timelines", 0)].map(|(name, it)| (name.to_owned(), it))
    };
    put(0..30).await;
    assert_eq!(told("").await, all(1));
    let [resources, services, timelines] = all(1);
    assert_eq!(told("?limit=2").await, [resources, services]);
    assert_eq!(told("?limit=2&cursor=services").await, [timelines]);
    let wrong = shop.api.get("/v1/projections?cursor=x").by("viewer").send().await;
    assert_eq!(wrong.short(), "400 invalid-query");
    put(30..1_001).await;
    assert_eq!(told("").await, all(0), "what was long ago is not looked at again");
}

#[tokio::test]
async fn a_release_has_one_timeline_over_all_that_ran_for_it() {
    let shop = Shop::open().await;
    let (promotion, _) = shop.waiting().await;
    let path = format!("/v1/releases/{}/timeline", shop.release);
    let told: ReleaseTimeline = shop.api.get(&path).by("viewer").send().await.read(200);
    assert_eq!(told.runs.len(), 2);
    assert_eq!(told.runs[0].id, promotion.promotion.workflow_run_id, "the newest first");
    assert!(told.runs.iter().all(|run| run.kind == Some(WorkflowKind::Promote)));
    assert!(told.logs.is_sorted_by_key(|log| log.entry.ts));
    let of = |id| told.logs.iter().filter(|log| log.workflow_run_id == id).count();
    assert!(of(told.runs[0].id) > 0 && of(told.runs[1].id) > 0);
    assert_eq!(shop.api.get(&path).by("stranger").send().await.short(), "404 not-found");
}
