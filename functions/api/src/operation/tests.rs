use crate::fixture::Shop;
use serde_json::{Value, json};
use weir_domain::{
    operation::{Freshness, OperationStatus, RunOutcome, RunStatus},
    plan::NodeStatus,
    time::Millis,
};
use weir_edge::wire::{
    operation::{OperationView, Timeline, WaitKind},
    page::Page,
};

#[tokio::test]
async fn an_operation_tells_what_it_waits_for_and_who_can_end_that() {
    let shop = Shop::open().await;
    let (promotion, gate) = shop.waiting().await;
    let waiting = shop.operation(promotion.promotion.workflow_run_id).await;
    assert_eq!((waiting.status, waiting.run_status), (OperationStatus::WaitingGate, RunStatus::Running));
    assert_eq!((waiting.outcome, waiting.freshness), (RunOutcome::Pending, Freshness::FreshActive));
    assert_eq!(
        (waiting.title.as_str(), waiting.initiator_name.as_str()),
        ("shop 1.0.0 → production", "alice")
    );
    assert_eq!(waiting.tenant_id.as_ref().unwrap().as_str(), "acme");
    let [wait] = waiting.waits.as_slice() else { panic!("{:?}", waiting.waits) };
    assert_eq!(
        (wait.kind, wait.gate_id, wait.what.as_str()),
        (WaitKind::Approval, Some(gate), "approvals 0 of 1")
    );
    assert_eq!(wait.who, "anyone of group:release-managers but alice");
    assert!(wait.until.is_some(), "the policy lets it expire");
    let deploy = waiting.nodes.iter().find(|node| node.node_id.as_str() == "deploy.prd-2").unwrap();
    assert_eq!(deploy.depends_on.iter().map(ToString::to_string).collect::<Vec<_>>(), ["freeze-2"]);
    assert_eq!((deploy.batch, deploy.status), (Some(2), NodeStatus::Pending));
}

#[tokio::test]
async fn a_node_that_no_agent_has_claimed_names_the_agent_and_how_it_is() {
    let shop = Shop::open().await;
    let operation = shop.promote(shop.release, "environment.staging").await.promotion.workflow_run_id;
    let waits = shop.operation(operation).await.waits;
    assert_eq!((waits.len(), waits[0].kind), (1, WaitKind::Agent));
    assert_eq!(waits[0].what, "an agent of `target.staging.stg-1` to claim it");
    assert!(waits[0].who.starts_with("agent `stg-1` (agt_") && waits[0].who.ends_with("which is online"));
    // Whoever looks may have begun to before the node was claimed.
    shop.api.clock.advance(Millis(-1));
    assert_eq!(shop.operation(operation).await.waits[0].kind, WaitKind::Agent);
    shop.api.clock.advance(Millis::from_secs(3_600));
    assert!(shop.operation(operation).await.waits[0].who.ends_with("which is offline"));
}

#[tokio::test]
async fn a_freeze_window_is_waited_for_until_it_ends() {
    let shop = Shop::open().await;
    let environment = json!({
        "order_index": 1,
        "freeze_windows": [{
            "id": "year-end", "start": "2026-11-20T00:00:00Z", "end": "2026-11-22T00:00:00Z",
            "reason": "year end", "exceptions": ["group:oncall"], "created_by": "bob",
        }],
    });
    shop.api.resource(&shop.scope, "environment.staging", environment).await;
    let operation = shop.promote(shop.release, "environment.staging").await.promotion.workflow_run_id;
    let view = shop.operation(operation).await;
    assert_eq!(view.status, OperationStatus::WaitingGate);
    assert_eq!(view.waits[0].what, "freeze window year-end to end: year end");
    assert_eq!(view.waits[0].until.unwrap().to_string(), "2026-11-22T00:00:00.000Z");
    assert!(view.waits[0].who.contains("group:oncall"), "{}", view.waits[0].who);
}

#[tokio::test]
async fn operations_are_listed_by_what_they_show() {
    let shop = Shop::open().await;
    let (promotion, _) = shop.waiting().await;
    let list = async |by: &str, query: &str| {
        let page: Page<OperationView> =
            shop.api.get(&format!("/v1/operations{query}")).by(by).send().await.read(200);
        page.items.into_iter().map(|view| (view.operation_id, view.status.as_str())).collect::<Vec<_>>()
    };
    let id = promotion.promotion.workflow_run_id;
    assert_eq!(list("viewer", "?status=waiting_gate").await, [(id, "waiting_gate")]);
    assert_eq!(list("viewer", "?status=running&status=succeeded").await.len(), 1);
    assert_eq!(list("viewer", "").await.len(), 2);
    assert_eq!(list("stranger", "").await, []);
}

