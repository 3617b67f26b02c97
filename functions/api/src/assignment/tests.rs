use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    routing::get,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tokio::net::TcpListener;
use weir_domain::{assignment::AssignmentSnapshot, id::OperationId, time::Millis};
use weir_edge::wire::{operation::OperationView, page::Page, plan::PlanView};
use weir_orchestration::jobs::JobEnd;
use weir_testkit::{TestApi, api::Reply};

const PROVIDER: &str = "provider.source.directory";

/// A directory of others: what it has, what it was asked to change, and what it refuses
#[derive(Debug, Default)]
struct Directory {
    has: BTreeMap<String, Value>,
    puts: Vec<(String, String)>,
    refuses: BTreeMap<String, StatusCode>,
}

type Shared = Arc<Mutex<Directory>>;

async fn page(
    State(directory): State<Shared>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> (StatusCode, Json<Value>) {
    if headers.get("authorization").is_none_or(|it| it != "Bearer hook-key-of-the-tests") {
        return (StatusCode::UNAUTHORIZED, Json(json!({})));
    }
    let (limit, after) = (query["limit"].parse().unwrap(), query.get("cursor").cloned().unwrap_or_default());
    let directory = directory.lock().unwrap();
    let found: Vec<_> =
        directory.has.values().filter(|it| it["id"].as_str().unwrap() > after.as_str()).collect();
    let on_page: Vec<_> = found.iter().take(limit).collect();
    let next = (found.len() > limit).then(|| on_page.last().unwrap()["id"].clone());
    (StatusCode::OK, Json(json!({ "assignments": on_page, "next_cursor": next })))
}

async fn one(State(directory): State<Shared>, Path(id): Path<String>) -> (StatusCode, Json<Value>) {
    match directory.lock().unwrap().has.get(&id) {
        Some(found) => (StatusCode::OK, Json(found.clone())),
        None => (StatusCode::NOT_FOUND, Json(json!({}))),
    }
}

async fn put(
    State(directory): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> StatusCode {
    let mut directory = directory.lock().unwrap();
    directory.puts.push((id.clone(), headers["idempotency-key"].to_str().unwrap().to_owned()));
    if let Some(refusal) = directory.refuses.get(&id) {
        return *refusal;
    }
    directory.has.insert(id, body);
    StatusCode::NO_CONTENT
}

fn assignment(id: &str, group: &str) -> Value {
    json!({ "id": id, "policy": "screen-lock", "group": group, "settings": { "minutes": 5 } })
}

/// An API whose provider is a directory with `count` assignments, `a-000` to …
async fn open(count: usize) -> (TestApi, Shared) {
    let directory = Shared::default();
    for n in 0..count {
        let id = format!("a-{n:03}");
        directory.lock().unwrap().has.insert(id.clone(), assignment(&id, "staff"));
    }
    let router = Router::new()
        .route("/assignments", get(page))
        .route("/assignments/{id}", get(one).put(put))
        .with_state(directory.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let api = TestApi::new(crate::ENDPOINTS).await;
    let spec = json!({
        "provider_type": "directory", "provides": ["assignments.fetch", "assignments.restore"],
        "config": { "base_url": base_url, "page_size": 2 }, "credential_ref": "${HOOK}",
    });
    api.resource(&api.cx.workspace(), PROVIDER, spec).await;
    (api, directory)
}

async fn ask(api: &TestApi, body: Value) -> Reply {
    api.post("/v1/assignment-runs").by("operator").json(&body).send().await
}

/// Runs every job that is sent, until there is none left and the operation has ended
async fn run(api: &TestApi, operation: OperationId) -> OperationView {
    let (engine, scope) = (api.cx.engine(), api.scope());
    engine.begin(&scope, operation, format!("token of {operation}")).await.unwrap();
    for round in 0.. {
        let jobs = std::mem::take(&mut api.cloud.told().jobs);
        if jobs.is_empty() {
            break;
        }
        for (job, delay) in jobs {
            api.clock.advance(delay);
            assert_eq!(engine.run_job(&job, &format!("worker-{round}")).await.unwrap(), JobEnd::Run);
        }
    }
    let segments = api.cloud.told().segments.clone();
    for segment in segments.iter().filter(|it| it.operation == operation) {
        engine.segment_finish(&scope, operation, segment.segment).await.unwrap();
    }
    engine.finish_operation(&scope, operation).await.unwrap();
    api.get(&format!("/v1/operations/{operation}")).by("viewer").send().await.read(200)
}

async fn fetched(api: &TestApi) -> (OperationView, AssignmentSnapshot) {
    let body = json!({ "type": "assignments.fetch", "provider": PROVIDER, "name": "before" });
    let asked: OperationView = ask(api, body).await.read(201);
    let view = run(api, asked.operation_id).await;
    let list: Page<AssignmentSnapshot> =
        api.get("/v1/assignment-snapshots").by("viewer").send().await.read(200);
    (view, list.items.into_iter().next().unwrap())
}

fn counts(view: &OperationView) -> Vec<(&str, u64)> {
    let own = view.summary_counts.iter().filter(|(key, _)| !key.starts_with("nodes_"));
    own.map(|(key, count)| (key.as_str(), *count)).collect()
}

#[tokio::test]
async fn all_pages_of_a_directory_become_one_snapshot() {
    let (api, _) = open(5).await;
    let (view, snapshot) = fetched(&api).await;
    assert_eq!(view.status.as_str(), "succeeded");
    assert_eq!(counts(&view), [("assignments_read", 5), ("pages_read", 3)]);
    assert_eq!((snapshot.name.as_deref(), snapshot.assignments), (Some("before"), 5));
    let path = format!("/v1/workflow-runs/{}", view.operation_id);
    let told: Value = api.get(&path).by("viewer").send().await.expect(200);
    assert_eq!(told["inputs"], json!({ "provider": PROVIDER, "name": "before" }));
    assert_eq!(
        (&told["outputs"]["snapshot"], &told["outputs"]["assignments_read"]),
        (&json!(snapshot.id), &json!(5))
    );
    let listed: Value = api.get("/v1/workflow-runs").by("viewer").send().await.expect(200);
    assert_eq!(listed["items"][0]["inputs"], told["inputs"]);
    assert_eq!((snapshot.operation_id, snapshot.created_by.as_str()), (view.operation_id, "operator"));
    let stored = format!("{:?}", api.table.snapshot());
    assert!(!stored.contains("hook-key-of-the-tests"), "the provider's secret is kept nowhere");
}

#[tokio::test]
async fn only_what_differs_is_put_back_and_each_has_its_result() {
    let (api, directory) = open(5).await;
    let (_, snapshot) = fetched(&api).await;
    {
        let mut directory = directory.lock().unwrap();
        directory.has.remove("a-001");
        directory.has.insert("a-003".to_owned(), assignment("a-003", "everybody"));
        directory.has.insert("new".to_owned(), assignment("new", "staff"));
    }
    let body = json!({ "type": "assignments.restore", "snapshot": snapshot.id });
    let asked: OperationView = ask(&api, body).await.read(201);
    let view = run(&api, asked.operation_id).await;
    assert_eq!(view.status.as_str(), "succeeded");
    let expected = [("assignments_failed", 0), ("assignments_restored", 2), ("assignments_unchanged", 3)];
    assert_eq!(counts(&view), expected);
    let path = format!("/v1/workflow-runs/{}/steps", view.operation_id);
    let steps: Value = api.get(&path).by("viewer").send().await.expect(200);
    let results = steps["items"][0]["outputs"]["results"].as_array().unwrap();
    let told = |id: &str| results.iter().find(|it| it["id"] == id).unwrap()["result"].clone();
    assert_eq!((told("a-001"), told("a-002")), (json!("restored"), json!("unchanged")));
    let ledger: Value =
        api.get(&format!("/v1/operation-runs/{}", view.operation_id)).by("viewer").send().await.expect(200);
    assert_eq!(
        (&ledger["context"]["provider"], &ledger["context"]["snapshot"]),
        (&json!(PROVIDER), &json!(snapshot.id))
    );
    let directory = directory.lock().unwrap();
    assert_eq!((directory.has["a-003"]["group"].as_str(), directory.has.len()), (Some("staff"), 6));
    let key = |id: &str| (id.to_owned(), format!("{}/{id}", asked.operation_id));
    assert_eq!(directory.puts, [key("a-001"), key("a-003")]);
}

#[tokio::test]
async fn what_cannot_be_put_back_fails_the_run_and_the_rest_is_put_back() {
    let (api, directory) = open(4).await;
    let (_, snapshot) = fetched(&api).await;
    {
        let mut directory = directory.lock().unwrap();
        directory.has.clear();
        directory.refuses.insert("a-001".to_owned(), StatusCode::FORBIDDEN);
        directory.refuses.insert("a-002".to_owned(), StatusCode::BAD_GATEWAY);
    }
    let body = json!({ "type": "assignments.restore", "snapshot": snapshot.id });
    let asked: OperationView = ask(&api, body).await.read(201);
    let view = run(&api, asked.operation_id).await;
    let failure = view.failure_summary.as_ref().unwrap();
    assert_eq!((view.status.as_str(), failure.code.as_str()), ("failed", "assignments_failed"));
    assert_eq!(failure.message, "2 of 4 assignments could not be put back");
    let path = format!("/v1/workflow-runs/{}/steps?limit=1", view.operation_id);
    let steps: Value = api.get(&path).by("viewer").send().await.expect(200);
    let results = steps["items"][0]["outputs"]["results"].as_array().unwrap();
    assert_eq!(results.iter().filter(|it| it["result"] == "restored").count(), 2, "although it has failed");
    assert!(results.iter().any(|it| it["id"] == "a-001" && it["message"].is_string()), "{results:?}");
    let expected = [("assignments_failed", 2), ("assignments_restored", 2), ("assignments_unchanged", 0)];
    assert_eq!(counts(&view), expected, "what an earlier attempt put back still counts as that");
    let puts = |id: &str| directory.lock().unwrap().puts.iter().filter(|(put, _)| put == id).count();
    assert_eq!(
        (puts("a-000"), puts("a-001"), puts("a-002")),
        (1, 1, 10),
        "only what may succeed is tried again"
    );
}

#[tokio::test]
async fn a_restore_that_had_to_stop_goes_on_where_it_was() {
    let (api, directory) = open(3).await;
    let (_, snapshot) = fetched(&api).await;
    {
        let mut directory = directory.lock().unwrap();
        directory.has.clear();
        directory.refuses.insert("a-001".to_owned(), StatusCode::SERVICE_UNAVAILABLE);
    }
    let body = json!({ "type": "assignments.restore", "snapshot": snapshot.id, "only": ["a-000", "a-001"] });
    let asked: OperationView = ask(&api, body).await.read(201);
    let (engine, scope) = (api.cx.engine(), api.scope());
    engine.begin(&scope, asked.operation_id, "token".to_owned()).await.unwrap();
    let (job, _) = api.cloud.told().jobs.remove(0);
    engine.run_job(&job, "worker").await.unwrap();
    directory.lock().unwrap().refuses.clear();
    api.clock.advance(Millis::from_secs(60));
    let view = run(&api, asked.operation_id).await;
    let expected = [("assignments_failed", 0), ("assignments_restored", 2), ("assignments_unchanged", 0)];
    assert_eq!((view.status.as_str(), counts(&view)), ("succeeded", expected.to_vec()));
    assert!(!directory.lock().unwrap().has.contains_key("a-002"), "it was not among those named");
}

#[tokio::test]
async fn one_run_of_an_identity_is_active_at_a_time() {
    let (api, _) = open(1).await;
    let fetch = json!({ "type": "assignments.fetch", "provider": PROVIDER });
    let first: OperationView = ask(&api, fetch.clone()).await.read(201);
    let again: OperationView = ask(&api, fetch.clone()).await.read(200);
    assert_eq!(again.operation_id, first.operation_id);
    run(&api, first.operation_id).await;
    let next: OperationView = ask(&api, fetch).await.read(201);
    assert_ne!(next.operation_id, first.operation_id);
}

#[tokio::test]
async fn runs_on_a_provider_that_is_not_shared_come_one_after_the_other() {
    let (api, _) = open(2).await;
    let (_, snapshot) = fetched(&api).await;
    let (key, scope) = (PROVIDER.parse().unwrap(), api.cx.workspace());
    let mut spec = api.cx.engine().resource_spec(&scope, &key).await.unwrap().unwrap();
    spec["exclusive"] = json!(true);
    api.resource(&scope, PROVIDER, spec).await;
    let fetch: OperationView =
        ask(&api, json!({ "type": "assignments.fetch", "provider": PROVIDER })).await.read(201);
    let restore = json!({ "type": "assignments.restore", "snapshot": snapshot.id });
    let restore: OperationView = ask(&api, restore).await.read(201);
    assert_eq!((fetch.status.as_str(), restore.status.as_str()), ("created", "queued"));
    let path = format!("/v1/plans/{}", restore.plan_id);
    let plan: PlanView = api.get(&path).by("viewer").send().await.read(200);
    assert_eq!(plan.plan.exclusive, [key].into());
    let bound = &plan.plan.bindings[0];
    assert_eq!(
        (bound.requirement_id.as_str(), bound.capability_key.as_str(), bound.selected_resource_id.as_deref()),
        ("restore.batch-1", "assignments.restore", Some(PROVIDER))
    );
    assert_eq!(run(&api, fetch.operation_id).await.status.as_str(), "succeeded");
    assert_eq!(run(&api, restore.operation_id).await.status.as_str(), "succeeded", "it was let in");
}

/// The provider, which all tenants share, is used by one operation at a time
async fn make_exclusive(api: &TestApi) {
    let (key, workspace) = (PROVIDER.parse().unwrap(), api.cx.workspace());
    let mut spec = api.cx.engine().resource_spec(&workspace, &key).await.unwrap().unwrap();
    spec["exclusive"] = json!(true);
    api.resource(&workspace, PROVIDER, spec).await;
}

#[tokio::test]
async fn whoever_leaves_what_tenants_share_lets_the_next_one_in_whosever_it_is() {
    let (api, _) = open(2).await;
    make_exclusive(&api).await;
    let fetch = json!({ "type": "assignments.fetch", "provider": PROVIDER });
    let first: OperationView = ask(&api, fetch.clone()).await.read(201);
    let next: OperationView =
        api.post("/v1/assignment-runs").by("stranger").json(&fetch).send().await.read(201);
    assert_eq!(next.status.as_str(), "queued");
    assert_eq!(run(&api, first.operation_id).await.status.as_str(), "succeeded");
    let path = format!("/v1/operations/{}", next.operation_id);
    let begun: OperationView = api.get(&path).by("stranger").send().await.read(200);
    assert!(begun.started_at.is_some(), "{begun:?}");
}

#[tokio::test]
async fn who_waits_behind_another_tenant_is_not_told_which_operation_that_is() {
    let (api, _) = open(1).await;
    make_exclusive(&api).await;
    let fetch = json!({ "type": "assignments.fetch", "provider": PROVIDER });
    let by = |name: &'static str| api.post("/v1/assignment-runs").by(name).json(&fetch).send();
    let theirs: OperationView = by("operator").await.read(201);
    let own: OperationView = by("stranger").await.read(201);
    assert_eq!(own.status.as_str(), "queued");
    let path = format!("/v1/operations/{}", own.operation_id);
    let shown = api.get(&path).by("stranger").send().await.expect(200);
    let why = api.get(&format!("{path}/explain")).by("stranger").send().await.expect(200);
    for told in [&shown, &why] {
        assert!(!told.to_string().contains(&theirs.operation_id.to_string()), "{told}");
        assert_eq!(told["queued_behind"], json!([{ "resource": PROVIDER, "before": 1 }]));
    }
    let phase = format!("waits for an operation of another tenant to leave {PROVIDER}");
    assert_eq!(shown["current_phase"], json!(phase));
    assert_eq!((&why["held"]["kind"], &why["commands"]), (&json!("queued"), &Value::Null));
    assert_eq!(why["earliest"]["after_held"], json!(true));
}

#[tokio::test]
async fn what_cannot_be_run_is_refused() {
    let (api, _) = open(1).await;
    let (_, snapshot) = fetched(&api).await;
    api.resource(&api.cx.workspace(), "provider.source.other", json!({ "provider_type": "x" })).await;
    for (body, expected) in [
        (json!({ "type": "assignments.fetch", "provider": "provider.source.gone" }), "422 invalid-reference"),
        (
            json!({ "type": "assignments.fetch", "provider": "provider.source.other" }),
            "422 invalid-reference",
        ),
        (json!({ "type": "assignments.fetch", "provider": PROVIDER, "name": "" }), "400 invalid-body"),
        (json!({ "type": "assignments.fetch", "provider": PROVIDER, "nmae": "x" }), "400 invalid-body"),
        (json!({ "type": "assignments.remove", "provider": PROVIDER }), "400 invalid-body"),
        (
            json!({ "type": "assignments.restore", "snapshot": "snp_01ARZ3NDEKTSV4RRFFQ69G5FAV" }),
            "422 invalid-reference",
        ),
        (
            json!({ "type": "assignments.restore", "snapshot": snapshot.id, "only": ["gone"] }),
            "422 invalid-reference",
        ),
    ] {
        assert_eq!(ask(&api, body.clone()).await.short(), expected, "{body}");
    }
    let fetch = json!({ "type": "assignments.fetch", "provider": PROVIDER });
    let by = |name: &'static str| api.post("/v1/assignment-runs").by(name).json(&fetch).send();
    assert_eq!(by("developer").await.short(), "403 forbidden");
    let theirs = api.get("/v1/assignment-snapshots").by("stranger").send().await.expect(200);
    assert_eq!(theirs["items"], json!([]), "another tenant's are not there");
}

#[tokio::test]
async fn a_directory_that_makes_no_sense_is_not_kept() {
    let (api, directory) = open(1).await;
    directory
        .lock()
        .unwrap()
        .has
        .insert("a-000".to_owned(), json!({ "id": "../x", "policy": "p", "group": "g" }));
    let fetch = json!({ "type": "assignments.fetch", "provider": PROVIDER });
    let asked: OperationView = ask(&api, fetch).await.read(201);
    let view = run(&api, asked.operation_id).await;
    assert_eq!(view.failure_summary.unwrap().code, "bad_answer");
    let none = api.get("/v1/assignment-snapshots").by("viewer").send().await.expect(200);
    assert_eq!(none["items"], json!([]));
}
