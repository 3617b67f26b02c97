use crate::fixture::Shop;
use serde_json::{Value, json};
use weir_domain::{
    engine::ParentNode,
    id::{Id as _, OperationId},
    intent::IntentStatus,
    intervention::{Intervention, InterventionAction},
    operation::OperationStatus,
    plan::{NodeStatus, PlanStatus},
};
use weir_edge::wire::{
    explain::Explanation, intent::IntentView, operation::OperationView, page::Page, plan::PlanView,
};
use weir_store::Write;
use weir_testkit::api::Reply;

/// A scenario of three checks, one after the other, behind somebody's agreement
async fn checks(shop: &Shop) -> OperationId {
    let scenario = json!({
        "version": 1, "target_resource_type": "environment", "actions": ["check"], "template": "template.check",
        "risk_metadata": { "level": "low" },
    });
    let check = |id: &str, needs: &str| json!({ "id": id, "type": "verification", "capability": "verify.http", "depends_on": [needs] });
    let gate = json!({ "approval": { "required_approvals": 1, "require_sod": true } });
    let template = json!({ "version": 1, "nodes": [
        { "id": "agree", "type": "gate", "gate": gate },
        check("first", "agree"), check("second", "first"), check("third", "second"),
    ] });
    shop.api.resource(&shop.scope.outer(), "scenario.check", scenario).await;
    shop.api.resource(&shop.scope.outer(), "template.check", template).await;
    let body = json!({ "action": "check", "target_resource_id": "environment.staging" });
    let intent: IntentView = shop.api.post("/v1/intents").by("alice").json(&body).send().await.read(201);
    let path = format!("/v1/plans/{}/operations", intent.plan_id.unwrap());
    let operation: OperationView = shop.api.post(&path).by("alice").send().await.read(201);
    shop.begin(operation.operation_id).await;
    operation.operation_id
}

/// Bob agrees at the one open gate
async fn agree(shop: &Shop) {
    let gates = shop.api.get("/v1/gates?status=open").by("viewer").send().await.expect(200);
    let path = format!("/v1/gates/{}/decisions", gates["items"][0]["gate_id"].as_str().unwrap());
    shop.api.post(&path).by("bob").json(&json!({ "action": "approved" })).send().await.expect(201);
}

async fn retry(shop: &Shop, by: &str, id: OperationId) -> Reply {
    let path = format!("/v1/operations/{id}/retry");
    shop.api.post(&path).by(by).json(&json!({ "reason": "the disk is free" })).send().await
}

/// The operation of `checks`, whose second check has failed
async fn failed(shop: &Shop) -> OperationId {
    let id = checks(shop).await;
    agree(shop).await;
    shop.job(id, "first", true).await;
    shop.job(id, "second", false).await;
    shop.end(id).await;
    id
}

#[tokio::test]
async fn what_is_left_runs_again_behind_its_gate_and_the_failed_operation_stays_as_it_is() {
    let shop = Shop::open().await;
    let id = failed(&shop).await;
    let before = shop.operation(id).await;
    let again: OperationView = retry(&shop, "alice", id).await.read(201);
    assert_eq!((again.retry_of, again.actor.id.as_str()), (Some(id), "alice"));
    shop.begin(again.operation_id).await;
    let nodes = shop.nodes(again.operation_id).await;
    let left: Vec<_> = nodes.keys().map(String::as_str).collect();
    assert_eq!(left, ["agree", "second", "third"]);
    assert_eq!(nodes["second"], NodeStatus::Pending, "what was agreed to then is asked about anew");
    agree(&shop).await;
    shop.job(again.operation_id, "second", true).await;
    shop.job(again.operation_id, "third", true).await;
    shop.end(again.operation_id).await;
    let ended = shop.operation(again.operation_id).await;
    assert_eq!((ended.status, ended.evidence_ids.len()), (OperationStatus::Succeeded, 1));
    assert_eq!(shop.operation(id).await.nodes, before.nodes);
    let path = format!("/v1/plans/{}", again.plan_id);
    let plan: PlanView = shop.api.get(&path).by("viewer").send().await.read(200);
    assert_eq!((plan.plan.status, plan.plan.node_count), (PlanStatus::Active, 3));
    let intents: Page<IntentView> = shop.api.get("/v1/intents").by("viewer").send().await.read(200);
    let ends: Vec<_> = intents.items.iter().map(|it| (it.id == again.intent_id, it.status)).collect();
    assert!(
        ends.contains(&(true, IntentStatus::Fulfilled)) && ends.contains(&(false, IntentStatus::Rejected))
    );
    assert!(shop.audited().await.contains(&"alice operation.retry".to_owned()));
}

