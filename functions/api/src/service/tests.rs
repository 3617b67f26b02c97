use crate::{fixture::Shop, projection::tests::run};
use serde_json::{Value, json};
use weir_domain::{delivery::Deployed, operation::WorkflowKind, time::Millis};
use weir_edge::wire::{
    operation::OperationView,
    service::{ReleaseTimeline, ServiceView},
};
use weir_store::{Key, Write};

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
