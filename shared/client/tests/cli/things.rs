//! Agents, resources and deployments: what is only listed and shown

use crate::{
    delivery::release,
    rig::weir,
    server::{Answer, Pages, Server, page, problem, who},
    state::{Running, Step, time},
    views::view,
};
use axum::{
    Json, Router,
    extract::{Path, Query, State as Shared},
    http::HeaderMap,
    routing::{get, post},
};
use serde_json::{Value, json};
use weir_domain::{
    canonical::Digest,
    definition::address::Address,
    id::{AgentId, DeploymentId, Id as _, OperationId},
};

const TOKEN: &str = "wrt_one-time";

pub fn routes() -> Router<Server> {
    Router::new()
        .route("/v1/agents", get(agents))
        .route("/v1/agents/tokens", post(token))
        .route("/v1/resources", get(resources))
        .route("/v1/resources/{address}", get(resource))
        .route("/v1/deployments/{id}", get(deployment))
        .route("/v1/projections", get(projections))
        .route("/v1/projections/rebuild", post(rebuild))
        .route("/v1/operation-runs", get(runs))
        .route("/v1/operation-runs/{id}", get(one_run))
        .route("/v1/operation-runs/reconcile", post(reconcile))
        .route("/v1/packs", get(packs))
}

async fn agents() -> Json<Value> {
    let target = json!({ "target": "target.staging.stg-1", "base_url": "http://127.0.0.1:1" });
    Json(json!({ "items": [{ "id": AgentId::new(1, 1), "name": "stg-1\u{1b}[2J", "version": "0.1.0",
        "capabilities": ["deploy.host"], "targets": [target], "status": "degraded",
        "last_heartbeat": time(), "created_at": time() }] }))
}

async fn token(Json(body): Json<Value>) -> Json<Value> {
    Json(json!({ "token": TOKEN, "expires_at": time(), "targets": body["targets"] }))
}

fn applied(server: &Server) -> Vec<Value> {
    server.with(|state| {
        let resources = state.applied.iter().flat_map(|applied| &applied.resources);
        resources
            .map(|(address, it)| {
                json!({ "address": address, "kind": it.kind, "scope": "harbor", "spec": it.spec, "digest": it.digest,
                    "revision": state.revision, "operation_id": OperationId::new(1, 1), "applied_at": time() })
            })
            .collect()
    })
}

async fn resources(Shared(server): Shared<Server>, Query(query): Pages) -> Json<Value> {
    let wanted = |it: &Value| query.get("kind").is_none_or(|kind| it["kind"] == **kind);
    Json(page(&applied(&server).into_iter().filter(wanted).collect::<Vec<_>>(), &query))
}

async fn resource(Shared(server): Shared<Server>, Path(address): Path<Address>) -> Answer {
    let found = applied(&server).into_iter().find(|it| it["address"] == *address.as_str());
    found.map(Json).ok_or_else(|| problem(404, "W0404", &format!("there is no `{address}` here")))
}

async fn deployment(Shared(server): Shared<Server>, Path(id): Path<DeploymentId>) -> Answer {
    let operation = OperationId::from(id);
    if !server.with(|state| state.operations.contains_key(&operation)) {
        return Err(problem(404, "W0404", "there is no such deployment here"));
    }
    let digest = Digest::of_bytes(b"web");
    let task = json!({ "id": format!("{operation}.3"), "job_id": id, "target_id": "target.staging.stg-1",
        "digest": digest, "status": "running", "logs": "unpacked\nstarted \u{1b}[31m", "previous_digest": null });
    Ok(Json(
        json!({ "id": id, "environment_id": "environment.staging", "status": "running", "strategy": "rolling",
        "artifacts": [digest], "tasks": [task], "created_at": time() }),
    ))
}

