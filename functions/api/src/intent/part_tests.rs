//! What a scenario runs counts as a part of it: how risky it is, and what it needs

use crate::fixture::Shop;
use serde_json::{Value, json};
use weir_domain::plan::{NodeStatus, PlanContext};
use weir_edge::wire::{
    intent::{IntentPlanned, IntentView},
    operation::OperationView,
    plan::PlanView,
};

async fn scenario(shop: &Shop, name: &str, more: Value, nodes: Value) {
    let scope = shop.scope.outer();
    let mut scenario = json!({ "version": 1, "target_resource_type": "environment", "actions": [name],
        "template": format!("template.{name}") });
    scenario.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    shop.api.resource(&scope, &format!("scenario.{name}"), scenario).await;
    let template = json!({ "version": 1, "nodes": nodes });
    shop.api.resource(&scope, &format!("template.{name}"), template).await;
}

/// A plan of `land`, of low risk, which runs `lander`
async fn planned(shop: &Shop, lander: Value, nodes: Value) -> PlanView {
    let land = json!([{ "id": "land", "type": "job", "capability": "moon.land" }]);
    scenario(shop, "land", json!({ "risk_metadata": { "level": "low" } }), land).await;
    scenario(shop, "lander", lander, nodes).await;
    let body = json!({ "action": "land", "target_resource_id": "environment.staging" });
    let intent: IntentView = shop.api.post("/v1/intents").by("developer").json(&body).send().await.read(201);
    let path = format!("/v1/plans/{}", intent.plan_id.unwrap());
    shop.api.get(&path).by("viewer").send().await.read(200)
}

#[tokio::test]
async fn a_scenario_of_low_risk_is_held_by_what_it_runs() {
    let touch = json!([{ "id": "touch", "type": "verification", "capability": "verify.http" }]);
    for (level, held) in [("low", false), ("high", true)] {
        let shop = Shop::open().await;
        let rule = json!({ "deny": "nobody lands here", "when": { "risk_at_least": "high" } });
        let policy = json!({ "kind": "gate", "environments": ["environment.staging"],
            "gate": { "policy": { "rules": [rule] } } });
        shop.api.resource(&shop.scope, "policy.guard", policy).await;
        let lander = json!({ "provides": ["moon.land"], "risk_metadata": { "level": level } });
        let plan = planned(&shop, lander, touch.clone()).await;
        let PlanContext::Scenario(context) = &plan.plan.context else { panic!("{plan:?}") };
        assert_eq!(json!(context.risk), level);
        let path = format!("/v1/plans/{}/operations", plan.plan.plan_id);
        let operation: OperationView = shop.api.post(&path).by("alice").send().await.read(201);
        shop.begin(operation.operation_id).await;
        let nodes = shop.nodes(operation.operation_id).await;
        assert_eq!(nodes.get("guard.gate.guard"), held.then_some(&NodeStatus::Failed), "{nodes:?}");
        assert_eq!(nodes["land"], if held { NodeStatus::Skipped } else { NodeStatus::Waiting });
        let view = shop.operation(operation.operation_id).await;
        let denied = view.nodes.into_iter().find_map(|node| node.error).map(|error| error.message);
        assert_eq!(denied.is_some_and(|it| it == "a gate has denied it: nobody lands here"), held);
    }
}

#[tokio::test]
async fn what_is_missing_in_an_operation_that_would_be_run_is_named() {
    let shop = Shop::open().await;
    let nodes = json!([{ "id": "pump", "type": "job", "capability": "moon.fuel" }]);
    let plan = planned(&shop, json!({ "provides": ["moon.land"] }), nodes).await;
    let path = format!("/v1/plans/{}/operations", plan.plan.plan_id);
    let refused = shop.api.post(&path).by("alice").send().await.expect(409);
    let detail = refused["detail"].as_str().unwrap();
    assert!(
        detail.contains("in the operation of `scenario.lander`: `pump` asks for `moon.fuel`"),
        "{detail}"
    );
}

#[tokio::test]
async fn a_delivery_that_does_more_than_deploy_is_not_said_to_be_undone() {
    let shop = Shop::open().await;
    let (scope, address) = (shop.scope.outer(), "template.deploy-host".parse().unwrap());
    let told = async || {
        let body = json!({ "action": "deploy", "target_resource_id": "environment.staging",
            "desired_result": { "release_id": shop.release } });
        let reply = shop.api.post("/v1/intents?dry_run=true").by("developer").json(&body).send().await;
        let preview = reply.read::<IntentPlanned>(200).preview.unwrap();
        (json!(preview.reversibility), preview.reversibility_reasons)
    };
    assert_eq!(told().await.0, "reversible");
    let mut template = shop.api.cx.engine().resource_spec(&scope, &address).await.unwrap().unwrap();
    let migrates = json!({ "id": "migrate", "type": "job", "capability": "http.call", "depends_on": ["verify"],
        "with": { "path": "/migrate" } });
    template["nodes"].as_array_mut().unwrap().push(migrates);
    shop.api.resource(&scope, "template.deploy-host", template).await;
    let (reversibility, reasons) = told().await;
    assert_eq!(reversibility, "irreversible");
    assert_eq!(reasons, ["nothing undoes `migrate.stg-1`", "nothing undoes `migrate.stg-2`"]);
}