#[tokio::test]
async fn a_second_retry_meets_the_first_and_what_was_cancelled_is_left_undone_too() {
    let shop = Shop::open().await;
    let id = checks(&shop).await;
    let path = format!("/v1/operations/{id}/cancel");
    shop.api.post(&path).by("bob").json(&json!({})).send().await.expect(202);
    shop.end(id).await;
    let first: OperationView = retry(&shop, "alice", id).await.read(201);
    let second: OperationView = retry(&shop, "bob", id).await.read(200);
    assert_eq!(first.operation_id, second.operation_id);
    shop.begin(first.operation_id).await;
    assert_eq!(shop.nodes(first.operation_id).await.len(), 4);
}

#[tokio::test]
async fn what_cannot_be_retried_says_why_and_what_to_do_instead() {
    let shop = Shop::open().await;
    let running = checks(&shop).await;
    let told = async |by: &str, id: OperationId| -> (String, Value) {
        let reply = retry(&shop, by, id).await;
        let short = reply.short();
        let status = short[..3].parse().unwrap();
        (short, reply.expect(status))
    };
    let (short, said) = told("alice", running).await;
    assert_eq!(short, "409 not-allowed-now");
    assert!(said["detail"].as_str().unwrap().contains("has not ended yet"), "{said}");
    assert_eq!(told("developer", running).await.0, "403 forbidden");
    assert_eq!(told("stranger", running).await.0, "404 not-found");
    let staged = shop.stage(shop.release).await;
    let (short, said) = told("alice", staged).await;
    assert_eq!(short, "409 not-allowed-now");
    assert!(said["detail"].as_str().unwrap().contains("promote the release again"), "{said}");
    agree(&shop).await;
    for check in ["first", "second", "third"] {
        shop.job(running, check, true).await;
    }
    shop.end(running).await;
    let (_, said) = told("alice", running).await;
    assert!(said["detail"].as_str().unwrap().contains("left nothing undone"), "{said}");
}

async fn explain(shop: &Shop, id: OperationId) -> Explanation {
    shop.api.get(&format!("/v1/operations/{id}/explain")).by("viewer").send().await.read(200)
}

