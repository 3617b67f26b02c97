//! Workflow templates, runs and steps

use crate::{
    rig::weir,
    server::{Pages, Server, page},
    state::time,
};
use axum::{Json, Router, extract::Query, routing::get};
use serde_json::{Value, json};
use weir_domain::id::{Id as _, OperationId, PromotionId, ReleaseId};

pub fn routes() -> Router<Server> {
    Router::new()
        .route("/v1/workflow-templates", get(|query: Pages| async { list(template(), query) }))
        .route("/v1/workflow-templates/{id}", get(|| async { Json(template()) }))
        .route("/v1/services", get(|query: Pages| async { list(service(), query) }))
        .route("/v1/releases/{id}/timeline", get(|| async { Json(timeline()) }))
        .route("/v1/workflow-runs", get(|query: Pages| async { list(run(), query) }))
        .route("/v1/workflow-runs/{id}", get(|| async { Json(run()) }))
        .route("/v1/workflow-runs/{id}/steps", get(|query: Pages| async { list(step(), query) }))
}

fn list(one: Value, Query(query): Pages) -> Json<Value> {
    Json(page(&[one], &query))
}

fn template() -> Value {
    let node = |id: &str, needs: &[&str]| json!({ "id": id, "type": "job", "depends_on": needs });
    json!({ "id": "template.deploy-host", "tenant_id": null, "name": "deploy-host", "version": 3, "is_builtin": false,
        "nodes": [node("deploy", &[]), node("verify", &["deploy"])],
        "edges": [{ "from": "deploy", "to": "verify" }],
        "inputs": { "release": { "required": true, "description": "The release\u{1b}[2J" } },
        "outputs": { "address": "deploy.address" } })
}

fn run() -> Value {
    let entry = json!({ "ts": time(), "level": "info", "message": "Deploy stg-1: succeeded", "meta": {} });
    json!({ "id": OperationId::new(1, 9), "kind": "Promote", "actor": "alice", "template_id": "template.deploy-host",
        "template_version": 3, "status": "succeeded", "context": {}, "inputs": { "release": "rel" },
        "started_at": time(), "finished_at": time(), "completed_at": time(), "logs": [entry] })
}

fn step() -> Value {
    let error = json!({ "code": "lease_expired", "message": "whoever ran the attempt fell silent" });
    json!({ "id": "op.1.1", "workflow_run_id": OperationId::new(1, 9), "node_id": "deploy.stg-1", "status": "failed",
        "attempt_number": 1, "inputs": {}, "logs": "unpacked\nstarted \u{1b}[31m", "error": error,
        "started_at": time(), "completed_at": time() })
}

fn service() -> Value {
    let latest = json!({ "service_id": "service.shop", "environment_id": "environment.staging",
        "release_id": ReleaseId::new(1, 3), "version": "1.2.0", "promotion_id": PromotionId::new(1, 4),
        "operation_id": OperationId::new(1, 9), "deployed_at": time() });
    let environments = json!([{ "environment_id": "environment.staging", "latest_release": latest },
        { "environment_id": "environment.production" }]);
    json!({ "id": "service.shop", "tenant_id": null, "name": "Shop\u{1b}[2J", "repo": "r", "components": [],
        "adapters": {}, "environments": environments })
}

fn timeline() -> Value {
    let log = json!({ "workflow_run_id": OperationId::new(1, 9), "ts": time(), "level": "info",
        "message": "Deploy stg-1: succeeded\u{1b}[31m", "meta": {} });
    json!({ "release_id": ReleaseId::new(1, 3), "runs": [run()], "logs": [log] })
}

#[tokio::test]
async fn a_service_is_listed_with_what_is_where_and_a_release_with_what_ran_for_it() {
    let server = Server::start().await;
    let list = weir(&server, "alice", &["service", "list"]).await;
    let lines: Vec<&str> = list.out.lines().collect();
    assert!(lines[1].contains("staging") && lines[1].contains("1.2.0"), "{list:?}");
    assert!(lines[2].contains("production") && lines[2].contains("–"), "{list:?}");
    assert!(!list.out.contains('\u{1b}'), "{list:?}");
    let told = weir(&server, "alice", &["release", "timeline", &ReleaseId::new(1, 3).to_string()]).await;
    assert!(told.out.contains(&format!("{}  Deploy stg-1: succeeded", OperationId::new(1, 9))), "{told:?}");
    assert!(!told.out.contains('\u{1b}'), "{told:?}");
}

#[tokio::test]
async fn a_template_is_listed_and_shown_with_its_steps() {
    let server = Server::start().await;
    let list = weir(&server, "alice", &["workflow", "templates"]).await;
    assert!(list.out.contains("deploy-host  3        2      the workspace"), "{list:?}");
    let shown = weir(&server, "alice", &["workflow", "template", "deploy-host"]).await;
    assert!(
        shown.out.contains("step verify  job  after deploy") && shown.out.contains("release (required)"),
        "{shown:?}"
    );
    assert!(!shown.out.contains('\u{1b}'));
    let asked = server.with(|state| state.requests.last().unwrap().clone());
    assert!(asked.ends_with("/v1/workflow-templates/template.deploy-host"), "{asked}");
}

#[tokio::test]
async fn runs_and_their_steps_are_listed_with_their_attempts_and_logs() {
    let server = Server::start().await;
    let list =
        weir(&server, "alice", &["workflow", "runs", "--kind", "promote", "--status", "succeeded"]).await;
    assert!(list.out.contains("Promote") && list.out.contains("deploy-host"), "{list:?}");
    let asked = server.with(|state| state.requests.last().unwrap().clone());
    assert!(asked.contains("kind=Promote&status=succeeded"), "{asked}");
    let id = OperationId::new(1, 9).to_string();
    let shown = weir(&server, "alice", &["workflow", "run", &id]).await;
    assert!(
        shown.out.contains("template.deploy-host version 3") && shown.out.contains("Deploy stg-1: succeeded"),
        "{shown:?}"
    );
    let steps = weir(&server, "alice", &["workflow", "steps", &id, "--logs"]).await;
    assert!(steps.out.contains("deploy.stg-1  1") && steps.out.contains("fell silent"), "{steps:?}");
    assert!(steps.out.contains("  unpacked\n") && !steps.out.contains('\u{1b}'), "{steps:?}");
    assert_eq!(weir(&server, "alice", &["workflow", "runs", "--kind", "thing"]).await.code, 2);
}
