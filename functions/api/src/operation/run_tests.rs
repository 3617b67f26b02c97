use crate::fixture::Shop;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use weir_domain::{
    actor::Actor,
    id::{Id as _, OperationId},
    operation::{
        Freshness, OperationType, ReconcilePass, RepairCause, RepairEffect, RunOutcome, RunStatus, count_keys,
    },
    plan::NodeStatus,
    time::Millis,
};
use weir_edge::wire::{operation_run::OperationRun, page::Page};
use weir_orchestration::Clock as _;
use weir_store::{ActiveRun, Write};

async fn page(shop: &Shop, by: &str, query: &str) -> Page<OperationRun> {
    shop.api.get(&format!("/v1/operation-runs{query}")).by(by).send().await.read(200)
}

async fn ids(shop: &Shop, by: &str, query: &str) -> Vec<OperationId> {
    page(shop, by, query).await.items.into_iter().map(|run| run.id).collect()
}

async fn run(shop: &Shop, by: &str, id: OperationId) -> OperationRun {
    shop.api.get(&format!("/v1/operation-runs/{id}")).by(by).send().await.read(200)
}

/// Waits longer than any lease and dispatch
fn pass_leases(shop: &Shop) {
    shop.api.clock.advance(Millis::from_secs(90));
}

#[tokio::test]
async fn an_operation_is_a_run_in_the_words_of_the_ledger() {
    let shop = Shop::open().await;
    let (promotion, _) = shop.waiting().await;
    let staged = ids(&shop, "viewer", "?status=completed").await;
    let [staged] = staged.as_slice() else { panic!("{staged:?}") };
    let done = run(&shop, "viewer", *staged).await;
    assert_eq!((done.operation_type, done.status), (OperationType::Promote, RunStatus::Completed));
    assert_eq!(
        (done.outcome, done.freshness, done.reconciled),
        (RunOutcome::Succeeded, Freshness::Terminal, false)
    );
    assert_eq!((done.user_id.as_deref(), done.initiator_name.as_str()), (Some("alice"), "alice"));
    assert_eq!(done.tenant_id.as_ref().unwrap().as_str(), "acme");
    let keys: Vec<&str> = done.summary_counts.keys().map(String::as_str).collect();
    let mut expected: Vec<&str> = count_keys(OperationType::Promote).collect();
    expected.sort_unstable();
    assert_eq!(keys, expected, "every key of the type's catalogue");
    let count = |key: &str| done.summary_counts[key];
    assert_eq!((count("targets_total"), count("targets_succeeded"), count("targets_failed")), (2, 2, 0));
    assert_eq!(done.context["environment"], "environment.staging");
    assert!(done.failure_summary.is_empty() && done.completed_at.is_some());
    let waiting = run(&shop, "viewer", promotion.promotion.workflow_run_id).await;
    assert_eq!((waiting.status, waiting.outcome), (RunStatus::Running, RunOutcome::Pending));
    assert!(waiting.summary_counts.is_empty(), "they are counted at the end");
}

#[tokio::test]
async fn runs_are_filtered_and_belong_to_one_scope() {
    let shop = Shop::open().await;
    let (promotion, _) = shop.waiting().await;
    let waiting = vec![promotion.promotion.workflow_run_id];
    let all = ids(&shop, "viewer", "").await;
    assert_eq!(all.len(), 2);
    for (query, expected) in [
        ("?status=running", waiting.clone()),
        ("?outcome=pending&freshness=fresh_active", waiting.clone()),
        ("?outcome=failed", vec![]),
        ("?status=completed&outcome=pending", vec![]),
        ("?type=rollback", vec![]),
        ("?type=promote&type=rollback", all.clone()),
        ("?reconciled=true", vec![]),
        ("?reconciled=false&tenant=acme", all.clone()),
        ("?freshness=likely_stale", vec![]),
    ] {
        assert_eq!(ids(&shop, "viewer", query).await, expected, "{query}");
    }
    assert_eq!(ids(&shop, "root", "?tenant=acme").await, all);
    assert_eq!(
        ids(&shop, "root", "?tenant=3f6c1a52-8b0e-4d57-9a4c-2e1b7d90c6f4").await,
        all,
        "by its external id"
    );
    for unknown in ["nobody", "00000000-0000-4000-8000-0000000000ff", "Not A Name"] {
        let query = format!("/v1/operation-runs?tenant={}", unknown.replace(' ', "%20"));
        assert_eq!(shop.api.get(&query).by("root").send().await.short(), "404 not-found", "{unknown}");
    }
    assert_eq!(ids(&shop, "root", "").await, [], "the workspace's own");
    assert_eq!(ids(&shop, "stranger", "").await, []);
    for (query, expected) in [
        ("?tenant=globex", "404 not-found"),
        ("?tenant=3f6c1a52-0000-0000-0000-2e1b7d90c6f4", "404 not-found"),
        ("?status=waiting", "400 invalid-query"),
        ("?reconciled=1", "400 invalid-query"),
    ] {
        let reply = shop.api.get(&format!("/v1/operation-runs{query}")).by("viewer").send().await;
        assert_eq!(reply.short(), expected, "{query}");
    }
    let hidden = shop.api.get(&format!("/v1/operation-runs/{}", all[0])).by("stranger").send().await;
    assert_eq!(hidden.short(), "404 not-found");
}

