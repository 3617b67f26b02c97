use crate::fixture::{Shop, succeeded};
use serde_json::{Value, json};
use weir_domain::{
    id::OperationId,
    intervention::{Intervention, InterventionCause, InterventionStatus},
    operation::OperationStatus,
    plan::NodeStatus,
};
use weir_edge::wire::{
    operation::{OperationView, WaitKind},
    page::Page,
    workflow::StepRun,
};
use weir_testkit::api::Reply;

/// A template that deploys, and waits for a person where that fails; with a manual step before, if `manual`
fn template(manual: bool) -> Value {
    let deploy = json!({
        "id": "deploy", "type": "job", "capability": "deploy.host", "title": "deploy", "on_failure": "pause",
    });
    let verify = json!({
        "id": "verify", "type": "verification", "capability": "verify.http", "title": "verify",
        "on_failure": "pause", "depends_on": ["deploy"],
    });
    let recheck = json!({
        "id": "recheck", "type": "verification", "capability": "verify.http", "title": "recheck",
        "depends_on": ["verify"],
    });
    let mut nodes = vec![deploy, verify, recheck];
    if manual {
        let unplug = json!({ "id": "unplug", "type": "intervention", "title": "unplug" });
        let look = json!({
            "id": "look", "type": "verification", "capability": "verify.http", "depends_on": ["unplug"],
        });
        nodes[0]["depends_on"] = json!(["look"]);
        nodes.extend([unplug, look]);
    }
    json!({ "version": 9, "nodes": nodes })
}

/// A promotion to staging by a template in which people may have to help
async fn staged(manual: bool) -> (Shop, OperationId) {
    let shop = Shop::open().await;
    shop.api.resource(&shop.scope.outer(), "template.deploy-host", template(manual)).await;
    let id = shop.promote(shop.release, "environment.staging").await.promotion.workflow_run_id;
    (shop, id)
}

async fn fail(shop: &Shop, agent: &str) {
    let task = shop.claim(agent).await.remove(0);
    let report = json!({
        "attempt": task.attempt, "status": "failed", "logs": "", "started_at": "2026-11-21T08:00:00Z",
        "finished_at": "2026-11-21T08:00:02Z",
        "error": { "code": "disk_full", "message": "no space left", "retryable": false },
    });
    for _ in 0..2 {
        shop.report(agent, &task, &report).await.expect(200);
    }
}

async fn open(shop: &Shop) -> Vec<Intervention> {
    shop.api.get("/v1/interventions").by("viewer").send().await.read::<Page<Intervention>>(200).items
}

async fn decide(shop: &Shop, by: &str, intervention: &Intervention, body: Value) -> Reply {
    let path = format!("/v1/interventions/{}/decisions", intervention.intervention_id);
    shop.api.post(&path).by(by).json(&body).send().await
}

#[tokio::test]
async fn a_failed_node_waits_for_a_person_who_has_it_tried_again() {
    let (shop, id) = staged(false).await;
    fail(&shop, "stg-1").await;
    let [asked] = open(&shop).await.try_into().unwrap();
    assert_eq!((asked.operation_id, asked.cause), (id, InterventionCause::Failed));
    assert_eq!(asked.error.as_ref().unwrap().code, "disk_full");
    let view = shop.operation(id).await;
    assert_eq!(view.status, OperationStatus::WaitingIntervention);
    let wait = &view.waits[0];
    assert_eq!((wait.kind, wait.intervention_id), (WaitKind::Intervention, Some(asked.intervention_id)));
    assert!(wait.what.contains("no space left"), "{}", wait.what);
    let command = format!("weir intervention decide {} retry|mark_done|skip", asked.intervention_id);
    assert_eq!(wait.command(), Some(command));

    let replace = json!({ "action": "replace_inputs", "inputs": { "digest": "sha256:0" } });
    assert_eq!(
        decide(&shop, "bob", &asked, replace).await.short(),
        "409 not-allowed-now",
        "it was agreed to"
    );
    assert_eq!(
        decide(&shop, "developer", &asked, json!({ "action": "retry" })).await.short(),
        "403 forbidden"
    );
    assert_eq!(
        decide(&shop, "stranger", &asked, json!({ "action": "retry" })).await.short(),
        "404 not-found"
    );
    let body = json!({ "action": "retry", "comment": "space made", "graph_hash": asked.graph_hash });
    let decided: Intervention = decide(&shop, "bob", &asked, body).await.read(201);
    assert_eq!(decided.status, InterventionStatus::Decided);
    assert_eq!(
        decide(&shop, "bob", &asked, json!({ "action": "skip" })).await.short(),
        "409 already-decided"
    );
    let audited = shop.audited().await;
    assert!(audited.contains(&"bob intervention.decide".to_owned()), "{audited:?}");

    assert_eq!(open(&shop).await, []);
    let task = shop.deploy("stg-1").await;
    assert_eq!(task.attempt, 2);
    assert_eq!(shop.nodes(id).await["verify.stg-1"], NodeStatus::Ready);
}