fn operation_run() -> Value {
    let repair = json!({ "scope": "harbor/acme", "operation_id": OperationId::new(1, 5), "ordinal": 3,
        "cause": "lease_expired", "effect": "retried" });
    json!({ "id": OperationId::new(1, 9), "workspace_id": "harbor", "tenant_id": null, "user_id": null,
        "initiator_name": "system:reconcile\u{1b}[2J", "type": "ops.reconcile_adapter_runs", "status": "completed",
        "outcome": "succeeded", "freshness": "terminal", "reconciled": false,
        "run_identity_hash": Digest::of_bytes(b"same"), "summary_counts": { "runs_retried": 1, "runs_failed": 0 },
        "failure_summary": [], "context": { "title": "housekeeping", "repairs_unlisted": 4 }, "created_at": time(), "updated_at": time(),
        "repairs": [repair] })
}

async fn projections(Query(query): Pages) -> Json<Value> {
    let one = json!({ "name": "resources", "revision": 7, "behind": 1, "as_of": time() });
    Json(page(&[one], &query))
}

async fn rebuild(Shared(server): Shared<Server>, headers: HeaderMap) -> Answer {
    if headers.contains_key("weir-tenant") {
        return Err(problem(403, "W0403", "this is the whole workspace's"));
    }
    let running = Running {
        kind: "projections.rebuild",
        title: "make the rows of the definition again".to_owned(),
        by: who(&headers),
        steps: vec![Step { id: "rebuild", status: "pending", gate: None, fails: false }],
        cancelled: false,
        paused: false,
        undone_by: None,
        undoes: None,
        late: 0,
        applies: None,
    };
    Ok(Json(server.with(|state| {
        let id = state.start(running);
        view(state, id)
    })))
}

#[tokio::test]
async fn projections_say_how_far_behind_they_are_and_a_rebuild_is_watched_to_its_end() {
    let server = Server::start().await;
    let list = weir(&server, "alice", &["projections", "list"]).await;
    assert!(list.out.contains("resources   7         1"), "{list:?}");
    let made = weir(&server, "alice", &["projections", "rebuild", "--tenant", "acme"]).await;
    assert_eq!(made.code, 0, "{made:?}");
    assert!(made.err.contains("make the rows of the definition again"), "{made:?}");
}

async fn runs(Query(query): Pages) -> Json<Value> {
    Json(page(&[operation_run()], &query))
}

async fn one_run() -> Json<Value> {
    Json(operation_run())
}

async fn reconcile(headers: HeaderMap) -> Answer {
    if headers.contains_key("weir-tenant") {
        return Err(problem(403, "W0403", "this is the whole workspace's"));
    }
    Ok(Json(operation_run()))
}

#[tokio::test]
async fn runs_are_listed_by_every_filter() {
    let server = Server::start().await;
    let line =
        ["ops", "list", "--status", "running", "--status", "completed", "--outcome", "failed", "--type"];
    let line =
        [&line[..], &["promote", "--freshness", "likely_stale", "--reconciled", "--tenant", "acme"]].concat();
    let list = weir(&server, "alice", &line).await;
    assert!(list.out.contains("ops.reconcile_adapter_runs") && !list.out.contains('\u{1b}'), "{list:?}");
    let asked = server.with(|state| state.requests.last().unwrap().clone());
    let query =
        "status=running&status=completed&outcome=failed&type=promote&freshness=likely_stale&reconciled=true";
    assert!(asked.contains(query) && asked.ends_with("tenant=acme"), "{asked}");
    let json = weir(&server, "alice", &["ops", "list", "--workspace", "--tenant", "acme", "--json"]).await;
    assert_eq!(json.json()[0]["items"][0]["summary_counts"]["runs_retried"], 1);
    assert!(!server.with(|state| state.requests.last().unwrap().clone()).contains("tenant"));
    assert_eq!(weir(&server, "alice", &["ops", "list", "--status", "waiting"]).await.code, 2);
}