#[tokio::test]
async fn one_that_was_asked_to_end_runs_until_it_has() {
    let shop = Shop::open().await;
    let operation = shop.promote(shop.release, "environment.staging").await.promotion.workflow_run_id;
    shop.claim("stg-1").await;
    let path = format!("/v1/operations/{operation}/cancel");
    shop.api.post(&path).by("operator").json(&json!({})).send().await.expect(202);
    let ending = run(&shop, "viewer", operation).await;
    assert_eq!(
        (ending.status, ending.outcome, ending.completed_at),
        (RunStatus::Running, RunOutcome::Pending, None)
    );
}

#[tokio::test]
async fn pages_hold_every_run_once_whatever_kind_it_is_of() {
    let shop = Shop::open().await;
    let staged = shop.stage(shop.release).await;
    let stored = shop.api.cx.table().operation_get(&shop.scope, staged).await.unwrap().unwrap();
    let mut expected = Vec::new();
    for number in 0..4 {
        shop.api.clock.advance(Millis(5));
        let mut copy = stored.clone();
        copy.info.scope = shop.scope.outer();
        copy.info.operation_id = OperationId::new(shop.api.clock.now().0, number);
        expected.push(copy.info.operation_id);
        shop.api.cx.table().transact(&[Write::CreateOperation(Box::new(copy))]).await.unwrap();
        shop.api.clock.advance(Millis(5));
        let pass = shop.api.post("/v1/operation-runs/reconcile").by("root").json(&json!({})).send().await;
        expected.push(pass.read::<OperationRun>(201).id);
    }
    expected.reverse();
    assert_eq!(ids(&shop, "root", "").await, expected);
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let next = page(&shop, "root", &format!("?limit=3{cursor}")).await;
        assert!(next.items.len() <= 3);
        found.extend(next.items.into_iter().map(|run| run.id));
        let Some(after) = next.next_cursor else { break };
        cursor = format!("&cursor={after}");
    }
    assert_eq!(found, expected);
    let passes = page(&shop, "root", "?type=ops.reconcile_adapter_runs&limit=2").await;
    assert_eq!(passes.items.iter().map(|run| run.id).collect::<Vec<_>>(), [expected[0], expected[2]]);
    assert_eq!(ids(&shop, "root", "?type=promote").await.len(), 4);
}

#[tokio::test]
async fn a_pass_tells_what_it_found_and_what_became_of_it() {
    let shop = Shop::open().await;
    let operation = shop.promote(shop.release, "environment.staging").await.promotion.workflow_run_id;
    shop.claim("stg-1").await;
    pass_leases(&shop);
    let ask = || shop.api.post("/v1/operation-runs/reconcile").json(&json!({}));
    assert_eq!(ask().by("operator").send().await.short(), "403 forbidden", "it is the workspace's");
    let made: OperationRun = ask().by("root").key("once").send().await.read(201);
    assert_eq!(
        (made.status, made.outcome, made.tenant_id.clone()),
        (RunStatus::Completed, RunOutcome::Succeeded, None)
    );
    let repair = made.repairs.iter().find(|it| it.cause == Some(RepairCause::LeaseExpired)).unwrap();
    assert_eq!((repair.effect, repair.operation_id), (RepairEffect::Retried, operation));
    assert!(made.summary_counts["runs_retried"] == 1 && made.summary_counts["runs_examined"] >= 1);
    assert_eq!(made.user_id.as_deref(), Some("root"));
    assert_eq!(run(&shop, "root", made.id).await, made);
    assert_eq!(
        ask().by("root").key("once").send().await.read::<OperationRun>(201),
        made,
        "a repeat is the same"
    );
    let next: OperationRun = ask().by("root").send().await.read(201);
    assert_ne!(next.id, made.id, "the lock was given back");
    assert_eq!(next.run_identity_hash, made.run_identity_hash);
}

