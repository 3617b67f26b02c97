use crate::fixture::Shop;
use serde_json::json;
use weir_domain::{
    id::OperationId,
    operation::{Held, OperationStatus},
    time::Millis,
};
use weir_edge::wire::{explain::Explanation, operation::WaitKind};

async fn explain(shop: &Shop, id: OperationId) -> Explanation {
    shop.api.get(&format!("/v1/operations/{id}/explain")).by("viewer").send().await.read(200)
}

#[tokio::test]
async fn an_approval_says_who_is_missing_who_may_not_and_when_it_could_go_on() {
    let shop = Shop::open().await;
    let environment = json!({
        "order_index": 2, "required_approvals": 1, "require_sod": true,
        "freeze_windows": [{
            "id": "year-end", "start": "2026-11-20T00:00:00Z", "end": "2026-11-22T00:00:00Z",
            "reason": "year end", "exceptions": [], "created_by": "bob",
        }],
    });
    shop.api.resource(&shop.scope, "environment.production", environment).await;
    let (promotion, gate) = shop.waiting().await;
    let found = explain(&shop, promotion.promotion.workflow_run_id).await;
    assert_eq!((found.status, &found.held), (OperationStatus::WaitingGate, &None));
    let [obstacle] = found.waits.as_slice() else { panic!("{:?}", found.waits) };
    assert_eq!(obstacle.wait.kind, WaitKind::Approval);
    assert!(obstacle.excluded[0].starts_with("alice: asked for it"), "{:?}", obstacle.excluded);
    let earliest = found.earliest.unwrap();
    assert_eq!(earliest.after.iter().map(ToString::to_string).collect::<Vec<_>>(), ["approval"]);
    assert_eq!(earliest.at.to_string(), "2026-11-22T00:00:00.000Z", "the window is asked for then");
    assert_eq!(found.commands, [format!("weir approve {gate}")]);
}

#[tokio::test]
async fn a_pause_says_by_whom_and_what_lets_it_go_on() {
    let shop = Shop::open().await;
    let id = shop.promote(shop.release, "environment.staging").await.promotion.workflow_run_id;
    shop.api.post(&format!("/v1/operations/{id}/pause")).by("bob").json(&json!({})).send().await.expect(200);
    let found = explain(&shop, id).await;
    let Some(Held::Paused { by, since }) = found.held else { panic!("{:?}", found.held) };
    assert_eq!((by.as_str(), since.is_some()), ("bob", true));
    assert_eq!(found.commands, [format!("weir operation resume {id}")]);
    let earliest = found.earliest.unwrap();
    assert_eq!((earliest.node_id.as_str(), earliest.after_held), ("deploy.stg-1", true));
    shop.claim("stg-1").await;
    shop.api.post(&format!("/v1/operations/{id}/cancel")).by("bob").json(&json!({})).send().await.expect(202);
    let found = explain(&shop, id).await;
    assert!(matches!(found.held, Some(Held::Ending { .. })), "{:?}", found.held);
    assert_eq!(found.earliest, None, "nothing of it begins any more");
}

#[tokio::test]
async fn where_no_agent_is_heard_of_nothing_starts_now() {
    let shop = Shop::open().await;
    let id = shop.promote(shop.release, "environment.staging").await.promotion.workflow_run_id;
    assert!(!explain(&shop, id).await.earliest.unwrap().after_agent);
    shop.api.clock.advance(Millis::from_secs(3_600));
    let earliest = explain(&shop, id).await.earliest.unwrap();
    assert_eq!((earliest.node_id.as_str(), earliest.after_agent), ("deploy.stg-1", true));
}

#[tokio::test]
async fn what_has_ended_waits_for_nothing() {
    let shop = Shop::open().await;
    let id = shop.stage(shop.release).await;
    let found = explain(&shop, id).await;
    assert_eq!((found.waits.len(), found.earliest, found.commands.len()), (0, None, 0));
    assert_eq!(
        shop.api.get(&format!("/v1/operations/{id}/explain")).by("stranger").send().await.short(),
        "404 not-found"
    );
}
