//! Intents that nothing runs yet: planned again, and taken back

use crate::{
    cli_tests::Server,
    fixture::{Shop, example},
};
use serde_json::{Value, json};
use weir_domain::{
    intent::IntentStatus,
    plan::{PlanStatus, PlanStatus::Superseded},
};
use weir_edge::wire::{definition::DefinitionPlanView, intent::IntentView, plan::PlanView};
use weir_testkit::api::Reply;

async fn wanted(shop: &Shop) -> IntentView {
    let body = json!({
        "action": "promote", "target_resource_id": "environment.staging",
        "desired_result": { "release_id": shop.release }, "customizations": { "deploy.timeout_s": 300 },
    });
    shop.api.post("/v1/intents").by("developer").json(&body).send().await.read(201)
}

async fn plan_of(shop: &Shop, intent: &IntentView) -> PlanView {
    let path = format!("/v1/plans/{}", intent.plan_id.unwrap());
    shop.api.get(&path).by("viewer").send().await.read(200)
}

async fn ask(shop: &Shop, by: &str, intent: &IntentView, verb: &str, body: &Value) -> Reply {
    shop.api.post(&format!("/v1/intents/{}/{verb}", intent.id)).by(by).json(body).send().await
}

async fn start(shop: &Shop, intent: &IntentView) -> Reply {
    let path = format!("/v1/plans/{}/operations", intent.plan_id.unwrap());
    shop.api.post(&path).by("alice").json(&json!({})).send().await
}

#[tokio::test]
async fn an_unbound_plan_is_planned_again_once_somebody_provides_what_it_misses() {
    let shop = Shop::open().await;
    let target = json!({ "environment": "environment.staging", "target_type": "host" });
    shop.api.resource(&shop.scope, "target.staging.stg-3", target).await;
    let intent = wanted(&shop).await;
    let unbound = plan_of(&shop, &intent).await.plan;
    assert_eq!(
        (unbound.status, start(&shop, &intent).await.short()),
        (PlanStatus::Unbound, "409 not-allowed-now".to_owned())
    );
    shop.api
        .resource(
            &shop.scope,
            "target.staging.stg-3",
            json!({ "environment": "environment.production", "target_type": "host" }),
        )
        .await;
    let again: IntentView = ask(&shop, "developer", &intent, "plan", &json!({})).await.read(200);
    assert_eq!((again.id, again.status), (intent.id, IntentStatus::Planned));
    assert_ne!(again.plan_id, intent.plan_id);
    assert_eq!(plan_of(&shop, &intent).await.plan.status, Superseded);
    let ready = plan_of(&shop, &again).await.plan;
    assert_eq!((ready.status, ready.intent_id), (PlanStatus::Ready, intent.id));
    assert_eq!(ready.customizations, unbound.customizations);
    assert!(shop.audited().await.contains(&"developer intent.plan".to_owned()));
    assert_eq!(start(&shop, &intent).await.short(), "409 not-allowed-now", "superseded");
    start(&shop, &again).await.expect(201);
    // What runs is what was read: neither planned again nor taken back.
    for verb in ["plan", "cancel"] {
        assert_eq!(
            ask(&shop, "developer", &again, verb, &json!({})).await.short(),
            "409 not-allowed-now",
            "{verb}"
        );
    }
}

