//! Whether a run is alive, and who ended it

use crate::fixture::Shop;
use serde_json::{Value, json};
use weir_domain::{
    failure::FailureSummary,
    id::OperationId,
    operation::{Freshness, OperationStatus, RunOutcome},
    plan::NodeStatus,
    time::Millis,
};
use weir_edge::wire::operation_run::OperationRun;
use weir_orchestration::{Clock as _, Outcome, Reported};
use weir_store::NodeKey;

async fn run(shop: &Shop, id: OperationId) -> OperationRun {
    shop.api.get(&format!("/v1/operation-runs/{id}")).by("viewer").send().await.read(200)
}

async fn promote(shop: &Shop) -> OperationId {
    shop.promote(shop.release, "environment.staging").await.promotion.workflow_run_id
}

async fn key(shop: &Shop, operation: OperationId, name: &str) -> NodeKey {
    let view = shop.operation(operation).await;
    let node = view.nodes.iter().find(|node| node.node_id.as_str() == name).unwrap();
    NodeKey::new(&shop.scope, operation, node.ordinal)
}

/// A deployment that may take three hours
async fn slow(shop: &Shop) {
    let template = json!({ "version": 2, "nodes": [
        { "id": "deploy", "type": "job", "capability": "deploy.host", "for_each": "target", "timeout_s": 10_800 },
    ]});
    shop.api.resource(&shop.scope, "template.deploy-host", template).await;
}

#[tokio::test]
async fn who_shows_that_he_lives_is_not_stale_however_long_it_takes() {
    let shop = Shop::open().await;
    slow(&shop).await;
    let operation = promote(&shop).await;
    shop.claim("stg-1").await;
    let key = key(&shop, operation, "deploy.stg-1").await;
    for _ in 0..800 {
        shop.api.clock.advance(Millis::from_secs(6));
        shop.api.cx.engine().heartbeat(&key, 1).await.unwrap().unwrap();
    }
    let alive = run(&shop, operation).await;
    assert_eq!(alive.freshness, Freshness::FreshActive);
    assert!(alive.updated_at.millis() <= shop.api.clock.now(), "a lease is no move");
    shop.api.clock.advance(Millis::from_secs(3_700));
    assert_eq!(run(&shop, operation).await.freshness, Freshness::LikelyStale);
}

#[tokio::test]
async fn what_nobody_has_begun_is_stale_unless_it_waits_for_an_agent_or_for_its_turn() {
    let shop = Shop::open().await;
    let operation = promote(&shop).await;
    let later = Millis::from_secs(3_700);
    shop.api.clock.advance(later);
    assert_eq!(run(&shop, operation).await.freshness, Freshness::FreshActive, "an agent has yet to come");
    shop.deploy("stg-1").await;
    assert_eq!(shop.nodes(operation).await["verify.stg-1"], NodeStatus::Ready);
    assert_eq!(run(&shop, operation).await.freshness, Freshness::FreshActive);
    shop.api.clock.advance(later);
    let stuck = run(&shop, operation).await;
    assert_eq!(stuck.freshness, Freshness::LikelyStale, "no worker took it: {:?}", stuck.status);
    let mut copy = shop.api.cx.table().operation_get(&shop.scope, operation).await.unwrap().unwrap();
    copy.info.operation_id = weir_domain::id::Id::new(shop.api.clock.now().0, 99);
    copy.status = OperationStatus::Queued;
    let id = copy.info.operation_id;
    shop.api.cx.table().transact(&[weir_store::Write::CreateOperation(Box::new(copy))]).await.unwrap();
    assert_eq!(run(&shop, id).await.freshness, Freshness::FreshActive, "it waits for its turn");
}

#[tokio::test]
async fn a_time_limit_that_a_holder_reports_is_not_taken_for_housekeeping() {
    let shop = Shop::open().await;
    slow(&shop).await;
    for code in ["attempt_timed_out", "deadline_passed", "lease_expired"] {
        let operation = promote(&shop).await;
        shop.claim("stg-1").await;
        let (key, engine) = (key(&shop, operation, "deploy.stg-1").await, shop.api.cx.engine());
        let failed = || {
            let error = FailureSummary::from_outside(code, "it took too long");
            Outcome::Failed { error, retryable: false }
        };
        let first = engine.report(&key, 1, failed(), "agent/1".to_owned()).await.unwrap();
        assert!(matches!(first, Reported::Accepted(_)), "{first:?}");
        assert_eq!(shop.nodes(operation).await["deploy.stg-1"], NodeStatus::Failed);
        shop.end(operation).await;
        let ended = run(&shop, operation).await;
        assert_eq!(ended.failure_summary[0].code, code);
        assert_eq!(
            (ended.outcome, ended.freshness, ended.reconciled),
            (RunOutcome::Failed, Freshness::Terminal, false),
            "{code}"
        );
    }
}

#[tokio::test]
async fn a_name_that_is_an_address_is_shown_as_it_is() {
    let shop = Shop::open().await;
    let operation = promote(&shop).await;
    let mut copy = shop.api.cx.table().operation_get(&shop.scope, operation).await.unwrap().unwrap();
    copy.info.operation_id = weir_domain::id::Id::new(shop.api.clock.now().0, 99);
    copy.info.actor.id = "alice@example.io".to_owned();
    let id = copy.info.operation_id;
    shop.api.cx.table().transact(&[weir_store::Write::CreateOperation(Box::new(copy))]).await.unwrap();
    assert_eq!(run(&shop, id).await.initiator_name, "alice@example.io");
}

#[tokio::test]
async fn a_page_that_is_filtered_is_filled_from_further_down() {
    let shop = Shop::open().await;
    let oldest = shop.stage(shop.release).await;
    let stored = shop.api.cx.table().operation_get(&shop.scope, oldest).await.unwrap().unwrap();
    for number in 0..130 {
        shop.api.clock.advance(Millis(5));
        let mut copy = stored.clone();
        copy.info.operation_id = weir_domain::id::Id::new(shop.api.clock.now().0, number);
        copy.info.operation_type = weir_domain::operation::OperationType::ScenarioRun;
        copy.status = weir_domain::operation::OperationStatus::Running;
        shop.api.cx.table().transact(&[weir_store::Write::CreateOperation(Box::new(copy))]).await.unwrap();
    }
    let ids = async |path: &str, field: &str| -> Vec<Value> {
        let page: Value = shop.api.get(path).by("viewer").send().await.expect(200);
        page["items"].as_array().unwrap().iter().map(|it| it[field].clone()).collect()
    };
    let only = vec![json!(oldest)];
    assert_eq!(ids("/v1/workflow-runs?kind=Promote&limit=10", "id").await, only);
    assert_eq!(ids("/v1/operation-runs?type=promote&limit=10", "id").await, only);
    let waiting = shop.promote(shop.release, "environment.production").await.promotion.workflow_run_id;
    for number in 0..130 {
        shop.api.clock.advance(Millis(5));
        let mut copy = stored.clone();
        copy.info.operation_id = weir_domain::id::Id::new(shop.api.clock.now().0, number);
        copy.status = weir_domain::operation::OperationStatus::Running;
        shop.api.cx.table().transact(&[weir_store::Write::CreateOperation(Box::new(copy))]).await.unwrap();
    }
    assert_eq!(
        ids("/v1/operations?status=waiting_gate&limit=10", "operation_id").await,
        [json!(waiting)],
        "behind 130 that run"
    );
}
