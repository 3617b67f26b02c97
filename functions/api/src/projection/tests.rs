use crate::fixture::example;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use weir_domain::{definition::bundle::Bundle, id::OperationId, scope::Scope, time::Millis};
use weir_edge::wire::operation::OperationView;
use weir_orchestration::{Clock as _, delivery::Origin, jobs::JobEnd};
use weir_store::{Key, Record, ResourceRow, Write};
use weir_testkit::{
    TestApi,
    life::{Death, Life, Point},
};

/// Runs every job that is sent, until there is none left, and ends the operation
pub(crate) async fn run(api: &TestApi, operation: OperationId) -> OperationView {
    let (engine, scope) = (api.cx.engine(), api.cx.workspace());
    engine.begin(&scope, operation, format!("token of {operation}")).await.unwrap();
    loop {
        let jobs = std::mem::take(&mut api.cloud.told().jobs);
        if jobs.is_empty() {
            break;
        }
        for (job, delay) in jobs.into_iter().filter(|(job, _)| job.operation == operation) {
            api.clock.advance(delay + Millis(7));
            assert_eq!(engine.run_job(&job, "worker").await.unwrap(), JobEnd::Run);
        }
    }
    let segments = api.cloud.told().segments.clone();
    for segment in segments.iter().filter(|it| it.operation == operation) {
        engine.segment_finish(&scope, operation, segment.segment).await.unwrap();
    }
    engine.finish_operation(&scope, operation).await.unwrap();
    api.get(&format!("/v1/operations/{operation}")).by("root").send().await.read(200)
}

/// Plans and applies `bundle`
async fn apply(api: &TestApi, bundle: &Bundle) -> OperationView {
    let digest = api.cx.ledger().definition_put(bundle.to_vec().unwrap()).await.unwrap();
    let origin = Origin { now: api.clock.now(), seed: digest.to_string(), request_id: None };
    let (scope, actor) = (api.cx.workspace(), weir_domain::actor::Actor::system("test"));
    let planned =
        weir_orchestration::definition::plan(api.cx.engine(), &scope, &actor, &origin, &digest).await;
    let body = json!({ "plan_id": planned.unwrap().plan.unwrap().plan_id });
    let view: OperationView =
        api.post("/v1/definition/applies").by("root").json(&body).send().await.read(201);
    run(api, view.operation_id).await
}

async fn rebuild(api: &TestApi) -> OperationView {
    let asked = api.post("/v1/projections/rebuild").by("root").json(&json!({})).send().await;
    let view: OperationView = asked.read(201);
    run(api, view.operation_id).await
}

/// Every projected row, byte by byte
fn rows(api: &TestApi) -> BTreeMap<Key, String> {
    let records = api.table.snapshot().records.into_iter();
    let rows = records.filter(|record| record.key.pk().contains("#res#"));
    rows.map(|record| (record.key.clone(), format!("{record:?}"))).collect()
}

fn changed(bundle: &Bundle) -> Bundle {
    let mut changed = bundle.clone();
    for text in changed.files.values_mut() {
        *text = text.replace("version: 1\n    target_resource_type", "version: 2\n    target_resource_type");
    }
    assert_ne!(changed, *bundle);
    changed
}

/// An API to which the example was applied, and one change of it after that
async fn applied() -> TestApi {
    let api = TestApi::new(crate::ENDPOINTS).await;
    apply_twice(&api).await;
    api
}

async fn apply_twice(api: &TestApi) {
    let first = apply(api, &example()).await;
    assert!(first.summary_counts["resources_created"] > 5 && first.summary_counts["groups_applied"] >= 1);
    api.clock.advance(Millis::from_secs(5));
    let second = apply(api, &changed(&example())).await;
    assert_eq!(
        (second.summary_counts["resources_updated"], second.summary_counts["resources_created"]),
        (1, 0)
    );
}

async fn tampered(api: &TestApi, scope: &Scope, address: &str, change: impl FnOnce(&mut ResourceRow)) {
    let key = Key::resource(scope, address.split_once('.').unwrap().0, address);
    let (mut row, _) = api.cx.table().read::<ResourceRow>(&key).await.unwrap().unwrap();
    change(&mut row);
    let record = Record::new(scope, &row).unwrap();
    api.cx.table().transact(&[Write::Upsert(record)]).await.unwrap();
}

#[tokio::test]
async fn rows_are_made_again_to_the_same_bytes() {
    let api = applied().await;
    // What the test kit has put there is in no ledger: gone after the first rebuild.
    rebuild(&api).await;
    let before = rows(&api);
    let outer = api.cx.workspace();
    tampered(&api, &outer, "scenario.deploy", |row| row.revision = 1).await;
    tampered(&api, &outer, "template.deploy-host", |row| row.spec = json!({ "nodes": [] })).await;
    tampered(&api, &outer, "template.deploy-host", |row| row.address = "template.made-up".parse().unwrap())
        .await;
    let gone = Key::resource(&outer, "template", "template.deploy-host");
    let (_, expected) = api.cx.table().read::<ResourceRow>(&gone).await.unwrap().unwrap();
    api.cx.table().transact(&[Write::Delete { key: gone, expected }]).await.unwrap();
    assert_ne!(rows(&api), before);
    let made = rebuild(&api).await;
    assert_eq!(rows(&api), before);
    let count = |key: &str| made.summary_counts[key];
    assert_eq!((count("rows_written"), count("rows_deleted"), count("rows_unknown")), (2, 1, 0));
    let again = rebuild(&api).await;
    assert_eq!((again.summary_counts["rows_written"], again.summary_counts["rows_deleted"]), (0, 0));
    assert_eq!(again.summary_counts["rows_unchanged"], u64::try_from(before.len()).unwrap());
}