#[tokio::test]
async fn two_passes_at_once_are_one_and_a_dead_holder_does_not_block_for_ever() {
    let shop = Shop::open().await;
    let operation = shop.promote(shop.release, "environment.staging").await.promotion.workflow_run_id;
    shop.claim("stg-1").await;
    pass_leases(&shop);
    let (engine, scope, now) = (shop.api.cx.engine(), shop.scope.outer(), shop.api.clock.now());
    let identity = ReconcilePass::identity(&scope).unwrap();
    let dead =
        ReconcilePass::begin(OperationId::new(now.0, 7), identity.clone(), Actor::system("reconcile"), now);
    shop.api.put(&scope, &dead).await;
    let lock =
        ActiveRun { run_identity_hash: identity, operation_id: dead.id, lease_until: Some(dead.lease_until) };
    shop.api.put(&scope, &lock).await;
    let met = engine.reconcile().await.unwrap();
    assert_eq!((met.run, met.nodes), (Some(dead.id), 0));
    let ask = || shop.api.post("/v1/operation-runs/reconcile").by("root").json(&json!({}));
    let other: OperationRun = ask().send().await.read(200);
    assert_eq!(
        (other.id, other.status, other.freshness),
        (dead.id, RunStatus::Running, Freshness::FreshActive)
    );
    shop.api.clock.advance(Millis::from_secs(61));
    assert_eq!(run(&shop, "root", dead.id).await.freshness, Freshness::LikelyStale);
    let own: OperationRun = ask().send().await.read(201);
    assert!(own.repairs.iter().any(|it| it.operation_id == operation && it.effect == RepairEffect::Retried));
    let lost = run(&shop, "root", dead.id).await;
    assert_eq!(
        (lost.outcome, lost.freshness, lost.reconciled),
        (RunOutcome::Failed, Freshness::ReconciledFailed, true)
    );
    assert_eq!(lost.failure_summary[0].code, "holder_lost");
    let keys: BTreeSet<&str> = lost.summary_counts.keys().map(String::as_str).collect();
    assert_eq!(keys, count_keys(OperationType::ReconcileAdapterRuns).collect(), "every key of the catalogue");
    assert_eq!(ids(&shop, "root", "?reconciled=true").await, [dead.id]);
}

#[tokio::test]
async fn a_scheduled_pass_that_finds_nothing_due_writes_nothing() {
    let shop = Shop::open().await;
    shop.promote(shop.release, "environment.staging").await;
    let before = shop.api.table.writes();
    assert_eq!(shop.api.cx.engine().reconcile().await.unwrap().run, None);
    assert_eq!(shop.api.table.writes(), before);
    shop.claim("stg-1").await;
    pass_leases(&shop);
    let made = shop.api.cx.engine().reconcile().await.unwrap().run.unwrap();
    let pass = run(&shop, "root", made).await;
    assert_eq!((pass.user_id, pass.initiator_name.as_str()), (None, "system:reconcile"));
}

#[tokio::test]
async fn an_operation_whose_execution_ended_without_it_says_why_and_is_reconciled() {
    let shop = Shop::open().await;
    let operation = shop.promote(shop.release, "environment.staging").await.promotion.workflow_run_id;
    let error = json!({
        "Error": "Terminal", "Cause": r#"{"errorType":"Terminal","errorMessage":"no plan, password=hunter2"}"#,
    });
    let event = json!({ "scope": shop.scope, "operation": operation, "error": error });
    weir_tasks::run(&shop.api.cx, "operation_abort", event).await.unwrap();
    shop.end(operation).await;
    let ended = run(&shop, "viewer", operation).await;
    assert_eq!(
        (ended.outcome, ended.freshness, ended.reconciled),
        (RunOutcome::Failed, Freshness::ReconciledFailed, true)
    );
    let [why] = ended.failure_summary.as_slice() else { panic!("{ended:?}") };
    let expected = "cancelled by system:abort: Terminal: no plan, password=[redacted]";
    assert_eq!((why.code.as_str(), why.message.as_str()), ("cancelled", expected));
    assert_eq!(ids(&shop, "viewer", "?reconciled=true&freshness=reconciled_failed").await, [operation]);
    let other = shop.promote(shop.release, "environment.staging").await.promotion.workflow_run_id;
    shop.api.cx.engine().cancel(&shop.scope, other, "bob").await.unwrap();
    shop.end(other).await;
    assert_eq!(run(&shop, "viewer", other).await.freshness, Freshness::Terminal, "somebody asked for that");
}

#[tokio::test]
async fn what_housekeeping_ended_is_told_from_what_failed_by_itself() {
    let shop = Shop::open().await;
    let operation = shop.promote(shop.release, "environment.staging").await.promotion.workflow_run_id;
    for _ in 0..20 {
        shop.claim("stg-1").await;
        pass_leases(&shop);
        shop.api.cx.engine().reconcile().await.unwrap();
        if shop.nodes(operation).await["deploy.stg-1"] == NodeStatus::Failed {
            break;
        }
    }
    shop.end(operation).await;
    let ended = run(&shop, "viewer", operation).await;
    assert_eq!(
        (ended.outcome, ended.freshness, ended.reconciled),
        (RunOutcome::Failed, Freshness::ReconciledFailed, true)
    );
    assert_eq!(ended.failure_summary.iter().filter(|it| it.code == "lease_expired").count(), 1);
    assert_eq!(
        ids(&shop, "viewer", "?reconciled=true&freshness=reconciled_failed&outcome=failed").await,
        [operation]
    );
    let terminal = page(&shop, "viewer", "?freshness=terminal").await.items;
    assert!(terminal.iter().all(|run| run.id != operation));
    let listed: Value = shop.api.get("/v1/operation-runs").by("viewer").send().await.expect(200);
    assert!(listed["items"][0]["failure_summary"].is_array());
}
