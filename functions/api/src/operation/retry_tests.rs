use crate::fixture::Shop;
use serde_json::{Value, json};
use weir_domain::{
    id::OperationId, intent::IntentStatus, operation::OperationStatus, plan::NodeStatus, plan::PlanStatus,
};
use weir_edge::wire::{intent::IntentView, operation::OperationView, page::Page, plan::PlanView};
use weir_testkit::api::Reply;

/// A scenario of three checks, one after the other, behind somebody's agreement
async fn checks(shop: &Shop) -> OperationId {
    let scenario = json!({
        "version": 1, "target_resource_type": "environment", "actions": ["check"], "template": "template.check",
        "risk_metadata": { "level": "low" },
    });
    let check = |id: &str, needs: &str| json!({ "id": id, "type": "verification", "capability": "verify.http", "depends_on": [needs] });
    let gate = json!({ "approval": { "required_approvals": 1, "require_sod": true } });
    let template = json!({ "version": 1, "nodes": [
        { "id": "agree", "type": "gate", "gate": gate },
        check("first", "agree"), check("second", "first"), check("third", "second"),
    ] });
    shop.api.resource(&shop.scope.outer(), "scenario.check", scenario).await;
    shop.api.resource(&shop.scope.outer(), "template.check", template).await;
    let body = json!({ "action": "check", "target_resource_id": "environment.staging" });
    let intent: IntentView = shop.api.post("/v1/intents").by("alice").json(&body).send().await.read(201);
    let path = format!("/v1/plans/{}/operations", intent.plan_id.unwrap());
    let operation: OperationView = shop.api.post(&path).by("alice").send().await.read(201);
    shop.begin(operation.operation_id).await;
    operation.operation_id
}

/// Bob agrees at the one open gate
async fn agree(shop: &Shop) {
    let gates = shop.api.get("/v1/gates?status=open").by("viewer").send().await.expect(200);
    let path = format!("/v1/gates/{}/decisions", gates["items"][0]["gate_id"].as_str().unwrap());
    shop.api.post(&path).by("bob").json(&json!({ "action": "approved" })).send().await.expect(201);
}

async fn retry(shop: &Shop, by: &str, id: OperationId) -> Reply {
    let path = format!("/v1/operations/{id}/retry");
    shop.api.post(&path).by(by).json(&json!({ "reason": "the disk is free" })).send().await
}

/// The operation of `checks`, whose second check has failed
async fn failed(shop: &Shop) -> OperationId {
    let id = checks(shop).await;
    agree(shop).await;
    shop.job(id, "first", true).await;
    shop.job(id, "second", false).await;
    shop.end(id).await;
    id
}

#[tokio::test]
async fn what_is_left_runs_again_behind_its_gate_and_the_failed_operation_stays_as_it_is() {
    let shop = Shop::open().await;
    let id = failed(&shop).await;
    let before = shop.operation(id).await;
    let again: OperationView = retry(&shop, "alice", id).await.read(201);
    assert_eq!((again.retry_of, again.actor.id.as_str()), (Some(id), "alice"));
    shop.begin(again.operation_id).await;
    let nodes = shop.nodes(again.operation_id).await;
    let left: Vec<_> = nodes.keys().map(String::as_str).collect();
    assert_eq!(left, ["agree", "second", "third"]);
    assert_eq!(nodes["second"], NodeStatus::Pending, "what was agreed to then is asked about anew");
    agree(&shop).await;
    shop.job(again.operation_id, "second", true).await;
    shop.job(again.operation_id, "third", true).await;
    shop.end(again.operation_id).await;
    let ended = shop.operation(again.operation_id).await;
    assert_eq!((ended.status, ended.evidence_ids.len()), (OperationStatus::Succeeded, 1));
    assert_eq!(shop.operation(id).await.nodes, before.nodes);
    let path = format!("/v1/plans/{}", again.plan_id);
    let plan: PlanView = shop.api.get(&path).by("viewer").send().await.read(200);
    assert_eq!((plan.plan.status, plan.plan.node_count), (PlanStatus::Active, 3));
    let intents: Page<IntentView> = shop.api.get("/v1/intents").by("viewer").send().await.read(200);
    let ends: Vec<_> = intents.items.iter().map(|it| (it.id == again.intent_id, it.status)).collect();
    assert!(
        ends.contains(&(true, IntentStatus::Fulfilled)) && ends.contains(&(false, IntentStatus::Rejected))
    );
    assert!(shop.audited().await.contains(&"alice operation.retry".to_owned()));
}

#[tokio::test]
async fn a_second_retry_meets_the_first_and_what_was_cancelled_is_left_undone_too() {
    let shop = Shop::open().await;
    let id = checks(&shop).await;
    let path = format!("/v1/operations/{id}/cancel");
    shop.api.post(&path).by("bob").json(&json!({})).send().await.expect(202);
    shop.end(id).await;
    let first: OperationView = retry(&shop, "alice", id).await.read(201);
    let second: OperationView = retry(&shop, "bob", id).await.read(200);
    assert_eq!(first.operation_id, second.operation_id);
    shop.begin(first.operation_id).await;
    assert_eq!(shop.nodes(first.operation_id).await.len(), 4);
}

#[tokio::test]
async fn what_cannot_be_retried_says_why_and_what_to_do_instead() {
    let shop = Shop::open().await;
    let running = checks(&shop).await;
    let told = async |by: &str, id: OperationId| -> (String, Value) {
        let reply = retry(&shop, by, id).await;
        let short = reply.short();
        let status = short[..3].parse().unwrap();
        (short, reply.expect(status))
    };
    let (short, said) = told("alice", running).await;
    assert_eq!(short, "409 not-allowed-now");
    assert!(said["detail"].as_str().unwrap().contains("has not ended yet"), "{said}");
    assert_eq!(told("developer", running).await.0, "403 forbidden");
    assert_eq!(told("stranger", running).await.0, "404 not-found");
    let staged = shop.stage(shop.release).await;
    let (short, said) = told("alice", staged).await;
    assert_eq!(short, "409 not-allowed-now");
    assert!(said["detail"].as_str().unwrap().contains("promote the release again"), "{said}");
    agree(&shop).await;
    for check in ["first", "second", "third"] {
        shop.job(running, check, true).await;
    }
    shop.end(running).await;
    let (_, said) = told("alice", running).await;
    assert!(said["detail"].as_str().unwrap().contains("left nothing undone"), "{said}");
}
