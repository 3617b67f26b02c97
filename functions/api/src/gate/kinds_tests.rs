//! Gates of every kind, asked for by policies and met by a promotion

use crate::fixture::Shop;
use serde_json::{Value, json};
use weir_domain::{
    delivery::{AttestationStatus, PromotionStatus, Version},
    gate::{Gate, GateStatus},
    id::{GateId, OperationId},
    plan::NodeStatus,
    time::Millis,
};
use weir_edge::wire::{gate::GateView, operation::WaitKind, page::Page, promotion::PromotionView};
use weir_testkit::api::Reply;

const STAGING: &str = "environment.staging";

/// A shop in which `gate` is asked for before anything is brought to `environment`
async fn guarded(shop: &Shop, environment: &str, gate: Value) {
    let policy = json!({ "kind": "gate", "environments": [environment], "gate": gate });
    shop.api.resource(&shop.scope, "policy.guard", policy).await;
}

/// A promotion to staging that meets `gate`
async fn meeting(gate: Value) -> (Shop, OperationId) {
    let shop = Shop::open().await;
    guarded(&shop, STAGING, gate).await;
    let operation = shop.promote(shop.release, STAGING).await.promotion.workflow_run_id;
    (shop, operation)
}

async fn open(shop: &Shop) -> GateId {
    let listed: Page<GateView> = shop.api.get("/v1/gates").by("viewer").send().await.read(200);
    let [gate] = listed.items.as_slice() else { panic!("{} gates are open", listed.items.len()) };
    gate.gate_id
}

async fn shown(shop: &Shop, gate: GateId) -> GateView {
    shop.api.get(&format!("/v1/gates/{gate}")).by("viewer").send().await.read(200)
}

async fn decide(shop: &Shop, by: &str, gate: GateId, comment: Option<&str>) -> Reply {
    let mut body = json!({ "action": "approved" });
    if let Some(comment) = comment {
        body["comment"] = json!(comment);
    }
    shop.api.post(&format!("/v1/gates/{gate}/decisions")).by(by).json(&body).send().await
}

async fn later(shop: &Shop, seconds: i64) {
    shop.api.clock.advance(Millis::from_secs(seconds));
    shop.api.cx.engine().reconcile().await.unwrap();
}

async fn guard(shop: &Shop, operation: OperationId) -> NodeStatus {
    shop.nodes(operation).await["gate.guard"]
}

/// How the gate failed, and what became of the promotion
async fn rejected(shop: &Shop, operation: OperationId) -> (String, Value) {
    assert_eq!(guard(shop, operation).await, NodeStatus::Failed);
    shop.end(operation).await;
    let promotions: Page<PromotionView> =
        shop.api.get("/v1/promotions?status=rejected").by("viewer").send().await.read(200);
    let promotion =
        promotions.items.into_iter().find(|it| it.promotion.workflow_run_id == operation).unwrap();
    assert_eq!(promotion.promotion.status, PromotionStatus::Rejected);
    let mut record = promotion.promotion.decision_record.into_iter();
    let outcome = record.find(|outcome| outcome.node_id.as_str() == "gate.guard").unwrap();
    (outcome.verdict.reason_codes[0].as_str().to_owned(), outcome.inputs)
}

#[tokio::test]
async fn a_manual_gate_is_opened_by_one_who_is_named_with_a_reason() {
    let manual =
        json!({ "groups": ["release-managers"], "instructions": "look at the board", "require_sod": true });
    let (shop, operation) = meeting(json!({ "manual": manual })).await;
    let gate = open(&shop).await;
    let wait = shop.operation(operation).await.waits.remove(0);
    assert_eq!((wait.kind, wait.gate_id), (WaitKind::Manual, Some(gate)));
    assert_eq!(wait.what, "somebody to open it by hand: look at the board");
    assert_eq!(wait.who, "anyone of group:release-managers but alice");
    for (by, comment, expected) in [
        ("alice", Some("mine"), "403 separation-of-duties"),
        ("operator", Some("x"), "403 not-an-approver"),
        ("bob", None, "400 invalid-body"),
    ] {
        assert_eq!(decide(&shop, by, gate, comment).await.short(), expected, "{by} {comment:?}");
    }
    let after: GateView = decide(&shop, "bob", gate, Some("all green")).await.read(201);
    let result = after.result.unwrap();
    assert_eq!((after.status, result.by.id.as_str()), (GateStatus::Allowed, "bob"));
    assert_eq!(result.inputs["decisions"][0]["comment"], "all green");
    assert_eq!(result.closure_hash, after.closure_hash);
    let nodes = shop.nodes(operation).await;
    assert_eq!((nodes["gate.guard"], nodes["deploy.stg-1"]), (NodeStatus::Succeeded, NodeStatus::Ready));
}

