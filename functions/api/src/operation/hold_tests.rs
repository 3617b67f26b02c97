use crate::fixture::Shop;
use serde_json::{Value, json};
use weir_domain::{
    id::OperationId, operation::OperationStatus, plan::NodeStatus, time::Millis, timeline::TimelineKind,
};
use weir_edge::wire::operation::{OperationView, Timeline};
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
