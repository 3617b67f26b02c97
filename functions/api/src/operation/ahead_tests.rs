//! What stands in front of an operation that is another operation: when that could be over, and who can end what it
//! waits for

use crate::fixture::Shop;
use serde_json::{Value, json};
use weir_domain::{
    id::OperationId,
    operation::{Held, OperationStatus},
};
use weir_edge::wire::{
    explain::Explanation,
    intent::IntentView,
    operation::{OperationView, WaitKind},
};

/// A scenario about an environment, and its template
async fn scenario(shop: &Shop, name: &str, provides: Value, nodes: Value) {
    let scenario = json!({
        "version": 1, "target_resource_type": "environment", "actions": [name], "template": format!("template.{name}"),
        "risk_metadata": { "level": "low" }, "provides": provides,
    });
    shop.api.resource(&shop.scope.outer(), &format!("scenario.{name}"), scenario).await;
    let template = json!({ "version": 1, "inputs": { "after": {} }, "nodes": nodes });
    shop.api.resource(&shop.scope.outer(), &format!("template.{name}"), template).await;
}

async fn start(shop: &Shop, action: &str, after: OperationId) -> OperationId {
    let body = json!({ "action": action, "target_resource_id": "environment.staging", "inputs": { "after": after } });
    let intent: IntentView = shop.api.post("/v1/intents").by("alice").json(&body).send().await.read(201);
    let path = format!("/v1/plans/{}/operations", intent.plan_id.unwrap());
    let operation: OperationView = shop.api.post(&path).by("alice").send().await.read(201);
    shop.begin(operation.operation_id).await;
    operation.operation_id
}

/// Begins what the nodes of others run, as its executions would; returns the last one of them
async fn begin_children(shop: &Shop, parent: OperationId) -> OperationId {
    let mut last = parent;
    loop {
        let told = shop.operation(last).await;
        let Some(child) = told.waits.iter().find_map(|wait| wait.operation_id) else { return last };
        shop.begin(child).await;
        last = child;
    }
}

async fn explain(shop: &Shop, id: OperationId) -> Explanation {
    shop.api.get(&format!("/v1/operations/{id}/explain")).by("viewer").send().await.read(200)
}

const LATER: &str = "2026-11-21T20:00:00.000Z";

/// A step behind an agreement and a time
fn late() -> Value {
    json!([
        { "id": "agree", "type": "gate", "gate": { "approval": { "required_approvals": 1 } } },
        { "id": "evening", "type": "gate", "gate": { "schedule": { "not_before": LATER } } },
        { "id": "check", "type": "verification", "capability": "verify.http", "depends_on": ["agree", "evening"] },
    ])
}

fn none() -> OperationId {
    "op_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap()
}

#[tokio::test]
async fn what_a_node_runs_is_looked_into_as_deep_as_it_goes() {
    let shop = Shop::open().await;
    let get = |what: &str| json!([{ "id": "get", "type": "job", "capability": what }]);
    scenario(&shop, "inner", json!(["stone"]), late()).await;
    scenario(&shop, "middle", json!(["bridge"]), get("stone")).await;
    let then =
        json!({ "id": "then", "type": "verification", "capability": "verify.http", "depends_on": ["get"] });
    let cross = json!([{ "id": "get", "type": "job", "capability": "bridge" }, then]);
    scenario(&shop, "cross", json!([]), cross).await;
    let outer = start(&shop, "cross", none()).await;
    let inner = begin_children(&shop, outer).await;
    let found = explain(&shop, outer).await;
    assert_eq!(found.ahead.len(), 2, "{:?}", found.ahead);
    for ahead in &found.ahead {
        assert_eq!((ahead.ends.unwrap().to_string().as_str(), ahead.after_somebody), (LATER, true));
    }
    let last = found.ahead.iter().find(|it| it.operation_id == inner).unwrap();
    let agreed = last.waits.iter().find(|it| it.wait.kind == WaitKind::Approval).unwrap();
    assert!(found.commands.contains(&format!("weir approve {}", agreed.wait.gate_id.unwrap())));
    let earliest = found.earliest.unwrap();
    assert_eq!((earliest.node_id.as_str(), earliest.at.to_string().as_str()), ("then", LATER));
    let after: Vec<_> = earliest.after.iter().map(ToString::to_string).collect();
    assert_eq!(
        (after, earliest.after_running),
        (vec!["get".to_owned()], true),
        "somebody has to agree there"
    );
    let pause = format!("/v1/operations/{inner}/pause");
    shop.api.post(&pause).by("bob").json(&json!({})).send().await.expect(200);
    let found = explain(&shop, outer).await;
    assert!(found.commands.contains(&format!("weir operation resume {inner}")), "{:?}", found.commands);
}

#[tokio::test]
async fn who_is_queued_is_told_when_the_one_before_could_be_over_and_who_can_end_its_waits() {
    let shop = Shop::open().await;
    let environment = json!({ "order_index": 1, "exclusive": true });
    shop.api.resource(&shop.scope, "environment.staging", environment).await;
    let check = json!([{ "id": "check", "type": "verification", "capability": "verify.http" }]);
    scenario(&shop, "late", json!([]), late()).await;
    scenario(&shop, "soon", json!([]), check).await;
    let (first, second) = (start(&shop, "late", none()).await, start(&shop, "soon", none()).await);
    let found = explain(&shop, second).await;
    assert_eq!(found.held, Some(Held::Queued { behind: vec![first] }));
    let [ahead] = found.ahead.as_slice() else { panic!("{:?}", found.ahead) };
    assert_eq!((ahead.operation_id, ahead.after_somebody), (first, true));
    let gate =
        ahead.waits.iter().find_map(|it| it.wait.gate_id.filter(|_| it.wait.kind == WaitKind::Approval));
    let approve = format!("weir approve {}", gate.unwrap());
    assert_eq!(found.commands, [format!("weir explain {first}"), approve]);
    let earliest = found.earliest.unwrap();
    assert_eq!((earliest.at.to_string().as_str(), earliest.after_held), (LATER, true));
}

#[tokio::test]
async fn a_gate_that_waits_for_an_operation_opens_no_sooner_than_that_is_over() {
    let shop = Shop::open().await;
    scenario(&shop, "late", json!([]), late()).await;
    let after = json!([
        { "id": "other", "type": "gate", "gate": { "dependency": { "operation": "inputs.after" } } },
        { "id": "check", "type": "verification", "capability": "verify.http", "depends_on": ["other"] },
    ]);
    scenario(&shop, "after", json!([]), after).await;
    let first = start(&shop, "late", none()).await;
    let second = start(&shop, "after", first).await;
    let found = explain(&shop, second).await;
    assert_eq!(found.ahead[0].operation_id, first);
    let earliest = found.earliest.unwrap();
    assert_eq!((earliest.node_id.as_str(), earliest.at.to_string().as_str()), ("check", LATER));
    assert!(matches!(&shop.operation(second).await.status, OperationStatus::WaitingGate));
    let pause = format!("/v1/operations/{first}/pause");
    shop.api.post(&pause).by("bob").json(&json!({})).send().await.expect(200);
    let ahead = &explain(&shop, second).await.ahead[0];
    assert!(matches!(&ahead.held, Some(Held::Paused { by, .. }) if by == "bob"), "{ahead:?}");
}
