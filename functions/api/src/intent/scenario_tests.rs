//! Scenarios of any kind, from an intent to the end of their operation

use crate::fixture::Shop;
use serde_json::{Value, json};
use weir_domain::{
    id::OperationId,
    operation::{OperationStatus, OperationType},
    plan::{BindingStatus, NodeStatus, PlanContext, PlanStatus},
};
use weir_edge::wire::{
    intent::{IntentPlanned, IntentView},
    operation::OperationView,
    plan::PlanView,
};

/// Puts a scenario `name` with its template into the workspace
async fn scenario(shop: &Shop, name: &str, scenario: Value, template: Value) {
    let put = async |kind: &str, mut spec: Value, more: Value| {
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        shop.api.resource(&shop.scope.outer(), &format!("{kind}.{name}"), spec).await;
    };
    let usual = json!({
        "version": 1, "target_resource_type": "environment", "actions": [name], "template": format!("template.{name}"),
    });
    put("scenario", usual, scenario).await;
    put("template", json!({ "version": 2 }), template).await;
}

/// A scenario that looks at each target, in the way that it is told to
async fn check(shop: &Shop) {
    let template = json!({
        "inputs": { "path": { "type": "string", "default": "/" }, "twice": { "type": "boolean", "default": false } },
        "nodes": [
            { "id": "look", "type": "verification", "capability": "verify.http", "for_each": "target",
              "with": { "path": "${inputs.path}" } },
            { "id": "again", "type": "verification", "capability": "verify.http", "when": "${inputs.twice}",
              "depends_on": ["look"] },
            { "id": "said", "type": "evidence", "depends_on": ["again"] },
        ],
        "editable_points": ["look.timeout_s"],
    });
    scenario(shop, "check", json!({}), template).await;
}

