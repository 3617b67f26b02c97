use crate::fixture::Shop;
use serde_json::{Value, json};
use weir_domain::{
    engine::OperationUpdate, id::OperationId, operation::OperationStatus, plan::NodeStatus, time::Millis,
    timeline::TimelineKind,
};
use weir_edge::wire::{
    intent::IntentView,
    operation::{OperationView, Timeline},
};
use weir_testkit::api::Reply;

async fn ask(shop: &Shop, by: &str, id: OperationId, what: &str, body: Value) -> Reply {
    shop.api.post(&format!("/v1/operations/{id}/{what}")).by(by).json(&body).send().await
}

/// What the timeline tells of the whole operation
async fn told(shop: &Shop, id: OperationId) -> Vec<(TimelineKind, String)> {
    let path = format!("/v1/operations/{id}/timeline");
    let timeline: Timeline = shop.api.get(&path).by("viewer").send().await.read(200);
    let own = timeline.events.into_iter().filter(|event| event.node_id.is_none());
    own.map(|event| (event.kind, event.message)).collect()
}

#[tokio::test]
async fn a_paused_operation_begins_nothing_until_somebody_lets_it_go_on() {
    let shop = Shop::open().await;
    let id = shop.promote(shop.release, "environment.staging").await.promotion.workflow_run_id;
    for _ in 0..2 {
        let view: OperationView =
            ask(&shop, "bob", id, "pause", json!({ "reason": "lunch" })).await.read(200);
        assert_eq!((view.status, view.paused_by.as_deref()), (OperationStatus::Paused, Some("bob")));
        assert!(view.paused_at.is_some());
    }
    shop.deploy("stg-1").await;
    let nodes = shop.nodes(id).await;
    assert_eq!((nodes["deploy.stg-1"], nodes["verify.stg-1"]), (NodeStatus::Succeeded, NodeStatus::Pending));
    shop.api.clock.advance(Millis::from_secs(60));
    for _ in 0..2 {
        let view: OperationView = ask(&shop, "bob", id, "resume", json!({})).await.read(200);
        assert_eq!((view.paused_by, view.paused_at), (None, None));
        assert_ne!(view.status, OperationStatus::Paused);
    }
    assert_eq!(shop.nodes(id).await["verify.stg-1"], NodeStatus::Ready);
    let held: Vec<_> = told(&shop, id)
        .await
        .into_iter()
        .filter(|(kind, _)| matches!(kind, TimelineKind::OperationPaused | TimelineKind::OperationResumed))
        .collect();
    let once = [
        (TimelineKind::OperationPaused, "bob paused it: lunch".to_owned()),
        (TimelineKind::OperationResumed, "bob let it go on".to_owned()),
    ];
    assert_eq!(held, once, "what was so already is not told again");
    let audited = shop.audited().await;
    for action in ["bob operation.pause", "bob operation.resume"] {
        assert_eq!(audited.iter().filter(|line| *line == action).count(), 1, "{audited:?}");
    }
}

#[tokio::test]
async fn a_paused_operation_can_be_cancelled_and_then_neither_held_nor_let_go() {
    let shop = Shop::open().await;
    let id = shop.promote(shop.release, "environment.staging").await.promotion.workflow_run_id;
    let task = shop.claim("stg-1").await.remove(0);
    ask(&shop, "bob", id, "pause", json!({})).await.expect(200);
    let view: OperationView = ask(&shop, "bob", id, "cancel", json!({})).await.read(202);
    assert_eq!(view.status, OperationStatus::Cancelled);
    assert_eq!(shop.nodes(id).await["deploy.stg-2"], NodeStatus::Skipped);
    shop.report("stg-1", &task, &crate::fixture::succeeded(&task)).await.expect(200);
    shop.end(id).await;
    for what in ["pause", "resume"] {
        assert_eq!(ask(&shop, "bob", id, what, json!({})).await.short(), "409 not-allowed-now", "{what}");
    }
    assert_eq!(shop.operation(id).await.status, OperationStatus::Cancelled);
}

#[tokio::test]
async fn what_is_to_end_is_not_paused_any_more() {
    let shop = Shop::open().await;
    let id = shop.promote(shop.release, "environment.staging").await.promotion.workflow_run_id;
    shop.claim("stg-1").await;
    ask(&shop, "bob", id, "cancel", json!({})).await.expect(202);
    assert_eq!(ask(&shop, "bob", id, "pause", json!({})).await.short(), "409 not-allowed-now");
    assert_eq!(ask(&shop, "bob", id, "resume", json!({})).await.status, 200, "it is not held, as was asked");
}

