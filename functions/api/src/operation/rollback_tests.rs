//! Scenarios that fail and take back what they did

use crate::fixture::Shop;
use serde_json::{Value, json};
use weir_domain::{
    engine::NodeRun,
    evidence::PacketType,
    id::OperationId,
    operation::{OperationStatus, OperationType},
    plan::NodeStatus,
};
use weir_edge::wire::{
    intent::{IntentPlanned, IntentView},
    operation::{OperationView, Timeline},
};
use weir_orchestration::evidence::evidence_id;

/// A scenario that makes a server, sizes it and looks at it; each of the first two is undone by a job of its own
async fn shop() -> Shop {
    let shop = Shop::open().await;
    let url = "https://cloud.example.org/servers";
    let put = async |address: &str, spec: Value| {
        shop.api.resource(&shop.scope.outer(), address, spec).await;
    };
    let create = json!({
        "capability": "http.call", "with": { "method": "POST", "url": url, "outputs": { "id": "/id" } },
        "compensation": "job.delete",
    });
    put("job.create", create).await;
    let delete = json!({ "method": "DELETE", "url": format!("{url}/${{outputs.id}}") });
    put("job.delete", json!({ "capability": "http.call", "with": delete })).await;
    let shrink = json!({ "body": { "size": "small" }, "outputs": {} });
    put("job.shrink", json!({ "capability": "http.call", "with": shrink })).await;
    let template = json!({
        "version": 1,
        "inputs": { "n": {} },
        "nodes": [
            { "id": "create", "type": "job", "job": "job.create" },
            { "id": "grow", "type": "job", "capability": "http.call", "with": { "method": "PUT", "url": url },
              "depends_on": ["create"], "compensation": "job.shrink" },
            { "id": "check", "type": "verification", "capability": "verify.http", "depends_on": ["grow"],
              "on_failure": "rollback" },
        ],
    });
    put("template.serve", template).await;
    put("scenario.serve", scenario("serve", json!({ "provides": ["server"] }))).await;
    shop
}

fn scenario(name: &str, more: Value) -> Value {
    let mut scenario = json!({
        "version": 1, "target_resource_type": "environment", "actions": [name], "template": format!("template.{name}"),
        "risk_metadata": { "level": "low" },
    });
    scenario.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    scenario
}

async fn run(shop: &Shop, action: &str) -> OperationId {
    let body = json!({ "action": action, "target_resource_id": "environment.staging" });
    let intent: IntentView = shop.api.post("/v1/intents").by("alice").json(&body).send().await.read(201);
    let path = format!("/v1/plans/{}/operations", intent.plan_id.unwrap());
    let operation: OperationView = shop.api.post(&path).by("alice").send().await.read(201);
    shop.begin(operation.operation_id).await;
    operation.operation_id
}

/// Ends the job `name` well, and keeps what it gave
async fn gave(shop: &Shop, operation: OperationId, name: &str, outputs: Value) {
    let view = shop.operation(operation).await;
    let node = view.nodes.iter().find(|node| node.node_id.as_str() == name).unwrap();
    let bytes = serde_json::to_vec(&outputs).unwrap();
    shop.api.cx.ledger().outputs_put(operation, node.ordinal, 1, bytes).await.unwrap();
    shop.job(operation, name, true).await;
}

/// Everything is done but the last, which fails; returns what takes it back
async fn failed(shop: &Shop, operation: OperationId) -> Option<OperationId> {
    gave(shop, operation, "create", json!({ "id": "srv-7" })).await;
    shop.job(operation, "grow", true).await;
    shop.job(operation, "check", false).await;
    shop.end(operation).await;
    assert_eq!(shop.operation(operation).await.status, OperationStatus::Failed);
    way_back(shop, operation).await
}

async fn way_back(shop: &Shop, of: OperationId) -> Option<OperationId> {
    let list: Value = shop.api.get("/v1/operations").by("viewer").send().await.expect(200);
    let found = list["items"].as_array().unwrap().iter().find(|it| it["rollback_of"] == json!(of))?;
    let id: OperationId = serde_json::from_value(found["operation_id"].clone()).unwrap();
    shop.begin(id).await;
    Some(id)
}