fn wanted(action: &str, more: &Value) -> Value {
    let mut body = json!({ "action": action, "target_resource_id": "environment.staging" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

async fn plan(shop: &Shop, body: &Value) -> PlanView {
    let intent: IntentView = shop.api.post("/v1/intents").by("developer").json(body).send().await.read(201);
    let plan = intent.plan_id.unwrap();
    shop.api.get(&format!("/v1/plans/{plan}")).by("viewer").send().await.read(200)
}

async fn run(shop: &Shop, plan: &PlanView) -> OperationId {
    let path = format!("/v1/plans/{}/operations", plan.plan.plan_id);
    let operation: OperationView = shop.api.post(&path).by("alice").send().await.read(201);
    shop.begin(operation.operation_id).await;
    operation.operation_id
}

#[tokio::test]
async fn a_scenario_is_planned_run_and_leaves_evidence() {
    let shop = Shop::open().await;
    check(&shop).await;
    let body =
        wanted("check", &json!({ "inputs": { "path": "/up" }, "customizations": { "look.timeout_s": 7 } }));
    let planned = plan(&shop, &body).await;
    assert_eq!(
        (planned.plan.status, planned.plan.operation_type),
        (PlanStatus::Ready, OperationType::ScenarioRun)
    );
    let look = planned.graph.iter().find(|node| node.node_id.as_str() == "look.stg-1").unwrap();
    let contract = look.job_contract.as_ref().unwrap();
    assert_eq!((contract.timeout_s, &contract.inputs["path"]), (7, &json!("/up")));
    assert_eq!(planned.plan.customizations[0].point, "timeout_s");
    assert!(planned.plan.bindings.iter().all(|it| it.binding_status == BindingStatus::Bound));
    assert!(shop.api.cloud.told().operations.is_empty(), "nothing runs before somebody says so");

    let operation = run(&shop, &planned).await;
    let path = format!("/v1/plans/{}/operations", planned.plan.plan_id);
    let again: OperationView = shop.api.post(&path).by("bob").send().await.read(200);
    assert_eq!(again.operation_id, operation);
    for target in ["stg-1", "stg-2"] {
        shop.job(operation, &format!("look.{target}"), true).await;
    }
    shop.end(operation).await;
    let ended = shop.operation(operation).await;
    assert_eq!(ended.status, OperationStatus::Succeeded);
    assert_eq!(ended.summary_counts["targets_succeeded"], 2);
    assert_eq!(ended.evidence_ids.len(), 2, "what its node said, and what was done");
    let intents = shop.api.get("/v1/intents?status=fulfilled").by("viewer").send().await.expect(200);
    assert_eq!(intents["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_cannot_be_planned_says_why_and_what_there_is() {
    let shop = Shop::open().await;
    check(&shop).await;
    scenario(&shop, "other", json!({ "actions": ["check"] }), json!({ "nodes": [] })).await;
    for (body, code, told) in [
        (
            wanted("check", &json!({})),
            "422 invalid-reference",
            "scenario.check, scenario.other; name one as `scenario`",
        ),
        (
            wanted("fly", &json!({})),
            "422 invalid-reference",
            "scenario.deploy does deploy, promote, rollback",
        ),
        (
            wanted("check", &json!({ "scenario": "scenario.check", "inputs": { "paht": "/" } })),
            "422 invalid-definition",
            "did you mean `path`?",
        ),
        (
            wanted(
                "check",
                &json!({ "scenario": "scenario.check", "customizations": { "look.attempts": 2 } }),
            ),
            "422 invalid-definition",
            "what may: look.timeout_s",
        ),
    ] {
        let reply = shop.api.post("/v1/intents").by("alice").json(&body).send().await;
        assert_eq!(reply.short(), code, "{body}");
        let said = reply.expect(code[..3].parse().unwrap());
        assert!(said["detail"].as_str().unwrap().contains(told), "{said}");
    }
}

#[tokio::test]
async fn what_nobody_provides_is_planned_and_cannot_be_started() {
    let shop = Shop::open().await;
    let nodes = json!([{ "id": "land", "type": "job", "capability": "moon.land" }]);
    scenario(&shop, "land", json!({}), json!({ "nodes": nodes })).await;
    let planned = plan(&shop, &wanted("land", &json!({}))).await;
    assert_eq!(planned.plan.status, PlanStatus::Unbound);
    let path = format!("/v1/plans/{}/operations", planned.plan.plan_id);
    let refused = shop.api.post(&path).by("alice").send().await;
    assert_eq!(refused.short(), "409 not-allowed-now");
    assert!(refused.expect(409)["detail"].as_str().unwrap().contains("`land` asks for `moon.land`"));
}

/// A scenario whose node is the operation of another one
async fn landing(shop: &Shop) -> (PlanView, OperationId, OperationId) {
    let nodes = json!([
        { "id": "land", "type": "job", "capability": "moon.land" },
        { "id": "after", "type": "evidence", "depends_on": ["land"] },
    ]);
    scenario(shop, "land", json!({}), json!({ "nodes": nodes })).await;
    let nodes = json!([{ "id": "touch", "type": "verification", "capability": "verify.http" }]);
    scenario(shop, "lander", json!({ "provides": ["moon.land"] }), json!({ "nodes": nodes })).await;
    let planned = plan(shop, &wanted("land", &json!({}))).await;
    let operation = run(shop, &planned).await;
    let child =
        shop.api.cloud.told().operations.iter().map(|it| it.operation).find(|it| *it != operation).unwrap();
    shop.begin(child).await;
    (planned, operation, child)
}

#[tokio::test]
async fn a_node_runs_an_operation_and_ends_with_it() {
    let shop = Shop::open().await;
    let (planned, operation, child) = landing(&shop).await;
    let [inline] = planned.sub_operations.as_slice() else { panic!("{planned:?}") };
    assert!(
        matches!(&inline.plan.context, PlanContext::Scenario(it) if it.part_of == Some(planned.plan.plan_id))
    );
    let path = format!("/v1/plans/{}/operations", inline.plan.plan_id);
    assert_eq!(shop.api.post(&path).by("alice").send().await.short(), "409 not-allowed-now");
    assert_eq!(shop.nodes(operation).await["land"], NodeStatus::Waiting);
    shop.job(child, "touch", true).await;
    shop.end(child).await;
    assert_eq!(shop.nodes(operation).await["land"], NodeStatus::Succeeded);
    shop.end(operation).await;
    assert_eq!(shop.operation(operation).await.status, OperationStatus::Succeeded);
}

#[tokio::test]
async fn a_node_fails_with_the_operation_that_it_runs() {
    let shop = Shop::open().await;
    let (_, operation, child) = landing(&shop).await;
    shop.job(child, "touch", false).await;
    shop.end(child).await;
    let nodes = shop.nodes(operation).await;
    assert_eq!((nodes["land"], nodes["after"]), (NodeStatus::Failed, NodeStatus::Skipped));
}

#[tokio::test]
async fn a_cancel_goes_through_to_the_operation_that_a_node_runs() {
    let shop = Shop::open().await;
    let (_, operation, child) = landing(&shop).await;
    let path = format!("/v1/operations/{operation}/cancel");
    shop.api.post(&path).by("alice").json(&json!({})).send().await.expect(202);
    assert_eq!(
        shop.nodes(operation).await["land"],
        NodeStatus::Waiting,
        "it waits until the other one has ended"
    );
    assert_eq!(shop.nodes(child).await["touch"], NodeStatus::Skipped);
    shop.end(child).await;
    assert_eq!(shop.operation(child).await.status, OperationStatus::Cancelled);
    shop.end(operation).await;
    assert_eq!(shop.operation(operation).await.status, OperationStatus::Cancelled);
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_and_writes_nothing() {
    let shop = Shop::open().await;
    check(&shop).await;
    shop.stage(shop.release).await;
    let before = (shop.api.table.writes(), shop.api.objects.keys());
    for (body, gates, targets) in [
        (wanted("check", &json!({})), 1, 2),
        (
            json!({
                "action": "promote", "target_resource_id": "environment.production",
                "desired_result": { "release_id": shop.release },
            }),
            3,
            2,
        ),
    ] {
        let reply = shop.api.post("/v1/intents?dry_run=true").by("developer").json(&body).send().await;
        let told: IntentPlanned = reply.read(200);
        let (plan, preview) = (told.plan.unwrap(), told.preview.unwrap());
        assert_eq!(weir_domain::canonical::Digest::of(&plan.graph).unwrap(), plan.plan.graph_hash);
        assert_eq!((preview.gates.len(), preview.blast_radius.target_count), (gates, targets), "{preview:?}");
        let path = format!("/v1/plans/{}", plan.plan.plan_id);
        assert_eq!(shop.api.get(&path).by("viewer").send().await.short(), "404 not-found");
    }
    let fly = shop
        .api
        .post("/v1/intents?dry_run=true")
        .by("developer")
        .json(&wanted("fly", &json!({})))
        .send()
        .await;
    assert_eq!(fly.short(), "422 invalid-reference");
    assert_eq!((shop.api.table.writes(), shop.api.objects.keys()), before);
    assert!(shop.api.cloud.told().operations.len() == 1, "only the one that staged the release");
}

#[tokio::test]
async fn a_dry_run_tells_who_has_to_agree() {
    let shop = Shop::open().await;
    shop.stage(shop.release).await;
    let body = json!({
        "action": "promote", "target_resource_id": "environment.production",
        "desired_result": { "release_id": shop.release },
    });
    let reply = shop.api.post("/v1/intents?dry_run=true").by("developer").json(&body).send().await;
    let preview = reply.read::<IntentPlanned>(200).preview.unwrap();
    assert_eq!(preview.quorum[0].required_approvals, 1);
    assert!(preview.blast_radius.resources.contains(&"service.shop".parse().unwrap()));
    assert!(preview.missing.is_empty());
}