#[tokio::test]
async fn only_those_who_may_hold_an_operation() {
    let shop = Shop::open().await;
    let id = shop.promote(shop.release, "environment.staging").await.promotion.workflow_run_id;
    for what in ["pause", "resume"] {
        assert_eq!(ask(&shop, "developer", id, what, json!({})).await.short(), "403 forbidden");
        assert_eq!(ask(&shop, "stranger", id, what, json!({})).await.short(), "404 not-found");
        let long = json!({ "reason": "x".repeat(501) });
        assert_eq!(ask(&shop, "bob", id, what, long).await.short(), "422 limit-exceeded");
    }
}

/// An operation whose one node runs another one, which has two steps
async fn nested(shop: &Shop) -> (OperationId, OperationId) {
    let put = async |address: &str, spec: Value| {
        shop.api.resource(&shop.scope.outer(), address, spec).await;
    };
    let check = |id: &str| json!({ "id": id, "type": "verification", "capability": "verify.http" });
    let mut second = check("second");
    second["depends_on"] = json!(["first"]);
    put("template.inner", json!({ "version": 1, "nodes": [check("first"), second] })).await;
    let get = json!({ "id": "get", "type": "job", "capability": "thing" });
    put("template.outer", json!({ "version": 1, "nodes": [get] })).await;
    for (name, provides) in [("inner", json!(["thing"])), ("outer", json!([]))] {
        let scenario = json!({
            "version": 1, "target_resource_type": "environment", "actions": [name], "provides": provides,
            "template": format!("template.{name}"), "risk_metadata": { "level": "low" },
        });
        put(&format!("scenario.{name}"), scenario).await;
    }
    let body = json!({ "action": "outer", "target_resource_id": "environment.staging" });
    let intent: IntentView = shop.api.post("/v1/intents").by("alice").json(&body).send().await.read(201);
    let path = format!("/v1/plans/{}/operations", intent.plan_id.unwrap());
    let outer: OperationView = shop.api.post(&path).by("alice").send().await.read(201);
    shop.begin(outer.operation_id).await;
    let told = shop.api.cloud.told().operations.clone();
    let inner = told.iter().map(|it| it.operation).find(|it| *it != outer.operation_id).unwrap();
    shop.begin(inner).await;
    (outer.operation_id, inner)
}

#[tokio::test]
async fn what_a_node_runs_is_held_and_let_go_with_its_operation() {
    let shop = Shop::open().await;
    let (outer, inner) = nested(&shop).await;
    ask(&shop, "bob", outer, "pause", json!({})).await.expect(200);
    let view = shop.operation(inner).await;
    assert_eq!((view.status, view.paused_by.as_deref()), (OperationStatus::Paused, Some("system:parent")));
    shop.job(inner, "first", true).await;
    assert_eq!(shop.nodes(inner).await["second"], NodeStatus::Pending, "what was handed out went on");
    let explained = shop.api.get(&format!("/v1/operations/{inner}/explain")).by("viewer").send().await;
    let commands = explained.expect(200)["commands"].clone();
    assert_eq!(commands, json!([format!("weir operation resume {outer}")]));
    ask(&shop, "bob", outer, "resume", json!({})).await.expect(200);
    assert_eq!(shop.nodes(inner).await["second"], NodeStatus::Ready);
}

#[tokio::test]
async fn what_a_person_held_is_not_let_go_with_its_parent() {
    let shop = Shop::open().await;
    let (outer, inner) = nested(&shop).await;
    ask(&shop, "bob", inner, "pause", json!({})).await.expect(200);
    for what in ["pause", "resume"] {
        ask(&shop, "alice", outer, what, json!({})).await.expect(200);
    }
    shop.job(inner, "first", true).await;
    assert_eq!(shop.nodes(inner).await["second"], NodeStatus::Pending, "bob has not let it go on");
}

#[tokio::test]
async fn a_pause_that_did_not_reach_what_a_node_runs_is_made_up_for() {
    let shop = Shop::open().await;
    let (outer, inner) = nested(&shop).await;
    let engine = shop.api.cx.engine();
    let reconcile = async || {
        shop.api.clock.advance(Millis::from_secs(61));
        engine.reconcile().await.unwrap();
    };
    // Whoever paused died before anything else.
    let pause = OperationUpdate::Pause { by: "bob".to_owned(), now: Millis(1) };
    shop.api.cx.table().operation_update(&shop.scope, outer, &pause).await.unwrap();
    reconcile().await;
    assert_eq!(shop.operation(inner).await.status, OperationStatus::Paused);
    ask(&shop, "bob", outer, "resume", json!({})).await.expect(200);
    assert_ne!(shop.operation(inner).await.status, OperationStatus::Paused);
}
