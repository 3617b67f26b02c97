//! What makes two operations the same: what they do, and under which conditions and edits

use crate::fixture::Shop;
use serde_json::{Value, json};
use weir_edge::wire::{intent::IntentView, operation::OperationView, promotion::PromotionView};

async fn look(shop: &Shop) {
    let scope = shop.scope.outer();
    let scenario = json!({ "version": 1, "target_resource_type": "environment", "actions": ["look"],
        "template": "template.look" });
    let template = json!({ "version": 1, "editable_points": ["look.timeout_s"], "nodes": [
        { "id": "look", "type": "verification", "capability": "verify.http", "for_each": "target" }] });
    shop.api.resource(&scope, "scenario.look", scenario).await;
    shop.api.resource(&scope, "template.look", template).await;
}

/// What starting a plan for `more` is answered with
async fn started(shop: &Shop, more: Value) -> (u16, OperationView) {
    let mut body = json!({ "action": "look", "target_resource_id": "environment.staging" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let intent: IntentView = shop.api.post("/v1/intents").by("developer").json(&body).send().await.read(201);
    let path = format!("/v1/plans/{}/operations", intent.plan_id.unwrap());
    let reply = shop.api.post(&path).by("alice").send().await;
    let status = reply.short().parse().unwrap();
    (status, reply.read(status))
}

#[tokio::test]
async fn a_run_under_other_conditions_or_with_other_edits_is_another_one() {
    let shop = Shop::open().await;
    look(&shop).await;
    let asked = [
        json!({}),
        json!({ "constraints": { "adapter": "weir" } }),
        json!({ "customizations": { "look.timeout_s": 7 } }),
        json!({ "customizations": { "look.timeout_s": 8 } }),
    ];
    let mut seen = Vec::new();
    for more in &asked {
        let (status, made) = started(&shop, more.clone()).await;
        assert_eq!(status, 201, "{more} is what nobody has asked for yet");
        seen.push(made.operation_id);
    }
    for (more, first) in asked.iter().zip(seen) {
        let (status, again) = started(&shop, more.clone()).await;
        assert_eq!((status, again.operation_id), (200, first), "{more}");
    }
}

#[tokio::test]
async fn a_promotion_that_was_edited_is_not_the_one_that_was_not() {
    let shop = Shop::open().await;
    let ask = async |customizations: Value| {
        let body = json!({ "release_id": shop.release, "target_environment_id": "environment.staging",
            "customizations": customizations });
        let reply = shop.api.post("/v1/promotions").by("alice").json(&body).send().await;
        let status = reply.short().parse::<u16>().unwrap();
        (status, reply.read::<PromotionView>(status).promotion.workflow_run_id)
    };
    let (status, plain) = ask(json!({})).await;
    assert_eq!(status, 201);
    let (status, edited) = ask(json!({ "deploy.timeout_s": 77 })).await;
    assert!(status == 201 && edited != plain, "its edit would be lost: {status}");
    assert_eq!(ask(json!({})).await, (200, plain));
    assert_eq!(ask(json!({ "deploy.timeout_s": 77 })).await, (200, edited));
}

#[tokio::test]
async fn a_delivery_by_another_scenario_is_another_one() {
    let shop = Shop::open().await;
    let spec = json!({ "version": 1, "target_resource_type": "environment",
        "actions": ["promote"], "template": "template.deploy-host" });
    for name in ["first", "second"] {
        shop.api.resource(&shop.scope.outer(), &format!("scenario.{name}"), spec.clone()).await;
    }
    let start = async |name: &str| {
        let body = json!({ "action": "promote", "target_resource_id": "environment.staging",
            "scenario": format!("scenario.{name}"), "desired_result": { "release_id": shop.release } });
        let reply = shop.api.post("/v1/intents").by("developer").json(&body).send().await;
        let path = format!("/v1/plans/{}/operations", reply.read::<IntentView>(201).plan_id.unwrap());
        let reply = shop.api.post(&path).by("alice").send().await;
        let status = reply.short().parse::<u16>().unwrap();
        (status, reply.read::<OperationView>(status).operation_id)
    };
    let (status, first) = start("first").await;
    assert_eq!(status, 201);
    let (status, second) = start("second").await;
    assert!(status == 201 && second != first, "what it does would not be done: {status}");
    assert_eq!(start("first").await, (200, first));
}