#[tokio::test]
async fn the_same_request_again_makes_one_plan() {
    let shop = Shop::open().await;
    let intent = wanted(&shop).await;
    let path = format!("/v1/intents/{}/plan", intent.id);
    let ask = || shop.api.post(&path).by("developer").key("again").json(&json!({})).send();
    let (first, second): (IntentView, IntentView) = (ask().await.read(200), ask().await.read(200));
    assert_eq!(first.plan_id, second.plan_id);
    let all = shop.api.get("/v1/plans").by("viewer").send().await.expect(200);
    assert_eq!(all["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_plan_that_runs_others_gives_way_with_them() {
    let server = Server::start().await;
    let shop = &server.shop;
    let outer = shop.scope.outer();
    for (name, provides, capability) in
        [("inner", json!(["stone"]), "http.call"), ("cross", json!([]), "stone")]
    {
        let scenario = json!({
            "version": 1, "target_resource_type": "environment", "actions": [name], "template": format!("template.{name}"),
            "risk_metadata": { "level": "low" }, "provides": provides,
        });
        shop.api.resource(&outer, &format!("scenario.{name}"), scenario).await;
        let node = json!({ "id": "get", "type": "job", "capability": capability, "with": { "url": "https://x.example.org" } });
        shop.api
            .resource(&outer, &format!("template.{name}"), json!({ "version": 1, "nodes": [node] }))
            .await;
    }
    let body = json!({ "action": "cross", "target_resource_id": "environment.staging" });
    let intent: IntentView = shop.api.post("/v1/intents").by("alice").json(&body).send().await.read(201);
    let told = server.weir("alice", &["intent", "plan", &intent.id.to_string()]).await;
    assert_eq!(told.code, 0, "{told:?}");
    let before = plan_of(shop, &intent).await;
    assert_eq!((before.plan.status, before.sub_operations[0].plan.status), (Superseded, Superseded));
    let listed = shop.api.get("/v1/plans?status=ready").by("viewer").send().await.expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 2, "the new plan and what it runs");
}

#[tokio::test]
async fn what_is_not_wanted_any_more_cannot_be_started() {
    let server = Server::start().await;
    let shop = &server.shop;
    let intent = wanted(shop).await;
    for (by, answer) in [("viewer", "403 forbidden"), ("stranger", "404 not-found")] {
        for verb in ["plan", "cancel"] {
            assert_eq!(ask(shop, by, &intent, verb, &json!({})).await.short(), answer, "{by} {verb}");
        }
    }
    let long = json!({ "reason": "x".repeat(501) });
    assert_eq!(ask(shop, "developer", &intent, "cancel", &long).await.short(), "400 invalid-body");
    let told =
        server.weir("developer", &["intent", "cancel", &intent.id.to_string(), "-m", "too late"]).await;
    assert!(told.code == 0 && told.out.contains("cancelled"), "{told:?}");
    assert_eq!(plan_of(shop, &intent).await.plan.status, PlanStatus::Rejected);
    assert_eq!(start(shop, &intent).await.short(), "409 not-allowed-now");
    let again: IntentView = ask(shop, "developer", &intent, "cancel", &json!({})).await.read(200);
    assert_eq!(again.status, IntentStatus::Cancelled);
    assert_eq!(ask(shop, "developer", &intent, "plan", &json!({})).await.short(), "409 not-allowed-now");
    assert!(shop.audited().await.contains(&"developer intent.cancel".to_owned()));
}

#[tokio::test]
async fn a_change_of_the_definition_is_taken_back_by_those_who_may_ask_for_one() {
    let shop = Shop::open().await;
    let api = &shop.api;
    let digest = api.cx.ledger().definition_put(example().to_vec().unwrap()).await.unwrap();
    let body = json!({ "definition": digest });
    let planned: DefinitionPlanView =
        api.post("/v1/definition/plans").by("root").json(&body).send().await.read(201);
    let path = format!("/v1/plans/{}", planned.plan_id.unwrap());
    let plan: PlanView = api.get(&path).by("root").send().await.read(200);
    let path = format!("/v1/intents/{}/cancel", plan.plan.intent_id);
    let cancel = |by: &'static str| api.post(&path).by(by).json(&json!({})).send();
    let refused = cancel("root-manager").await;
    assert_eq!(refused.short(), "403 forbidden");
    assert!(refused.body["detail"].as_str().unwrap().contains("`definition:plan`"), "{}", refused.body);
    assert_eq!(cancel("root").await.read::<IntentView>(200).status, IntentStatus::Cancelled);
}