#[tokio::test]
async fn what_was_done_or_skipped_by_hand_is_verified_before_anything_else() {
    for (action, status) in [("mark_done", NodeStatus::Succeeded), ("skip", NodeStatus::Skipped)] {
        for is_well in [true, false] {
            let (shop, id) = staged(false).await;
            fail(&shop, "stg-1").await;
            let asked = open(&shop).await.remove(0);
            decide(&shop, "bob", &asked, json!({ "action": action })).await.expect(201);
            let nodes = shop.nodes(id).await;
            assert_eq!(
                (nodes["deploy.stg-1"], nodes["verify.stg-1"]),
                (status, NodeStatus::Ready),
                "{action}"
            );
            assert_eq!(
                nodes["deploy.stg-2"],
                NodeStatus::Pending,
                "the next batch waits for the verification"
            );
            shop.job(id, "verify.stg-1", true).await;
            shop.job(id, "recheck.stg-1", is_well).await;
            let next = if is_well { NodeStatus::Ready } else { NodeStatus::Skipped };
            assert_eq!(shop.nodes(id).await["deploy.stg-2"], next, "{action} {is_well}");
        }
    }
}

#[tokio::test]
async fn inputs_that_a_person_replaces_are_what_the_next_attempt_is_given() {
    let (shop, id) = staged(false).await;
    shop.deploy("stg-1").await;
    shop.job(id, "verify.stg-1", false).await;
    let asked = open(&shop).await.remove(0);
    assert!(asked.replaceable.contains(&"path".to_owned()), "{:?}", asked.replaceable);
    let command = shop.operation(id).await.waits[0].command().unwrap();
    assert!(command.ends_with(" retry|mark_done|skip|replace_inputs"), "{command}");
    for (inputs, expected) in [
        (json!({}), "400 invalid-body"),
        (json!({ "nonsense": 1 }), "400 invalid-body"),
        (json!({ "path": { "password": "x" } }), "400 invalid-body"),
        (json!({ "path": "/".repeat(20_000) }), "422 limit-exceeded"),
    ] {
        let body = json!({ "action": "replace_inputs", "inputs": inputs });
        assert_eq!(decide(&shop, "bob", &asked, body).await.short(), expected, "{inputs}");
    }
    let body = json!({ "action": "replace_inputs", "inputs": { "path": "/other" } });
    decide(&shop, "bob", &asked, body).await.expect(201);
    let view = shop.operation(id).await;
    let verify = view.nodes.iter().find(|node| node.node_id.as_str() == "verify.stg-1").unwrap();
    assert_eq!((verify.status, verify.attempt), (NodeStatus::Ready, 2));
    let engine = shop.api.cx.engine();
    let key = weir_store::NodeKey::new(&shop.scope, id, verify.ordinal);
    let node = shop.api.cx.table().node_get(&key).await.unwrap().unwrap();
    let operation = shop.api.cx.table().operation_get(&shop.scope, id).await.unwrap().unwrap();
    let graph = engine.graph_of(&operation).await.unwrap();
    let planned = graph.node(verify.ordinal).unwrap().job_contract.clone().unwrap();
    let given = engine.contract_of(&shop.scope, &node, &planned).await.unwrap();
    assert_eq!(given.inputs["path"], "/other");
    assert_eq!(given.inputs["digest"], planned.inputs["digest"], "the others stay as planned");
    // It fails again: who is asked now sees what was replaced, and may replace it again.
    shop.job(id, "verify.stg-1", false).await;
    let again = open(&shop).await.remove(0);
    assert_eq!((again.attempt, &again.inputs["path"]), (2, &json!("/other")));
    // Each attempt is shown with what it was given, whatever the ones after it were given.
    let body = json!({ "action": "replace_inputs", "inputs": { "path": "/third" } });
    decide(&shop, "bob", &again, body).await.expect(201);
    let path = format!("/v1/workflow-runs/{id}/steps");
    let steps: Page<StepRun> = shop.api.get(&path).by("viewer").send().await.read(200);
    let of_verify = steps.items.iter().filter(|step| step.node_id.as_str() == "verify.stg-1");
    let given: Vec<_> = of_verify.map(|step| (step.attempt_number, &step.inputs["path"])).collect();
    assert_eq!(given, [(1, &planned.inputs["path"]), (2, &json!("/other")), (3, &json!("/third"))]);
}