#[tokio::test]
async fn a_pass_says_what_it_found_and_what_became_of_it() {
    let server = Server::start().await;
    let made = weir(&server, "alice", &["ops", "reconcile", "--tenant", "acme"]).await;
    assert_eq!(made.code, 0, "{made:?}");
    let repair = format!("lease_expired      retried    harbor/acme  {}.3", OperationId::new(1, 5));
    assert!(made.out.contains(&repair) && made.out.contains("1 runs_retried"), "{made:?}");
    assert!(!made.out.contains("runs_failed"), "what was not counted is not told");
    assert!(made.out.contains("and 4 more, which are not listed"), "{made:?}");
    let shown = weir(&server, "alice", &["ops", "show", &OperationId::new(1, 9).to_string()]).await;
    assert_eq!(shown.out, made.out);
}

#[tokio::test]
async fn a_token_stands_alone_on_stdout() {
    let server = Server::start().await;
    let made = weir(&server, "alice", &["agent", "token", "create", "--target", "staging.stg-1"]).await;
    assert_eq!((made.code, made.out), (0, format!("{TOKEN}\n")), "{}", made.err);
    assert!(made.err.contains("shown this once") && !made.err.contains(TOKEN), "{}", made.err);
    assert_eq!(weir(&server, "alice", &["agent", "token", "create"]).await.code, 2);
}

#[tokio::test]
async fn agents_are_listed_and_cannot_reach_the_terminal() {
    let server = Server::start().await;
    let list = weir(&server, "alice", &["agent", "list"]).await;
    assert!(list.out.contains("degraded") && list.out.contains("1 m 0 s ago"), "{list:?}");
    assert!(!list.out.contains('\u{1b}'), "{list:?}");
}

#[tokio::test]
async fn resources_are_listed_by_kind_and_shown() {
    let server = Server::start().await;
    let dir = tempfile::tempdir().unwrap();
    let text = "version: 1\nworkspace: harbor\nenvironment:\n  a: {order_index: 1}\n  b: {order_index: 2}\n  c: {order_index: 3}\ncomponent:\n  web: {}\n";
    std::fs::write(dir.path().join("weir.yaml"), text).unwrap();
    let line = ["apply", "--config", dir.path().to_str().unwrap(), "--auto-approve"];
    assert_eq!(weir(&server, "alice", &line).await.code, 0);
    let some = weir(&server, "alice", &["resource", "list", "--kind", "environment"]).await;
    assert_eq!((some.code, some.out.lines().count()), (0, 4), "{some:?}");
    let shown = weir(&server, "alice", &["resource", "show", "environment.b"]).await;
    assert!(shown.out.contains("\"order_index\": 2"), "{shown:?}");
    let none = weir(&server, "alice", &["resource", "show", "environment.d"]).await;
    assert_eq!((none.code, none.err.contains("error[W0404]")), (1, true), "{none:?}");
    assert_eq!(weir(&server, "alice", &["resource", "list", "--kind", "thing"]).await.code, 2);
}

#[tokio::test]
async fn a_deployment_is_shown_with_what_its_targets_say() {
    let server = Server::start().await;
    let release = release(&server, "1.0.0").await;
    let operation = weir(&server, "alice", &["promote", &release, "staging", "--json"]).await;
    let id = operation.json()[0]["operation_id"].as_str().unwrap().replace("op_", "dep_");
    let shown = weir(&server, "alice", &["deployment", "show", &id]).await;
    assert!(shown.out.contains("target.staging.stg-1") && shown.out.contains("  unpacked\n"), "{shown:?}");
    assert!(!shown.out.contains('\u{1b}'), "{shown:?}");
}

async fn packs() -> Json<Value> {
    let scenario = json!({ "id": "scenario.restart", "version": 2, "target_resource_type": "environment",
        "actions": ["restart"], "requires": [], "provides": [], "risk_metadata": { "level": "medium" } });
    Json(
        json!({ "items": [{ "id": "ops", "version": "1.2.0", "source": "marketplace", "vendor": "Acme Works",
        "signer": "acme", "digest": "sha256:0", "risk": "medium", "scenarios": [scenario],
        "parts": ["template.restart"], "created_at": time() }] }),
    )
}
