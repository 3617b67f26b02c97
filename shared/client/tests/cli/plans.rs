//! Plans: drawn, verified from files, and changed while they run

use crate::{
    delivery::release,
    rig::weir,
    server::{Server, problem},
    state::time,
    views::actor,
};
use axum::{
    Json, Router,
    extract::Path,
    response::{IntoResponse as _, Response},
    routing::post,
};
use serde_json::{Value, json};
use std::fs;
use weir_domain::{
    canonical::Digest,
    id::{Id as _, OperationId, PatchId, PlanId},
    plan::{Executor, Graph, NodeType, PatchChanges, PlanNode},
};

pub fn routes() -> Router<Server> {
    Router::new().route("/v1/operations/{id}/patches", post(patch))
}

async fn patch(Path(id): Path<OperationId>, Json(body): Json<Value>) -> Response {
    let changes: PatchChanges = serde_json::from_value(body["changes"].clone()).unwrap();
    if changes.removed.iter().any(|node| node.as_str() == "approval") {
        return problem(422, "W0450", "node `approval` is a gate: it can neither be removed nor changed");
    }
    let added: Vec<_> = changes.added.iter().map(|node| node.node_id.clone()).collect();
    Json(json!({ "patch_id": PatchId::new(1, 1), "operation_id": id, "plan_id": PlanId::new(1, 1), "sequence": 1,
        "actor": actor("bob"), "reason": body["reason"], "base_hash": Digest::of_bytes(b"a"),
        "effective_hash": Digest::of_bytes(b"b"), "added": added, "removed": changes.removed,
        "voided": ["approval"], "created_at": time() }))
    .into_response()
}

async fn waiting(server: &Server) -> String {
    let release = release(server, "1.0.0").await;
    weir(server, "alice", &["promote", &release, "production", "--no-wait"]).await;
    weir(server, "alice", &["operation", "list"]).await.id("op_")
}

#[tokio::test]
async fn what_an_operation_runs_is_drawn_for_people_and_for_programs() {
    let server = Server::start().await;
    let operation = waiting(&server).await;
    let drawn = weir(&server, "alice", &["plan", "show", &operation]).await;
    assert!(drawn.code == 0 && drawn.out.contains("◔") && drawn.out.contains("approval"), "{drawn:?}");
    assert!(drawn.out.trim_end().ends_with("at once"), "{drawn:?}");
    let dot = weir(&server, "alice", &["plan", "show", &operation, "--dot"]).await;
    assert!(dot.out.starts_with("digraph plan {") && dot.out.contains("shape=diamond"), "{dot:?}");
    let mermaid = weir(&server, "alice", &["plan", "show", &operation, "--mermaid"]).await;
    assert!(mermaid.out.starts_with("flowchart LR\n") && mermaid.out.contains(" --> "), "{mermaid:?}");
    let data = weir(&server, "alice", &["--json", "plan", "show", &operation]).await;
    assert_eq!(data.json()[0]["operation_id"], operation.as_str());
    assert_eq!(weir(&server, "alice", &["plan", "show", "rel_01"]).await.code, 2);
}

#[tokio::test]
async fn a_file_changes_what_an_operation_runs_and_a_rule_may_refuse_it() {
    let server = Server::start().await;
    let operation = waiting(&server).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("patch.yaml");
    let path = file.to_str().unwrap();
    let patch =
        async || weir(&server, "bob", &["operation", "patch", &operation, "--file", path, "-m", "why"]).await;
    let smoke = "added:\n- node_id: smoke\n  type: verification\n  title: smoke test\n  runs: job\n  \
                 depends_on: [approval]\n  job_contract: {capability: verify.http, timeout_s: 30, attempts: 2}\n";
    fs::write(&file, smoke).unwrap();
    let made = patch().await;
    assert!(made.code == 0 && made.out.contains("added    smoke"), "{made:?}");
    assert!(made.out.contains("what was approved at approval does not count any more"), "{made:?}");
    assert!(made.err.contains(&format!("weir plan show {operation}")), "{made:?}");
    fs::write(&file, "removed: [approval]\n").unwrap();
    let refused = patch().await;
    assert!(refused.code == 1 && refused.err.contains("error[W0450]"), "{refused:?}");
    for wrong in ["removed: [a\n", "remove: [a]\n", "added: 7\n"] {
        fs::write(&file, wrong).unwrap();
        let unread = patch().await;
        assert!(unread.code == 1 && unread.err.contains("patch.yaml"), "{unread:?}");
    }
}

#[tokio::test]
async fn a_saved_plan_is_verified_without_a_server() {
    let server = Server::start().await;
    let dir = tempfile::tempdir().unwrap();
    let nodes = ["a", "b"]
        .map(|name| PlanNode::new(name.parse().unwrap(), NodeType::Evidence, name, Executor::Decide));
    let graph = Graph::new(nodes.into()).unwrap();
    let plan = json!({ "graph_hash": graph.graph_hash().unwrap(), "graph": graph });
    fs::write(dir.path().join("plan.json"), plan.to_string()).unwrap();
    let path = dir.path().to_str().unwrap();
    let holds = weir(&server, "alice", &["plan", "verify", "--dir", path]).await;
    assert!(holds.code == 0 && holds.out.contains("the chain holds: sha256:"), "{holds:?}");
    fs::write(dir.path().join("plan.json"), plan.to_string().replace("\"a\"", "\"c\"")).unwrap();
    let broken = weir(&server, "alice", &["--json", "plan", "verify", "--dir", path]).await;
    assert_eq!((broken.code, broken.json()[0]["holds"].clone()), (1, json!(false)));
}