#[tokio::test]
async fn a_manual_step_is_done_by_a_person_and_then_looked_at() {
    let (shop, id) = staged(true).await;
    let asked = open(&shop).await.remove(0);
    assert_eq!((asked.node_id.as_str(), asked.cause), ("unplug.stg-1", InterventionCause::ManualStep));
    assert_eq!(shop.operation(id).await.status, OperationStatus::WaitingIntervention);
    assert_eq!(
        decide(&shop, "bob", &asked, json!({ "action": "retry" })).await.short(),
        "409 not-allowed-now"
    );
    decide(&shop, "bob", &asked, json!({ "action": "mark_done" })).await.expect(201);
    let nodes = shop.nodes(id).await;
    assert_eq!((nodes["unplug.stg-1"], nodes["look.stg-1"]), (NodeStatus::Succeeded, NodeStatus::Ready));
    assert_eq!(nodes["deploy.stg-1"], NodeStatus::Pending);
    shop.job(id, "look.stg-1", true).await;
    assert_eq!(shop.nodes(id).await["deploy.stg-1"], NodeStatus::Ready);
}

#[tokio::test]
async fn what_is_cancelled_waits_for_nobody_any_more() {
    let (shop, id) = staged(false).await;
    fail(&shop, "stg-1").await;
    let asked = open(&shop).await.remove(0);
    let path = format!("/v1/operations/{id}/cancel");
    let cancelled: OperationView = shop.api.post(&path).by("bob").json(&json!({})).send().await.read(202);
    assert_eq!(cancelled.status, OperationStatus::Cancelled);
    assert_eq!(open(&shop).await, []);
    let late = decide(&shop, "bob", &asked, json!({ "action": "retry" })).await;
    assert_eq!(late.short(), "409 not-allowed-now");
    assert_eq!(shop.nodes(id).await["deploy.stg-1"], NodeStatus::Skipped);
}

#[tokio::test]
async fn an_attempt_that_was_given_up_and_ends_well_after_all_needs_nobody() {
    let (shop, id) = staged(false).await;
    let task = shop.claim("stg-1").await.remove(0);
    shop.api.clock.advance(weir_domain::time::Millis::from_secs(60));
    shop.api.cx.engine().reconcile().await.unwrap();
    let asked = open(&shop).await.remove(0);
    assert_eq!(asked.error.as_ref().unwrap().code, "lease_expired");
    shop.report("stg-1", &task, &succeeded(&task)).await.expect(200);
    assert_eq!(shop.nodes(id).await["deploy.stg-1"], NodeStatus::Succeeded);
    assert_eq!(open(&shop).await, []);
}

#[tokio::test]
async fn a_manual_step_that_nobody_does_in_its_time_fails() {
    let shop = Shop::open().await;
    let mut template = template(true);
    for node in template["nodes"].as_array_mut().unwrap() {
        if node["id"] == "unplug" {
            node["deadline_s"] = json!(3_600);
        }
    }
    shop.api.resource(&shop.scope.outer(), "template.deploy-host", template).await;
    let id = shop.promote(shop.release, "environment.staging").await.promotion.workflow_run_id;
    let later = async |seconds: i64| {
        shop.api.clock.advance(weir_domain::time::Millis::from_secs(seconds));
        shop.api.cx.engine().reconcile().await.unwrap();
    };
    later(3_500).await;
    assert_eq!(open(&shop).await.len(), 1, "there is time left");
    later(200).await;
    assert_eq!(open(&shop).await, []);
    let view = shop.operation(id).await;
    let node = view.nodes.iter().find(|node| node.node_id.as_str() == "unplug.stg-1").unwrap();
    assert_eq!(
        (node.status, node.error.as_ref().unwrap().code.as_str()),
        (NodeStatus::Failed, "deadline_passed")
    );
    assert_eq!(shop.nodes(id).await["deploy.stg-1"], NodeStatus::Skipped);
}

#[tokio::test]
async fn what_is_decided_before_anybody_found_the_time_to_be_over_counts() {
    let shop = Shop::open().await;
    let mut template = template(true);
    for node in template["nodes"].as_array_mut().unwrap() {
        if node["id"] == "unplug" {
            node["deadline_s"] = json!(3_600);
        }
    }
    shop.api.resource(&shop.scope.outer(), "template.deploy-host", template).await;
    let id = shop.promote(shop.release, "environment.staging").await.promotion.workflow_run_id;
    let asked = open(&shop).await.remove(0);
    shop.api.clock.advance(weir_domain::time::Millis::from_secs(3_700));
    decide(&shop, "alice", &asked, json!({ "action": "mark_done" })).await.expect(201);
    assert_eq!(shop.nodes(id).await["unplug.stg-1"], NodeStatus::Succeeded, "it was said to be");
}
