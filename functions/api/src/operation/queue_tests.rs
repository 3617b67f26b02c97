//! Operations that wait for resources which one at a time may use

use crate::fixture::Shop;
use serde_json::{Value, json};
use weir_domain::{id::OperationId, operation::OperationStatus, plan::NodeStatus, time::Millis};
use weir_edge::wire::{explain::Explanation, intent::IntentView, operation::OperationView};
use weir_store::{ExclusiveQueue, Key, Record, Table as _, Write};

/// Scenarios that look at one target, `stg-1` of which is exclusive
async fn shop() -> Shop {
    let shop = Shop::open().await;
    let target = json!({ "environment": "environment.staging", "target_type": "host", "exclusive": true });
    shop.api.resource(&shop.scope, "target.staging.stg-1", target).await;
    let scenario = json!({
        "version": 1, "target_resource_type": "target", "actions": ["look", "stare"], "template": "template.look",
        "risk_metadata": { "level": "low" },
    });
    let template = json!({
        "version": 1, "inputs": { "n": {} },
        "nodes": [{ "id": "look", "type": "verification", "capability": "verify.http" }],
    });
    shop.api.resource(&shop.scope.outer(), "scenario.look", scenario).await;
    shop.api.resource(&shop.scope.outer(), "template.look", template).await;
    shop
}

/// Starts one; `n` tells it from the others
async fn look(shop: &Shop, target: &str, n: u32) -> OperationId {
    let body = json!({ "action": "look", "target_resource_id": format!("target.staging.{target}"), "inputs": { "n": n } });
    let intent: IntentView = shop.api.post("/v1/intents").by("alice").json(&body).send().await.read(201);
    let path = format!("/v1/plans/{}/operations", intent.plan_id.unwrap());
    let operation: OperationView = shop.api.post(&path).by("alice").send().await.read(201);
    shop.begin(operation.operation_id).await;
    operation.operation_id
}

async fn status(shop: &Shop, operation: OperationId) -> OperationStatus {
    shop.operation(operation).await.status
}

#[tokio::test]
async fn operations_on_an_exclusive_resource_run_in_the_order_in_which_they_came() {
    let shop = shop().await;
    let [first, second, third] =
        [look(&shop, "stg-1", 1).await, look(&shop, "stg-1", 2).await, look(&shop, "stg-1", 3).await];
    let beside = look(&shop, "stg-2", 4).await;
    assert_eq!(shop.nodes(first).await["look"], NodeStatus::Ready);
    assert_eq!(shop.nodes(beside).await["look"], NodeStatus::Ready, "others pass by");
    let waits = shop.operation(third).await;
    assert_eq!(
        (waits.status, waits.queued_behind[0].operation_id, waits.queued_behind[0].before),
        (OperationStatus::Queued, Some(second), 2)
    );
    assert_eq!(waits.current_phase, format!("waits for {second} to leave target.staging.stg-1"));
    let path = format!("/v1/operations/{second}/explain");
    let why: Explanation = shop.api.get(&path).by("viewer").send().await.read(200);
    assert_eq!(why.queued_behind[0].resource.to_string(), "target.staging.stg-1");
    assert_eq!(why.commands, [format!("weir explain {first}")]);
    let earliest = why.earliest.unwrap();
    assert_eq!((earliest.node_id.as_str(), earliest.after_held), ("look", true), "not now");
    for (done, next) in [(first, second), (second, third)] {
        assert_eq!(status(&shop, next).await, OperationStatus::Queued);
        shop.job(done, "look", true).await;
        shop.end(done).await;
        assert_eq!(shop.nodes(next).await["look"], NodeStatus::Ready, "the next one begins");
        assert!(shop.operation(next).await.queued_behind.is_empty());
    }
    shop.job(third, "look", true).await;
    shop.end(third).await;
    assert_eq!(status(&shop, third).await, OperationStatus::Succeeded);
}