/// Why a retry is refused
async fn refused(shop: &Shop, id: OperationId) -> String {
    retry(shop, "alice", id).await.expect(409)["detail"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_a_retry_has_done_is_not_done_once_more() {
    let shop = Shop::open().await;
    let id = failed(&shop).await;
    assert_eq!(shop.operation(id).await.retried_by, None);
    let why = explain(&shop, id).await;
    assert_eq!(why.commands, [format!("weir operation retry {id}")]);
    assert!(why.failure.is_some_and(|it| it.message.contains("503 three times")));
    let first: OperationView = retry(&shop, "alice", id).await.read(201);
    assert_eq!(shop.operation(id).await.retried_by, Some(first.operation_id));
    shop.begin(first.operation_id).await;
    agree(&shop).await;
    shop.job(first.operation_id, "second", false).await;
    shop.end(first.operation_id).await;
    let told = refused(&shop, id).await;
    let expected = format!("was retried by operation `{}`, which ended as failed", first.operation_id);
    assert!(told.contains(&expected), "{told}");

    let second: OperationView = retry(&shop, "alice", first.operation_id).await.read(201);
    shop.begin(second.operation_id).await;
    agree(&shop).await;
    for check in ["second", "third"] {
        shop.job(second.operation_id, check, true).await;
    }
    shop.end(second.operation_id).await;
    let told = refused(&shop, first.operation_id).await;
    assert!(told.contains(&format!("operation `{}` has done the rest", second.operation_id)), "{told}");
    assert_eq!(shop.operation(second.operation_id).await.status, OperationStatus::Succeeded);
}

/// A scenario that makes something, which may be done once only, and looks at it
async fn making(shop: &Shop, once: bool) {
    let put = async |address: &str, spec: Value| {
        shop.api.resource(&shop.scope.outer(), address, spec).await;
    };
    let with = json!({ "method": "POST", "url": "https://x.example.org", "outputs": { "id": "/id" } });
    put("job.make", json!({ "capability": "http.call", "idempotent": !once, "with": with })).await;
    let template = json!({
        "version": 1, "outputs": { "made": "make.id" },
        "nodes": [
            { "id": "make", "type": "job", "job": "job.make" },
            { "id": "look", "type": "verification", "capability": "verify.http", "depends_on": ["make"] },
        ],
    });
    put("template.make", template).await;
    let scenario = json!({
        "version": 1, "target_resource_type": "environment", "actions": ["make"], "template": "template.make",
        "provides": ["thing"], "risk_metadata": { "level": "low" },
    });
    put("scenario.make", scenario).await;
}

async fn run(shop: &Shop, action: &str) -> OperationId {
    let body = json!({ "action": action, "target_resource_id": "environment.staging" });
    let intent: IntentView = shop.api.post("/v1/intents").by("alice").json(&body).send().await.read(201);
    let path = format!("/v1/plans/{}/operations", intent.plan_id.unwrap());
    let operation: OperationView = shop.api.post(&path).by("alice").send().await.read(201);
    shop.begin(operation.operation_id).await;
    operation.operation_id
}

#[tokio::test]
async fn what_may_be_done_once_and_was_begun_is_not_retried() {
    let shop = Shop::open().await;
    making(&shop, true).await;
    let id = run(&shop, "make").await;
    shop.job(id, "make", false).await;
    shop.end(id).await;
    let told = refused(&shop, id).await;
    assert!(told.contains("`make` of operation") && told.contains("may be done only once"), "{told}");
    assert_eq!(shop.operation(id).await.retried_by, None);
    let id = run(&shop, "make").await;
    shop.job(id, "make", true).await;
    shop.job(id, "look", false).await;
    shop.end(id).await;
    let again: OperationView = retry(&shop, "alice", id).await.read(201);
    shop.begin(again.operation_id).await;
    assert_eq!(shop.nodes(again.operation_id).await.keys().collect::<Vec<_>>(), ["look"], "it is done");
}

#[tokio::test]
async fn an_operation_of_a_node_that_did_something_once_is_not_run_again_either() {
    let shop = Shop::open().await;
    making(&shop, true).await;
    let nodes = json!([{ "id": "get", "type": "job", "capability": "thing" }]);
    shop.api.resource(&shop.scope.outer(), "template.outer", json!({ "version": 1, "nodes": nodes })).await;
    let outer = json!({
        "version": 1, "target_resource_type": "environment", "actions": ["outer"], "template": "template.outer",
        "risk_metadata": { "level": "low" },
    });
    shop.api.resource(&shop.scope.outer(), "scenario.outer", outer).await;
    let id = run(&shop, "outer").await;
    let told = shop.api.cloud.told().operations.clone();
    let child = told.iter().map(|it| it.operation).find(|it| *it != id).unwrap();
    shop.begin(child).await;
    let why = explain(&shop, id).await;
    let [obstacle] = why.waits.as_slice() else { panic!("{why:?}") };
    assert_eq!(obstacle.wait.operation_id, Some(child));
    assert_eq!(why.commands, [format!("weir explain {child}")]);
    shop.job(child, "make", true).await;
    shop.job(child, "look", false).await;
    shop.end(child).await;
    shop.end(id).await;
    let told = refused(&shop, id).await;
    assert!(told.contains("`get.make` of operation"), "{told}");
}

#[tokio::test]
async fn a_person_does_not_have_a_node_tried_again_whose_operation_did_something_once() {
    for once in [true, false] {
        let shop = Shop::open().await;
        making(&shop, once).await;
        let nodes = json!([
            { "id": "get", "type": "job", "capability": "thing", "on_failure": "pause" },
            { "id": "see", "type": "verification", "capability": "verify.http", "depends_on": ["get"] },
        ]);
        let template = json!({ "version": 1, "nodes": nodes });
        shop.api.resource(&shop.scope.outer(), "template.outer", template).await;
        let outer = json!({
            "version": 1, "target_resource_type": "environment", "actions": ["outer"], "template": "template.outer",
            "risk_metadata": { "level": "low" },
        });
        shop.api.resource(&shop.scope.outer(), "scenario.outer", outer).await;
        let id = run(&shop, "outer").await;
        let told = shop.api.cloud.told().operations.clone();
        let child = told.iter().map(|it| it.operation).find(|it| *it != id).unwrap();
        shop.begin(child).await;
        shop.job(child, "make", true).await;
        shop.job(child, "look", false).await;
        shop.end(child).await;
        let open: Page<Intervention> = shop.api.get("/v1/interventions").by("viewer").send().await.read(200);
        let mut asked = open.items.into_iter().next().unwrap();
        assert_eq!(asked.may.contains(&InterventionAction::Retry), !once, "{asked:?}");
        // One that was opened before anybody looked at what the operation did.
        asked.may = vec![InterventionAction::Retry, InterventionAction::MarkDone];
        let path = format!("/v1/interventions/{}/decisions", asked.intervention_id);
        shop.api.put(&shop.scope, &asked).await;
        let said = shop.api.post(&path).by("alice").json(&json!({ "action": "retry" })).send().await;
        assert_eq!(said.short() == "201", !once, "{}", said.short());
    }
}

#[tokio::test]
async fn a_retry_gives_what_was_given_before_it_too() {
    let shop = Shop::open().await;
    making(&shop, false).await;
    let id = run(&shop, "make").await;
    let view = shop.operation(id).await;
    let make = view.nodes.iter().find(|node| node.node_id.as_str() == "make").unwrap();
    shop.api.cx.ledger().outputs_put(id, make.ordinal, 1, br#"{"id":"t-7"}"#.to_vec()).await.unwrap();
    shop.job(id, "make", true).await;
    shop.job(id, "look", false).await;
    shop.end(id).await;
    let again: OperationView = retry(&shop, "alice", id).await.read(201);
    shop.begin(again.operation_id).await;
    shop.job(again.operation_id, "look", true).await;
    shop.end(again.operation_id).await;
    let outputs = shop.operation(again.operation_id).await.outputs;
    assert_eq!(Value::Object(outputs), json!({ "made": "t-7" }));
}

#[tokio::test]
async fn an_operation_is_retried_after_what_follows_from_its_end_and_not_where_another_one_decides() {
    let shop = Shop::open().await;
    let id = checks(&shop).await;
    agree(&shop).await;
    shop.job(id, "first", true).await;
    shop.job(id, "second", false).await;
    shop.end_segments(id).await;
    assert_eq!(shop.operation(id).await.status, OperationStatus::Failed);
    let refused = async |id: OperationId| -> String {
        let said = retry(&shop, "alice", id).await.expect(409);
        said["detail"].as_str().unwrap().to_owned()
    };
    assert!(refused(id).await.contains("what follows from the end"), "it holds its lock still");
    shop.end(id).await;
    let table = shop.api.cx.table();
    let mut part = table.operation_get(&shop.scope, id).await.unwrap().unwrap();
    part.info.operation_id = OperationId::derived(2, "part");
    part.info.parent = Some(ParentNode { operation: id, ordinal: 2, attempt: 1 });
    let part_id = part.info.operation_id;
    table.transact(&[Write::CreateOperation(Box::new(part))]).await.unwrap();
    assert!(refused(part_id).await.contains(&format!("run by a node of operation `{id}`")));
    retry(&shop, "alice", id).await.expect(201);
}