#[tokio::test]
async fn an_answer_says_how_far_its_rows_have_come() {
    let api = applied().await;
    let listed = async || api.get("/v1/resources?kind=scenario").by("root").send().await.expect(200);
    let page = listed().await;
    let revision = page["projection"]["revision"].as_u64().unwrap();
    assert!(revision >= 2 && page["items"][0]["revision"] == revision, "{page}");
    assert_eq!(page["projection"]["behind"], 0);
    let one = api.get("/v1/resources/scenario.deploy").by("root").send().await.expect(200);
    assert_eq!(
        (&one["address"], &one["projection"]["revision"]),
        (&json!("scenario.deploy"), &json!(revision))
    );
    // Somebody announced a revision and died before the rows held it.
    let key = Key::entity(&api.cx.workspace(), "projection", "resources");
    let mut head = api.cx.table().get(&key).await.unwrap().unwrap();
    head.doc["announced"] = json!(revision + 1);
    let announce = Write::Replace { expected: head.version, record: head };
    api.cx.table().transact(&[announce]).await.unwrap();
    assert_eq!(listed().await["projection"]["behind"], 1);
    rebuild(&api).await;
    assert_eq!(listed().await["projection"]["behind"], 0, "it never came");
    let all: Value = api.get("/v1/projections").by("root").send().await.expect(200);
    assert_eq!(all["items"][0]["name"], "resources");
}

#[tokio::test]
async fn one_rebuild_is_under_way_at_a_time_and_it_is_the_workspaces() {
    let api = applied().await;
    let ask = |by: &'static str| api.post("/v1/projections/rebuild").by(by).json(&json!({})).send();
    assert_eq!(ask("operator").await.short(), "403 forbidden");
    assert_eq!(ask("viewer").await.short(), "403 forbidden");
    let first: OperationView = ask("root").await.read(201);
    let second: OperationView = ask("root").await.read(200);
    assert_eq!(first.operation_id, second.operation_id);
}

/// The resources of two kinds as a reader is given them, by address
async fn read(api: &TestApi) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for kind in ["scenario", "template"] {
        let page: Value = api.get(&format!("/v1/resources?kind={kind}")).by("root").send().await.expect(200);
        for item in page["items"].as_array().unwrap() {
            found.insert(item["address"].as_str().unwrap().to_owned(), item.clone());
        }
    }
    found
}

#[tokio::test]
async fn whoever_reads_while_rows_are_made_again_is_given_what_was_right_all_the_time() {
    let wrong = "template.deploy-host";
    for nth in 1.. {
        let point = Point { function: "rebuild", op: "transact", nth };
        let life = Life::ending_at([(point, Death::After)].into());
        let api = TestApi::dying(crate::ENDPOINTS, life).await;
        apply_twice(&api).await;
        rebuild(&api).await;
        let (right, rows_then) = (read(&api).await, rows(&api));
        tampered(&api, &api.cx.workspace(), wrong, |row| row.spec = json!({ "nodes": [] })).await;
        let made_up = "template.made-up";
        tampered(&api, &api.cx.workspace(), wrong, |row| row.address = made_up.parse().unwrap()).await;
        let before = read(&api).await;
        let asked = api.post("/v1/projections/rebuild").by("root").json(&json!({})).send().await;
        let operation = asked.read::<OperationView>(201).operation_id;
        let engine = api.cx.engine();
        engine.begin(&api.cx.workspace(), operation, "token".to_owned()).await.unwrap();
        let (job, delay) = std::mem::take(&mut api.cloud.told().jobs).remove(0);
        api.clock.advance(delay);
        let whole = api.life.run("rebuild", engine.run_job(&job, "worker")).await;
        // It stands still after one of its writes: that is what somebody sees who reads then.
        let now = read(&api).await;
        for (address, item) in &right {
            let told = &now[address];
            assert!(told == item || (address == wrong && *told == before[address]), "{nth}: {told}");
        }
        assert!(now.keys().all(|address| right.contains_key(address) || address == made_up), "{nth}");
        if whole.is_some() {
            assert!(nth > 2 && now == right, "{nth}");
            return;
        }
        api.clock.advance(Millis::from_secs(120));
        engine.reconcile().await.unwrap();
        run(&api, operation).await;
        assert_eq!(rows(&api), rows_then, "{nth}: the next attempt goes on");
    }
}