#[tokio::test]
async fn a_failed_operation_leaves_too() {
    let shop = shop().await;
    let (first, second) = (look(&shop, "stg-1", 1).await, look(&shop, "stg-1", 2).await);
    shop.job(first, "look", false).await;
    shop.end(first).await;
    assert_eq!(status(&shop, first).await, OperationStatus::Failed);
    assert_eq!(shop.nodes(second).await["look"], NodeStatus::Ready);
}

#[tokio::test]
async fn a_queued_operation_is_cancelled_without_its_turn_and_without_running() {
    let shop = shop().await;
    let [first, second, third] =
        [look(&shop, "stg-1", 1).await, look(&shop, "stg-1", 2).await, look(&shop, "stg-1", 3).await];
    let path = format!("/v1/operations/{second}/cancel");
    shop.api.post(&path).by("alice").json(&json!({})).send().await.expect(202);
    assert_eq!(shop.nodes(second).await["look"], NodeStatus::Skipped);
    shop.end(second).await;
    assert_eq!(status(&shop, second).await, OperationStatus::Cancelled);
    assert_eq!(shop.operation(third).await.queued_behind[0].operation_id, Some(first), "it moved up");
    assert_eq!(shop.nodes(first).await["look"], NodeStatus::Ready);
    shop.job(first, "look", true).await;
    shop.end(first).await;
    assert_eq!(shop.nodes(third).await["look"], NodeStatus::Ready);
}

#[tokio::test]
async fn a_next_one_that_nobody_began_is_found_by_reconcile() {
    let shop = shop().await;
    let (first, second) = (look(&shop, "stg-1", 1).await, look(&shop, "stg-1", 2).await);
    let engine = shop.api.cx.engine();
    shop.api.clock.advance(Millis::from_secs(60));
    engine.reconcile().await.unwrap();
    assert_eq!(status(&shop, second).await, OperationStatus::Queued, "it is not its turn");
    // Whoever ended the first one died after leaving the queue, before beginning the next.
    let resource: weir_domain::definition::address::Address = "target.staging.stg-1".parse().unwrap();
    let key = Key::exclusive(&shop.scope, &resource);
    let (mut queue, expected) = shop.api.cx.table().read::<ExclusiveQueue>(&key).await.unwrap().unwrap();
    queue.operations.retain(|it| *it != first);
    let record = Record::new(&shop.scope, &queue).unwrap();
    shop.api.table.transact(&[Write::Replace { expected, record }]).await.unwrap();
    shop.api.clock.advance(Millis::from_secs(60));
    engine.reconcile().await.unwrap();
    assert_eq!(shop.nodes(second).await["look"], NodeStatus::Ready);
}

#[tokio::test]
async fn the_way_back_of_a_failed_deployment_does_not_wait_behind_others() {
    let shop = shop().await;
    shop.stage(shop.release).await;
    let release = shop.ready("2.0.0").await;
    let promotion = shop.promote(release, "environment.staging").await.promotion;
    let waiting = look(&shop, "stg-1", 1).await;
    assert_eq!(status(&shop, waiting).await, OperationStatus::Queued);
    shop.deploy("stg-1").await;
    shop.job(promotion.workflow_run_id, "verify.stg-1", false).await;
    shop.end(promotion.workflow_run_id).await;
    let list: Value = shop.api.get("/v1/operations").by("viewer").send().await.expect(200);
    let way_back = list["items"].as_array().unwrap().iter().find(|it| it["type"] == "rollback").unwrap();
    let way_back: OperationId = serde_json::from_value(way_back["operation_id"].clone()).unwrap();
    assert_eq!(status(&shop, waiting).await, OperationStatus::Queued);
    assert_eq!(shop.nodes(way_back).await["deploy.stg-1"], NodeStatus::Ready);
    shop.deploy("stg-1").await;
    shop.job(way_back, "verify.stg-1", true).await;
    shop.end(way_back).await;
    assert_eq!(shop.nodes(waiting).await["look"], NodeStatus::Ready);
}