async fn told(shop: &Shop, operation: OperationId) -> Vec<String> {
    let path = format!("/v1/operations/{operation}/timeline");
    let timeline: Timeline = shop.api.get(&path).by("viewer").send().await.read(200);
    timeline.events.into_iter().filter(|event| event.node_id.is_none()).map(|event| event.message).collect()
}

async fn nodes(shop: &Shop, operation: OperationId) -> Vec<NodeRun> {
    let found = shop.api.cx.table().operation_get(&shop.scope, operation).await.unwrap().unwrap();
    shop.api.cx.engine().all_nodes(&found).await.unwrap()
}

#[tokio::test]
async fn a_failed_scenario_is_taken_back_from_its_end_by_an_operation_with_evidence() {
    let shop = shop().await;
    let operation = run(&shop, "serve").await;
    let rollback = failed(&shop, operation).await.unwrap();
    let view = shop.operation(rollback).await;
    assert_eq!((view.operation_type, view.rollback_of), (OperationType::Rollback, Some(operation)));
    assert_eq!((view.deployment_id, view.promotion_id), (None, None), "nothing is deployed");
    let statuses = shop.nodes(rollback).await;
    assert_eq!(statuses.len(), 2, "a verification is not undone");
    assert_eq!((statuses["undo.grow"], statuses["undo.create"]), (NodeStatus::Ready, NodeStatus::Pending));
    assert_eq!(shop.operation(operation).await.rolled_back_by, None, "not yet");
    let path = format!("/v1/operations/{operation}/retry");
    let retried = shop.api.post(&path).by("alice").json(&json!({})).send().await;
    assert_eq!(retried.short(), "409 not-allowed-now");
    let why = retried.expect(409)["detail"].to_string();
    assert!(why.contains(&format!("taken back by operation `{rollback}`")), "{why}");

    let graph = shop.api.get(&format!("/v1/plans/{}", view.plan_id)).by("viewer").send().await.expect(200);
    let given = |name: &str| {
        let node = graph["graph"].as_array().unwrap().iter().find(|node| node["node_id"] == name).unwrap();
        node["job_contract"]["inputs"].clone()
    };
    let url = "https://cloud.example.org/servers";
    assert_eq!(given("undo.create"), json!({ "method": "DELETE", "url": format!("{url}/srv-7") }));
    let shrink = json!({ "method": "PUT", "url": url, "body": { "size": "small" }, "outputs": {} });
    assert_eq!(given("undo.grow"), shrink, "what was given to the one, under what the other one says");

    shop.job(rollback, "undo.grow", true).await;
    shop.job(rollback, "undo.create", true).await;
    shop.end(rollback).await;
    assert_eq!(shop.operation(rollback).await.status, OperationStatus::Succeeded);
    let view = shop.operation(operation).await;
    assert_eq!((view.status, view.rolled_back_by), (OperationStatus::Failed, Some(rollback)));
    assert_eq!(shop.operation(rollback).await.evidence_ids, [evidence_id(rollback, PacketType::Rollback)]);
    let told = told(&shop, operation).await;
    assert!(told.contains(&format!("rolled back by {rollback}")), "{told:?}");
    assert!(told.contains(&format!("{rollback} has taken back what this operation did")), "{told:?}");
}

#[tokio::test]
async fn what_cannot_be_undone_is_told_plainly_and_what_came_before_it_is_left() {
    let shop = shop().await;
    let operation = run(&shop, "serve").await;
    let rollback = failed(&shop, operation).await.unwrap();
    shop.job(rollback, "undo.grow", false).await;
    assert_eq!(shop.nodes(rollback).await["undo.create"], NodeStatus::Skipped);
    shop.end(rollback).await;
    assert_eq!(shop.operation(rollback).await.status, OperationStatus::Failed);
    assert_eq!(shop.operation(operation).await.rolled_back_by, None);
    let told = told(&shop, operation).await;
    let expected = format!(
        "{rollback} ended as failed (503 three times): not done, and left as it is: `undo.grow`, `undo.create`"
    );
    assert!(told.contains(&expected), "{told:?}");
    assert_eq!(way_back(&shop, rollback).await, None, "nothing takes that back");
}