#[tokio::test]
async fn a_schedule_opens_at_its_time_by_itself_and_says_when() {
    let now = Shop::open().await.api.cx.engine().clock.now();
    let opens = (now + Millis::from_secs(600)).timestamp();
    let (shop, operation) = meeting(json!({ "schedule": { "not_before": opens } })).await;
    let gate = shown(&shop, open(&shop).await).await;
    assert_eq!(gate.earliest.unwrap().time().map(|at| at.millis().timestamp()), Some(opens));
    assert_eq!((gate.kind.as_str(), gate.who.as_str()), ("schedule", "nobody: it opens by itself"));
    assert_eq!(decide(&shop, "bob", gate.gate_id, Some("now")).await.short(), "409 not-allowed-now");
    later(&shop, 599).await;
    assert_eq!(guard(&shop, operation).await, NodeStatus::Waiting);
    later(&shop, 1).await;
    assert_eq!(guard(&shop, operation).await, NodeStatus::Succeeded);
}

#[tokio::test]
async fn a_dependency_is_met_by_the_end_of_the_other_operation_and_denied_by_its_failure() {
    for well in [true, false] {
        let shop = Shop::open().await;
        shop.stage(shop.release).await;
        let other = shop.promote(shop.ready("2.0.0").await, STAGING).await.promotion.workflow_run_id;
        guarded(&shop, "environment.production", json!({ "dependency": { "operation": other } })).await;
        let waits = shop.promote(shop.release, "environment.production").await.promotion.workflow_run_id;
        assert_eq!(guard(&shop, waits).await, NodeStatus::Waiting);
        if well {
            for target in ["stg-1", "stg-2"] {
                shop.deploy(target).await;
                shop.job(other, &format!("verify.{target}"), true).await;
            }
        } else {
            let engine = shop.api.cx.engine();
            engine.cancel(&shop.scope, other, "alice").await.unwrap();
        }
        // Nobody looks but who ends the other one.
        shop.end(other).await;
        if well {
            assert_eq!(guard(&shop, waits).await, NodeStatus::Succeeded);
        } else {
            // The approval beside it has been asked for; nobody has to give it any more.
            assert_eq!(shop.nodes(waits).await["approval"], NodeStatus::Failed);
            let open: Page<GateView> = shop.api.get("/v1/gates").by("viewer").send().await.read(200);
            assert_eq!(open.items, []);
            assert_eq!(rejected(&shop, waits).await.0, "dependency_failed");
        }
    }
}

#[tokio::test]
async fn a_rule_that_holds_denies_with_its_reason_and_asks_nobody() {
    let rule = json!({ "deny": "nobody promotes to staging on a whim", "when": { "actor_kinds": ["user"] } });
    let (shop, operation) = meeting(json!({ "policy": { "rules": [rule] } })).await;
    let (code, inputs) = rejected(&shop, operation).await;
    assert_eq!(code, "rule_denies");
    assert_eq!(inputs["facts"]["targets"], 2);
    assert_eq!(inputs["denied_by"]["deny"], "nobody promotes to staging on a whim");
    let view = shop.operation(operation).await;
    let error = view.nodes.into_iter().find_map(|node| node.error).unwrap();
    assert_eq!(error.message, "a gate has denied it: nobody promotes to staging on a whim");
}

