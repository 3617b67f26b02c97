use crate::fixture::Shop;
use serde_json::{Value, json};
use weir_domain::{delivery::PromotionStatus, gate::GateStatus, id::GateId, plan::NodeStatus, time::Millis};
use weir_edge::wire::{gate::GateView, page::Page};
use weir_testkit::api::Reply;

async fn decide(shop: &Shop, by: &str, gate: GateId, body: &Value) -> Reply {
    shop.api.post(&format!("/v1/gates/{gate}/decisions")).by(by).json(body).send().await
}

fn approved() -> Value {
    json!({ "action": "approved" })
}

#[tokio::test]
async fn a_gate_says_what_it_waits_for_and_opens_when_another_person_approves() {
    let shop = Shop::open().await;
    let (promotion, gate) = shop.waiting().await;
    let listed: Page<GateView> = shop.api.get("/v1/gates").by("viewer").send().await.read(200);
    let [waits] = listed.items.as_slice() else { panic!("{} gates", listed.items.len()) };
    let tally = waits.tally.unwrap();
    assert_eq!((waits.gate_id, tally.have, tally.need, waits.require_sod), (gate, 0, 1, true));
    assert_eq!(waits.eligible_groups.as_deref(), Some(&["release-managers".to_owned()][..]));
    assert_eq!(waits.promotion_id, Some(promotion.promotion.id));

    let body = json!({ "action": "approved", "comment": "looks right", "closure_hash": waits.closure_hash });
    let after: GateView = decide(&shop, "bob", gate, &body).await.read(201);
    assert_eq!((after.status, after.tally.unwrap().have), (GateStatus::Allowed, 1));
    assert_eq!(after.decisions[0].comment.as_deref(), Some("looks right"));
    let nodes = shop.nodes(promotion.promotion.workflow_run_id).await;
    assert_eq!((nodes["approval"], nodes["deploy.prd-1"]), (NodeStatus::Succeeded, NodeStatus::Ready));
    assert!(shop.audited().await.contains(&"bob gate.decide".to_owned()));
    let open: Page<GateView> = shop.api.get("/v1/gates").by("viewer").send().await.read(200);
    assert_eq!(open.items, []);
    assert_eq!(decide(&shop, "bob", gate, &approved()).await.short(), "409 gate-closed");
}

#[tokio::test]
async fn a_rejection_ends_the_promotion() {
    let shop = Shop::open().await;
    let (promotion, gate) = shop.waiting().await;
    let after: GateView = decide(&shop, "bob", gate, &json!({ "action": "rejected" })).await.read(201);
    assert_eq!(after.status, GateStatus::Denied);
    let nodes = shop.nodes(promotion.promotion.workflow_run_id).await;
    assert_eq!((nodes["approval"], nodes["deploy.prd-1"]), (NodeStatus::Failed, NodeStatus::Skipped));
}

#[tokio::test]
async fn whoever_may_not_decide_is_told_the_rule_and_the_gate_stays_open() {
    let shop = Shop::open().await;
    let (promotion, gate) = shop.waiting().await;
    let comment = json!({ "action": "approved", "comment": "x".repeat(2_001) });
    let shown =
        json!({ "action": "approved", "closure_hash": weir_domain::canonical::Digest::of_bytes(b"other") });
    for (by, body, expected) in [
        ("alice", approved(), "403 separation-of-duties"),
        ("alices-ai", approved(), "403 separation-of-duties"),
        ("operator", approved(), "403 not-an-approver"),
        ("developer", approved(), "403 forbidden"),
        ("stranger", approved(), "404 not-found"),
        ("bob", shown, "409 plan-changed"),
        ("bob", comment, "422 limit-exceeded"),
        ("bob", json!({ "action": "maybe" }), "400 invalid-body"),
        ("bob", json!({ "action": "approved", "force": true }), "400 invalid-body"),
    ] {
        assert_eq!(decide(&shop, by, gate, &body).await.short(), expected, "{by} {body}");
    }
    let refused = decide(&shop, "alice", gate, &approved()).await;
    assert_eq!(
        refused.body["detail"],
        format!(
            "`alice` requested promotion `{}` and `alice` may not decide on it; anyone of group:release-managers but alice may",
            promotion.promotion.id
        )
    );
    assert!(shop.audited().await.contains(&"alice gate.decide (refused)".to_owned()));
    let missing: GateId = "gat_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap();
    assert_eq!(decide(&shop, "bob", missing, &approved()).await.short(), "404 not-found");
    let path = format!("/v1/gates/{}/decisions", promotion.promotion.id);
    assert_eq!(shop.api.post(&path).by("bob").json(&approved()).send().await.short(), "400 invalid-id");
    assert_eq!(shop.nodes(promotion.promotion.workflow_run_id).await["approval"], NodeStatus::Waiting);
}

#[tokio::test]
async fn one_person_decides_once_and_two_are_asked_for() {
    let shop = Shop::open().await;
    let policy = json!({
        "kind": "approval", "required_approvals": 2, "eligible_groups": ["release-managers"], "require_sod": true,
    });
    shop.api.resource(&shop.scope, "policy.release-managers", policy).await;
    let (promotion, gate) = shop.waiting().await;
    let first: GateView = decide(&shop, "bob", gate, &approved()).await.read(201);
    assert_eq!((first.status, first.tally.unwrap().have), (GateStatus::Open, 1));
    assert_eq!(decide(&shop, "bob", gate, &approved()).await.short(), "409 already-decided");
    let waits = shop.operation(promotion.promotion.workflow_run_id).await.waits;
    assert_eq!(waits[0].what, "approvals 1 of 2");
    let second: GateView = decide(&shop, "release_manager", gate, &approved()).await.read(201);
    assert_eq!(second.status, GateStatus::Allowed);
}

#[tokio::test]
async fn the_same_key_decides_once_and_gets_its_answer_again() {
    let shop = Shop::open().await;
    let (_, gate) = shop.waiting().await;
    let path = format!("/v1/gates/{gate}/decisions");
    let send = || shop.api.post(&path).key("once").by("bob").json(&approved()).send();
    let (first, second) = (send().await, send().await);
    assert_eq!((first.status, &first.body), (201, &second.body));
}

#[tokio::test]
async fn nobody_decides_too_late() {
    let shop = Shop::open().await;
    let (promotion, gate) = shop.waiting().await;
    shop.api.clock.advance(Millis::from_secs(86_400));
    assert_eq!(decide(&shop, "bob", gate, &approved()).await.short(), "409 gate-expired");
    shop.api.cx.engine().reconcile().await.unwrap();
    assert_eq!(shop.nodes(promotion.promotion.workflow_run_id).await["approval"], NodeStatus::Failed);
    let ended: Page<GateView> = shop.api.get("/v1/gates?status=expired").by("viewer").send().await.read(200);
    assert_eq!(ended.items[0].gate_id, gate);
    assert_ne!(promotion.promotion.status, PromotionStatus::Deployed);
}