#[tokio::test]
async fn the_timeline_is_one_story_and_the_same_whenever_it_is_told() {
    let shop = Shop::open().await;
    let operation = shop.stage(shop.release).await;
    let tell = async || {
        let path = format!("/v1/operations/{operation}/timeline");
        shop.api.get(&path).by("viewer").send().await.read::<Timeline>(200)
    };
    let story = tell().await;
    assert_eq!(story, tell().await);
    assert!(story.events.is_sorted_by_key(|event| event.ts));
    let of_node = |name: &str| -> Vec<String> {
        let events =
            story.events.iter().filter(|event| event.node_id.as_ref().is_some_and(|id| id.as_str() == name));
        events.map(|event| event.meta["status"].as_str().unwrap().to_owned()).collect()
    };
    let mut deploy = of_node("deploy.stg-1");
    deploy.sort();
    assert_eq!(deploy, ["ready", "running", "succeeded"]);
    assert!(story.events.iter().any(|event| event.message.contains("evidence")));
}

#[tokio::test]
async fn a_cancelled_operation_begins_nothing_further() {
    let shop = Shop::open().await;
    let operation = shop.promote(shop.release, "environment.staging").await.promotion.workflow_run_id;
    let task = shop.claim("stg-1").await.remove(0);
    let path = format!("/v1/operations/{operation}/cancel");
    let cancel = |by: &'static str, body: Value| shop.api.post(&path).by(by).json(&body).send();
    assert_eq!(cancel("developer", json!({})).await.short(), "403 forbidden");
    assert_eq!(cancel("stranger", json!({})).await.short(), "404 not-found");
    assert_eq!(cancel("bob", json!({ "reason": "x".repeat(501) })).await.short(), "422 limit-exceeded");
    let asked: OperationView = cancel("bob", json!({ "reason": "wrong release" })).await.read(202);
    assert_eq!((asked.status, asked.cancel_requested), (OperationStatus::Cancelled, true));
    assert!(shop.audited().await.contains(&"bob operation.cancel".to_owned()));
    let nodes = shop.nodes(operation).await;
    assert_eq!((nodes["deploy.stg-1"], nodes["deploy.stg-2"]), (NodeStatus::Running, NodeStatus::Skipped));
    assert_eq!(cancel("alice", json!({})).await.status, 202, "asked twice while it still runs");

    shop.report("stg-1", &task, &crate::fixture::succeeded(&task)).await.expect(200);
    shop.end(operation).await;
    assert_eq!(cancel("bob", json!({})).await.short(), "409 not-allowed-now");
    let ended = shop.operation(operation).await;
    assert_eq!((ended.status, ended.outcome), (OperationStatus::Cancelled, RunOutcome::Failed));
    assert_eq!(ended.failure_summary.unwrap().code, "cancelled");
}

#[tokio::test]
async fn operations_of_others_and_those_that_are_none_are_not_there() {
    let shop = Shop::open().await;
    let promotion = shop.promote(shop.release, "environment.staging").await.promotion;
    for (by, id, expected) in [
        ("viewer", promotion.workflow_run_id.to_string(), "200"),
        ("stranger", promotion.workflow_run_id.to_string(), "404 not-found"),
        ("root", promotion.workflow_run_id.to_string(), "404 not-found"),
        ("nobody", promotion.workflow_run_id.to_string(), "403 forbidden"),
        ("viewer", "op_01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned(), "404 not-found"),
        ("viewer", promotion.id.to_string(), "400 invalid-id"),
    ] {
        for tail in ["", "/timeline"] {
            let reply = shop.api.get(&format!("/v1/operations/{id}{tail}")).by(by).send().await;
            assert_eq!(reply.short(), expected, "{by} {id}{tail}");
        }
    }
}

#[tokio::test]
async fn an_operation_that_has_ended_is_settled_once_its_evidence_is_there() {
    let shop = Shop::open().await;
    let operation = shop.promote(shop.release, "environment.staging").await.promotion.workflow_run_id;
    for target in ["stg-1", "stg-2"] {
        shop.deploy(target).await;
        shop.job(operation, &format!("verify.{target}"), true).await;
    }
    shop.api.cx.engine().segment_finish(&shop.scope, operation, 0).await.unwrap();
    let over = shop.operation(operation).await;
    assert_eq!((over.status, over.settled), (OperationStatus::Succeeded, false));
    shop.api.cx.engine().finish_operation(&shop.scope, operation).await.unwrap();
    let settled = shop.operation(operation).await;
    assert!(settled.settled && settled.evidence_ids.len() > over.evidence_ids.len(), "{settled:?}");
}