#[tokio::test]
async fn what_is_not_attested_is_refused_or_waited_for() {
    let (shop, operation) = meeting(json!({ "security": { "require": ["signature"] } })).await;
    assert_eq!(rejected(&shop, operation).await.0, "attestation_missing");

    let waits = json!({ "security": { "require": ["signature"], "expires_after_s": 600 } });
    let (shop, operation) = meeting(waits).await;
    let gate = shown(&shop, open(&shop).await).await;
    assert_eq!(gate.waits_for, "missing: signature of component.web");
    let version = signed(&shop).await;
    later(&shop, 60).await;
    assert_eq!(guard(&shop, operation).await, NodeStatus::Succeeded);
    let result = shown(&shop, gate.gate_id).await.result.unwrap();
    assert_eq!(result.inputs["brought"][0]["attestations"][0]["digest"], json!(version.digest));
    assert_eq!(result.by.id, "system:gates");
}

/// The version that the shop's release brings, with a signature that is its own bytes
async fn signed(shop: &Shop) -> Version {
    let digest = weir_domain::canonical::Digest::of_bytes(b"1.0.0");
    let version: Version = serde_json::from_value(json!({
        "id": <weir_domain::id::VersionId as weir_domain::id::Id>::derived(1, "1.0.0"),
        "component_id": "component.web", "tag": "v1.0.0", "digest": digest, "size": 5, "channel": "stable",
        "created_by": "ci", "created_at": "2026-11-21T08:00:00Z",
        "attestations": [{ "kind": "signature", "digest": digest, "status": AttestationStatus::Passed,
            "by": "ci", "at": "2026-11-21T08:00:00Z" }],
    }))
    .unwrap();
    shop.api.put(&shop.scope, &version).await;
    version
}

#[tokio::test]
async fn an_environment_that_refuses_in_a_freeze_refuses_at_once() {
    let shop = Shop::open().await;
    let now = shop.api.cx.engine().clock.now();
    let window = json!({ "id": "x", "start": now.timestamp(), "end": (now + Millis::from_secs(60)).timestamp(),
        "reason": "the yearly stock-taking" });
    for (on_freeze, expected) in [("wait", NodeStatus::Waiting), ("refuse", NodeStatus::Failed)] {
        let spec = json!({ "order_index": 1, "freeze_windows": [window], "on_freeze": on_freeze });
        shop.api.resource(&shop.scope, STAGING, spec).await;
        let release = shop.ready(if on_freeze == "wait" { "3.0.0" } else { "4.0.0" }).await;
        let operation = shop.promote(release, STAGING).await.promotion.workflow_run_id;
        assert_eq!(shop.nodes(operation).await["freeze"], expected, "{on_freeze}");
    }
}

#[tokio::test]
async fn a_gate_that_nobody_decides_in_time_is_denied_as_expired() {
    let (shop, operation) = meeting(json!({ "manual": { "people": ["bob"], "expires_after_s": 60 } })).await;
    let gate = open(&shop).await;
    later(&shop, 60).await;
    let after = shown(&shop, gate).await;
    assert_eq!((after.status, after.verdict.reason_codes[0].as_str()), (GateStatus::Expired, "expired"));
    assert_eq!(decide(&shop, "bob", gate, Some("late")).await.short(), "409 gate-closed");
    assert_eq!(rejected(&shop, operation).await.0, "expired");
}

#[tokio::test]
async fn a_gate_of_an_operation_that_was_cancelled_waits_for_nobody() {
    let (shop, operation) = meeting(json!({ "manual": { "people": ["bob"] } })).await;
    let gate = open(&shop).await;
    shop.api.cx.engine().cancel(&shop.scope, operation, "alice").await.unwrap();
    shop.end(operation).await;
    let after = shown(&shop, gate).await;
    assert_eq!((after.status, after.verdict.reason_codes[0].as_str()), (GateStatus::Void, "void"));
    let key = weir_store::Key::entity(&shop.scope, <Gate as weir_store::Entity>::KIND, gate);
    assert!(shop.api.cx.table().read::<Gate>(&key).await.unwrap().unwrap().0.result.is_none());
}