#[tokio::test]
async fn only_what_completed_is_undone_and_only_where_the_failure_asks_for_it() {
    let shop = shop().await;
    let operation = run(&shop, "serve").await;
    shop.job(operation, "create", false).await;
    shop.end(operation).await;
    assert_eq!(way_back(&shop, operation).await, None, "`create` says nothing of a rollback");
    let cancelled = run(&shop, "serve").await;
    gave(&shop, cancelled, "create", json!({ "id": "srv-8" })).await;
    let path = format!("/v1/operations/{cancelled}/cancel");
    shop.api.post(&path).by("alice").json(&json!({})).send().await.expect(202);
    shop.end(cancelled).await;
    assert_eq!(shop.operation(cancelled).await.status, OperationStatus::Cancelled);
    assert_eq!(way_back(&shop, cancelled).await, None, "who cancels says what is to become of it");
}

#[tokio::test]
async fn an_output_that_was_not_given_leaves_what_needs_it_and_nothing_else() {
    let shop = shop().await;
    let operation = run(&shop, "serve").await;
    for name in ["create", "grow"] {
        shop.job(operation, name, true).await;
    }
    shop.job(operation, "check", false).await;
    shop.end(operation).await;
    let rollback = way_back(&shop, operation).await.unwrap();
    shop.job(rollback, "undo.grow", true).await;
    shop.end(rollback).await;
    let nodes = shop.nodes(rollback).await;
    assert_eq!((nodes["undo.grow"], nodes["undo.create"]), (NodeStatus::Succeeded, NodeStatus::Failed));
    let told = told(&shop, operation).await;
    let reason = "`create` cannot be undone: `${outputs.id}` refers to nothing that is known here";
    let expected =
        format!("{rollback} ended as failed ({reason}): not done, and left as it is: `undo.create`");
    assert!(told.contains(&expected), "{told:?}");
}

/// Bob decides the one open intervention
async fn decide(shop: &Shop, body: Value) {
    let open = shop.api.get("/v1/interventions").by("viewer").send().await.expect(200);
    let path =
        format!("/v1/interventions/{}/decisions", open["items"][0]["intervention_id"].as_str().unwrap());
    shop.api.post(&path).by("bob").json(&body).send().await.expect(201);
}

#[tokio::test]
async fn what_was_done_with_inputs_of_a_person_is_undone_with_those() {
    let shop = shop().await;
    let url = "https://cloud.example.org/servers";
    let nodes = json!([
        { "id": "name", "type": "job", "capability": "http.call", "on_failure": "pause",
          "with": { "method": "PUT", "url": url, "body": { "name": "a" } }, "compensation": "job.unname" },
        { "id": "check", "type": "verification", "capability": "verify.http", "depends_on": ["name"],
          "on_failure": "rollback" },
    ]);
    let put = async |address: &str, spec: Value| {
        shop.api.resource(&shop.scope.outer(), address, spec).await;
    };
    put("job.unname", json!({ "capability": "http.call", "with": { "method": "DELETE" } })).await;
    put("template.name", json!({ "version": 1, "nodes": nodes })).await;
    put("scenario.name", scenario("name", json!({}))).await;
    let operation = run(&shop, "name").await;
    shop.job(operation, "name", false).await;
    let other = json!({ "method": "POST", "body": { "name": "b" } });
    decide(&shop, json!({ "action": "replace_inputs", "inputs": other })).await;
    shop.job(operation, "name", true).await;
    shop.job(operation, "check", false).await;
    shop.end(operation).await;
    let rollback = way_back(&shop, operation).await.unwrap();
    let plan = shop.operation(rollback).await.plan_id;
    let graph = shop.api.get(&format!("/v1/plans/{plan}")).by("viewer").send().await.expect(200);
    let given = &graph["graph"][0]["job_contract"]["inputs"];
    assert_eq!(*given, json!({ "method": "DELETE", "url": url, "body": { "name": "b" } }));
}

