//! What scenarios give: from their nodes to their operation, and from there to the node that runs it

use crate::fixture::Shop;
use serde_json::{Value, json};
use weir_domain::{id::OperationId, operation::OperationStatus};
use weir_edge::wire::{intent::IntentView, operation::OperationView};

async fn scenario(shop: &Shop, name: &str, more: Value, template: Value) {
    let mut scenario = json!({
        "version": 1, "target_resource_type": "environment", "actions": [name], "template": format!("template.{name}"),
        "risk_metadata": { "level": "low" },
    });
    scenario.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut whole = json!({ "version": 1 });
    whole.as_object_mut().unwrap().extend(template.as_object().unwrap().clone());
    shop.api.resource(&shop.scope.outer(), &format!("scenario.{name}"), scenario).await;
    shop.api.resource(&shop.scope.outer(), &format!("template.{name}"), whole).await;
}

fn call(id: &str, more: Value) -> Value {
    let with = json!({ "url": "https://x.example.org", "outputs": { "id": "/id", "size": "/size" } });
    let mut node = json!({ "id": id, "type": "job", "capability": "http.call", "with": with });
    node.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    node
}

async fn run(shop: &Shop, action: &str) -> OperationId {
    let body = json!({ "action": action, "target_resource_id": "environment.staging" });
    let intent: IntentView = shop.api.post("/v1/intents").by("alice").json(&body).send().await.read(201);
    let path = format!("/v1/plans/{}/operations", intent.plan_id.unwrap());
    let operation: OperationView = shop.api.post(&path).by("alice").send().await.read(201);
    shop.begin(operation.operation_id).await;
    operation.operation_id
}

async fn gave(shop: &Shop, operation: OperationId, name: &str, outputs: Value) {
    let view = shop.operation(operation).await;
    let node = view.nodes.iter().find(|node| node.node_id.as_str() == name).unwrap();
    let bytes = serde_json::to_vec(&outputs).unwrap();
    shop.api.cx.ledger().outputs_put(operation, node.ordinal, 1, bytes).await.unwrap();
    shop.job(operation, name, true).await;
}

#[tokio::test]
async fn an_operation_gives_what_its_template_takes_from_its_nodes() {
    let shop = Shop::open().await;
    let template = json!({
        "nodes": [call("make", json!({})), call("each", json!({ "for_each": "target", "on_failure": "continue" }))],
        "outputs": { "server": "make.id", "sizes": "each.size" },
    });
    scenario(&shop, "make", json!({}), template).await;
    let operation = run(&shop, "make").await;
    gave(&shop, operation, "make", json!({ "id": "srv-7", "size": 3 })).await;
    gave(&shop, operation, "each.stg-1", json!({ "size": 1 })).await;
    assert!(shop.operation(operation).await.outputs.is_empty(), "not before its end");
    shop.job(operation, "each.stg-2", false).await;
    shop.end(operation).await;
    let outputs = shop.operation(operation).await.outputs;
    assert_eq!(Value::Object(outputs), json!({ "server": "srv-7", "sizes": { "stg-1": 1 } }));
}

#[tokio::test]
async fn what_an_operation_gives_is_what_its_node_gives() {
    let shop = Shop::open().await;
    let inner = json!({ "nodes": [call("make", json!({}))], "outputs": { "server": "make.id" } });
    scenario(&shop, "inner", json!({ "provides": ["server"] }), inner).await;
    let nodes = json!([{ "id": "get", "type": "job", "capability": "server" }]);
    scenario(&shop, "outer", json!({}), json!({ "nodes": nodes, "outputs": { "where": "get.server" } }))
        .await;
    let operation = run(&shop, "outer").await;
    let child =
        shop.api.cloud.told().operations.iter().map(|it| it.operation).find(|it| *it != operation).unwrap();
    shop.begin(child).await;
    gave(&shop, child, "make", json!({ "id": "srv-7" })).await;
    shop.end(child).await;
    shop.end(operation).await;
    let ended = shop.operation(operation).await;
    assert_eq!(ended.status, OperationStatus::Succeeded);
    assert_eq!(Value::Object(ended.outputs), json!({ "where": "srv-7" }));
}

#[tokio::test]
async fn an_output_that_no_node_keeps_is_refused_before_anything_runs() {
    let shop = Shop::open().await;
    let template = json!({ "nodes": [call("make", json!({}))], "outputs": { "server": "make.name" } });
    scenario(&shop, "make", json!({}), template).await;
    let body = json!({ "action": "make", "target_resource_id": "environment.staging" });
    let reply = shop.api.post("/v1/intents").by("alice").json(&body).send().await;
    assert_eq!(reply.short(), "422 invalid-definition");
    assert!(reply.expect(422)["detail"].as_str().unwrap().contains("does not keep `name`"));
}
