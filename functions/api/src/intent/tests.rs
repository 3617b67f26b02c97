use crate::fixture::Shop;
use serde_json::{Value, json};
use weir_domain::{intent::IntentStatus, plan::PlanStatus};
use weir_edge::wire::{intent::IntentView, operation::OperationView, page::Page, plan::PlanView};

fn wanted(shop: &Shop, action: &str) -> Value {
    json!({
        "action": action,
        "target_resource_id": "environment.staging",
        "desired_result": { "release_id": shop.release },
    })
}

#[tokio::test]
async fn an_intent_becomes_a_plan_that_is_read_and_then_run() {
    let shop = Shop::open().await;
    let intent = shop.api.post("/v1/intents").by("developer").json(&wanted(&shop, "promote")).send().await;
    let intent: IntentView = intent.read(201);
    assert_eq!(intent.status, IntentStatus::Planned);
    let plan = intent.plan_id.unwrap();
    let read: PlanView = shop.api.get(&format!("/v1/plans/{plan}")).by("viewer").send().await.read(200);
    assert_eq!(read.plan.status, PlanStatus::Ready);
    assert_eq!(weir_domain::canonical::Digest::of(&read.graph).unwrap(), read.plan.graph_hash);
    assert!(shop.api.cloud.told().operations.is_empty(), "nothing runs before somebody says so");

    let run = |by: &'static str| shop.api.post(&format!("/v1/plans/{plan}/operations")).by(by).send();
    let operation: OperationView = run("alice").await.read(201);
    assert_eq!((operation.plan_id, operation.intent_id), (plan, intent.id));
    assert_eq!(run("bob").await.read::<OperationView>(200).operation_id, operation.operation_id);
    assert_eq!(run("developer").await.short(), "403 forbidden");
}

#[tokio::test]
async fn intents_are_listed_by_status_within_their_tenant() {
    let shop = Shop::open().await;
    for action in ["promote", "deploy"] {
        shop.api.post("/v1/intents").by("alice").json(&wanted(&shop, action)).send().await.expect(201);
    }
    let list = async |by: &str, query: &str| {
        let page: Page<IntentView> =
            shop.api.get(&format!("/v1/intents{query}")).by(by).send().await.read(200);
        page.items.len()
    };
    assert_eq!(list("viewer", "").await, 2);
    assert_eq!(list("viewer", "?status=planned&limit=1").await, 1);
    assert_eq!(list("viewer", "?status=fulfilled").await, 0);
    assert_eq!(list("stranger", "").await, 0);
    assert_eq!(
        shop.api.get("/v1/intents?status=lost").by("viewer").send().await.short(),
        "400 invalid-query"
    );
}

#[tokio::test]
async fn an_intent_that_cannot_be_planned_is_refused() {
    let shop = Shop::open().await;
    for (change, expected) in [
        (json!({ "action": "fly" }), "422 invalid-reference"),
        (json!({ "action": "" }), "400 invalid-body"),
        (json!({ "target_resource_type": "target" }), "400 invalid-body"),
        (json!({ "desired_result": {} }), "400 invalid-body"),
        (json!({ "scenario": "scenario.gone" }), "422 invalid-reference"),
        (json!({ "customizations": { "deploy.attempts": 9 } }), "422 invalid-definition"),
        (json!({ "target_resource_id": "environment.moon" }), "422 invalid-reference"),
        (json!({ "target_resource_id": "nowhere" }), "400 invalid-body"),
        (
            json!({ "desired_result": { "release_id": "rel_01ARZ3NDEKTSV4RRFFQ69G5FAV" } }),
            "422 invalid-reference",
        ),
        (json!({ "constraints": { "source_environment": "environment.production" } }), "409 not-allowed-now"),
        (json!({ "constraints": { "sauce": "x" } }), "400 invalid-body"),
    ] {
        let mut body = wanted(&shop, "promote");
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let reply = shop.api.post("/v1/intents").by("alice").json(&body).send().await;
        assert_eq!(reply.short(), expected, "{change}");
    }
}

#[tokio::test]
async fn a_delivery_to_a_target_that_no_agent_serves_is_planned_and_cannot_be_started() {
    let shop = Shop::open().await;
    let bound: PlanView = plan_of(&shop).await;
    let reasons: Vec<_> = bound.plan.bindings.iter().map(|it| it.resolution_reason.as_str()).collect();
    assert!(reasons.contains(&"target.staging.stg-1 (agent stg-1 1.0.0): chosen"), "{reasons:?}");
    let target = json!({ "environment": "environment.staging", "target_type": "host" });
    shop.api.resource(&shop.scope, "target.staging.stg-3", target).await;
    let unbound = plan_of(&shop).await;
    assert_eq!(unbound.plan.status, PlanStatus::Unbound);
    let path = format!("/v1/plans/{}/operations", unbound.plan.plan_id);
    for refused in [
        shop.api.post(&path).by("alice").send().await,
        shop.ask("alice", shop.release, "environment.staging").await,
    ] {
        assert_eq!(refused.short(), "409 not-allowed-now");
        let told = refused.expect(409);
        assert!(
            told["detail"].as_str().unwrap().contains("target.staging.stg-3: no agent serves it"),
            "{told}"
        );
    }
}

async fn plan_of(shop: &Shop) -> PlanView {
    let wanted = wanted(shop, "promote");
    let intent: IntentView = shop.api.post("/v1/intents").by("alice").json(&wanted).send().await.read(201);
    let path = format!("/v1/plans/{}", intent.plan_id.unwrap());
    shop.api.get(&path).by("viewer").send().await.read(200)
}