#[tokio::test]
async fn what_took_itself_back_is_not_undone_a_second_time() {
    let shop = shop().await;
    let nodes = json!([
        { "id": "server", "type": "job", "capability": "server", "on_failure": "pause" },
        { "id": "look", "type": "verification", "capability": "verify.http", "depends_on": ["server"],
          "on_failure": "rollback" },
    ]);
    let put = async |address: &str, spec: Value| {
        shop.api.resource(&shop.scope.outer(), address, spec).await;
    };
    put("template.host", json!({ "version": 1, "nodes": nodes })).await;
    put("scenario.host", scenario("host", json!({}))).await;
    let operation = run(&shop, "host").await;
    let told = shop.api.cloud.told().operations.clone();
    let child = told.iter().map(|it| it.operation).find(|it| *it != operation).unwrap();
    shop.begin(child).await;
    let rollback = failed(&shop, child).await.unwrap();
    shop.job(rollback, "undo.grow", true).await;
    shop.job(rollback, "undo.create", true).await;
    shop.end(rollback).await;
    decide(&shop, json!({ "action": "mark_done", "comment": "made one by hand" })).await;
    shop.job(operation, "look", false).await;
    shop.end(operation).await;
    assert_eq!(shop.operation(operation).await.status, OperationStatus::Failed);
    assert_eq!(way_back(&shop, operation).await, None, "its server is gone already");
}

#[tokio::test]
async fn a_node_ends_when_what_its_operation_did_is_taken_back() {
    let shop = shop().await;
    let nodes_of = json!([{ "id": "server", "type": "job", "capability": "server" }]);
    let put = async |address: &str, spec: Value| {
        shop.api.resource(&shop.scope.outer(), address, spec).await;
    };
    put("template.host", json!({ "version": 1, "nodes": nodes_of })).await;
    put("scenario.host", scenario("host", json!({}))).await;
    let operation = run(&shop, "host").await;
    let child =
        shop.api.cloud.told().operations.iter().map(|it| it.operation).find(|it| *it != operation).unwrap();
    shop.begin(child).await;
    let rollback = failed(&shop, child).await.unwrap();
    assert_eq!(
        nodes(&shop, operation).await[0].status,
        NodeStatus::Waiting,
        "its resources are in use still"
    );
    shop.job(rollback, "undo.grow", true).await;
    shop.job(rollback, "undo.create", true).await;
    shop.end(rollback).await;
    assert_eq!(nodes(&shop, operation).await[0].status, NodeStatus::Failed);
}

#[tokio::test]
async fn a_dry_run_says_that_it_can_be_got_back() {
    let shop = shop().await;
    let body = json!({ "action": "serve", "target_resource_id": "environment.staging" });
    let reply = shop.api.post("/v1/intents?dry_run=true").by("developer").json(&body).send().await;
    let preview = reply.read::<IntentPlanned>(200).preview.unwrap();
    assert_eq!(json!(preview.reversibility), "reversible", "{preview:?}");
}

#[tokio::test]
async fn a_step_of_a_delivery_that_asks_for_it_takes_it_back_where_the_environment_would_stop() {
    let shop = Shop::open().await;
    let staging = json!({ "order_index": 1, "delivery": { "strategy": "rolling", "batch_size": 1, "on_failure": "stop" } });
    shop.api.resource(&shop.scope, "environment.staging", staging).await;
    shop.stage(shop.release).await;
    for (on_failure, is_taken_back) in [("fail", false), ("rollback", true)] {
        let template = json!({ "version": 2, "nodes": [
            { "id": "deploy", "type": "job", "capability": "deploy.host", "for_each": "target" },
            { "id": "verify", "type": "verification", "capability": "verify.http", "for_each": "target",
              "depends_on": ["deploy"], "on_failure": on_failure },
        ]});
        shop.api.resource(&shop.scope, "template.deploy-host", template).await;
        let release = shop.ready(if is_taken_back { "1.2.0" } else { "1.1.0" }).await;
        let operation = shop.promote(release, "environment.staging").await.promotion.workflow_run_id;
        shop.deploy("stg-1").await;
        shop.job(operation, "verify.stg-1", false).await;
        shop.end(operation).await;
        assert_eq!(way_back(&shop, operation).await.is_some(), is_taken_back, "{on_failure}");
    }
}
