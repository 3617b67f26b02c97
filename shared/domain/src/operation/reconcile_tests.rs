use super::*;
use crate::{
    engine::{NodeUpdate, OperationInfo, Terms},
    id::{Id as _, IntentId, PlanId},
    plan::{Backoff, Executor, NodeType, OnFailure},
};
use std::collections::BTreeSet;

const NOW: Millis = Millis(1_000_000);
const EARLIER: Millis = Millis(999_000);
const LATER: Millis = Millis(1_060_000);

fn node() -> NodeRun {
    let terms = Terms {
        kind: NodeType::Job,
        runs: Executor::Job,
        on_failure: OnFailure::Fail,
        attempts: 2,
        timeout_s: 60,
        backoff: Backoff::default(),
        deadline_s: None,
    };
    NodeRun::new(1, 0, terms, [], [])
}

fn running() -> NodeRun {
    NodeRun {
        status: NodeStatus::Running,
        attempt: 1,
        wake: Some(EARLIER),
        lease_until: Some(EARLIER),
        deadline: Some(LATER),
        ..node()
    }
}

#[test]
fn what_is_due_says_why() {
    let because = |node: &NodeRun| RepairCause::of_node(node, NOW).map(RepairCause::as_str);
    assert_eq!(because(&running()), Some("lease_expired"));
    assert_eq!(because(&NodeRun { deadline: Some(EARLIER), ..running() }), Some("attempt_timed_out"));
    assert_eq!(because(&NodeRun { ends_by: Some(EARLIER), ..running() }), Some("deadline_passed"));
    assert_eq!(because(&NodeRun { cancel: true, ..running() }), Some("cancel_overdue"));
    assert_eq!(because(&NodeRun { wake: Some(LATER), ..running() }), None, "a heartbeat came in between");
    assert_eq!(because(&NodeRun { status: NodeStatus::Ready, ..running() }), Some("dispatch_lost"));
    assert_eq!(because(&NodeRun { status: NodeStatus::Waiting, ..running() }), Some("still_waiting"));
    let mut for_agent = NodeRun { status: NodeStatus::Ready, ..running() };
    for_agent.terms.runs = Executor::Agent("target.e.t-1".parse().unwrap());
    assert_eq!(because(&for_agent), Some("still_waiting"), "nothing was sent that could be lost");
    let looked = NodeRun { wake: Some(LATER), ..for_agent.clone() };
    assert_eq!(
        RepairEffect::of_node(RepairCause::StillWaiting, &for_agent, &looked),
        RepairEffect::Unchanged
    );
    assert_eq!(because(&node()), Some("claim_lost"));
    let ended = NodeRun { status: NodeStatus::Succeeded, ..running() };
    assert_eq!(because(&ended), Some("consequences_left"));
    assert_eq!(because(&NodeRun { closed: true, ..ended }), None);
}

#[test]
fn what_became_of_it_is_told_from_the_two_looks() {
    let before = running();
    let error = FailureSummary::new("lease_expired", "silent");
    let retry = NodeUpdate::Retry {
        attempt: 1,
        now: NOW,
        not_before: NOW,
        wake: NOW,
        error,
        lease_seen: before.lease_until,
    };
    let retried = retry.apply(&before).unwrap();
    let effect = |after: &NodeRun| RepairEffect::of_node(RepairCause::LeaseExpired, &before, after).as_str();
    assert_eq!(effect(&retried), "retried");
    assert_eq!(effect(&NodeRun { status: NodeStatus::Failed, ..before.clone() }), "failed");
    assert_eq!(effect(&before), "unchanged");
    let claimed = NodeRun { status: NodeStatus::Ready, attempt: 1, ..node() };
    assert_eq!(RepairEffect::of_node(RepairCause::ClaimLost, &node(), &claimed), RepairEffect::Driven);
    let waiting = NodeRun { status: NodeStatus::Waiting, ..running() };
    let snoozed = NodeRun { wake: Some(LATER), ..waiting.clone() };
    let looked = RepairEffect::of_node(RepairCause::StillWaiting, &waiting, &snoozed);
    assert_eq!(looked, RepairEffect::Unchanged, "a look that changes nothing is no repair");
}

fn repair(ordinal: Option<u32>, effect: RepairEffect) -> Repair {
    Repair {
        scope: "harbor".parse().unwrap(),
        operation_id: OperationId::new(1, 1),
        ordinal,
        cause: None,
        effect,
        detail: None,
    }
}

fn pass() -> ReconcilePass {
    let identity = ReconcilePass::identity(&"harbor".parse().unwrap()).unwrap();
    ReconcilePass::begin(OperationId::new(1, 2), identity, Actor::system("reconcile"), NOW)
}

#[test]
fn a_pass_counts_by_its_types_catalogue_and_keeps_what_it_changed() {
    use RepairEffect::{Driven, Failed, NotDriven, Retried, Unchanged};
    let effects =
        [(Some(1), Unchanged), (Some(2), Retried), (Some(3), Failed), (None, Driven), (Some(4), Driven)];
    let found: Vec<_> = effects.iter().map(|(ordinal, effect)| repair(*ordinal, *effect)).collect();
    let ended = pass().end(found.clone(), 2, LATER);
    let counted: Vec<_> = ended.summary_counts.iter().filter(|(_, count)| **count > 0).collect();
    let expected =
        [("operations_redriven", 1), ("runs_examined", 5), ("runs_failed", 1), ("runs_retried", 1)];
    assert_eq!(
        counted,
        expected.map(|(key, count)| (key.to_owned(), count)).iter().map(|(k, c)| (k, c)).collect::<Vec<_>>()
    );
    assert_eq!(ended.summary_counts.len(), count_keys(OperationType::ReconcileAdapterRuns).count());
    assert_eq!((ended.outcome(), ended.unlisted), (RunOutcome::Succeeded, 2));
    assert_eq!(ended.repairs.last().unwrap().effect, Unchanged, "what was changed comes first");
    let failed = pass().end(vec![repair(Some(1), NotDriven)], 0, LATER);
    assert_eq!(failed.outcome(), RunOutcome::Failed);
    assert_eq!(failed.failure_summary.unwrap().message, "1 of 1 could not be driven, and stay due");
    let many = pass().end(vec![repair(Some(1), Retried); REPAIRS_MAX + 5], 0, LATER);
    assert_eq!((many.repairs.len(), many.unlisted, many.forget_at), (REPAIRS_MAX, 5, None));
}

#[test]
fn a_pass_that_changed_nothing_is_forgotten_after_a_day() {
    let idle = pass().end(vec![repair(Some(1), RepairEffect::Unchanged)], 0, NOW);
    assert_eq!(idle.forget_at, Some((NOW + IDLE_PASS_KEPT).into()));
    assert_eq!(pass().end(Vec::new(), 1, NOW).forget_at, None, "it did not get to everything");
}

#[test]
fn a_pass_whose_holder_fell_silent_is_stale_and_then_reconciled() {
    let begun = pass();
    assert_eq!(begun.freshness(NOW), Freshness::FreshActive);
    assert_eq!(begun.freshness(NOW + PASS_LEASE), Freshness::LikelyStale);
    let lost = begun.lost(LATER);
    assert_eq!((lost.freshness(LATER), lost.outcome()), (Freshness::ReconciledFailed, RunOutcome::Failed));
}

/// An operation of which nothing is under way and that has time left
fn resting() -> Operation {
    let info = OperationInfo {
        operation_id: OperationId::new(1, 3),
        scope: "harbor/acme".parse().unwrap(),
        operation_type: OperationType::ScenarioRun,
        plan_id: PlanId::new(1, 3),
        intent_id: IntentId::new(1, 3),
        graph_hash: Digest::of_bytes(b"graph"),
        nodes: 1,
        segments: 1,
        run_identity_hash: Digest::of_bytes(b"run"),
        actor: Actor::system("alice"),
        title: "check".to_owned(),
        created_at: EARLIER,
        deadline: LATER,
        promotion_id: None,
        release_id: None,
        environment: None,
        rollback_of: None,
        retry_of: None,
        parent: None,
        exclusive: BTreeSet::new(),
        context: BTreeMap::new(),
    };
    let created = Operation::new(info);
    Operation { todo: BTreeSet::new(), status: OperationStatus::Running, ..created }
}

#[test]
fn an_operation_that_was_due_says_why_and_what_became_of_it() {
    let (before, due) = (resting(), || BTreeSet::from(["cancel".to_owned()]));
    let told = |before: &Operation, after: &Operation, now: Millis| {
        let cause = RepairCause::of_operation(before, after, now);
        (cause.as_str(), RepairEffect::of_operation(cause, before, after).as_str())
    };
    assert_eq!(told(&before, &before, NOW), ("check_in", "unchanged"));
    let closed = Operation { open: BTreeSet::new(), ..before.clone() };
    assert_eq!(told(&before, &closed, NOW), ("check_in", "driven"), "its last segment was closed");
    let ended = Operation { status: OperationStatus::Succeeded, ..before.clone() };
    assert_eq!(told(&before, &ended, NOW), ("check_in", "driven"));
    assert_eq!(told(&ended, &ended, LATER), ("check_in", "unchanged"), "what has ended is late for nothing");
    let cancelled = Operation { cancel: true, ..before.clone() };
    assert_eq!(told(&before, &cancelled, LATER), ("deadline_passed", "driven"));
    let left = Operation { todo: due(), ..before.clone() };
    assert_eq!(told(&left, &before, LATER), ("activity_left", "driven"), "it was due for that");
    let revived = Operation { revivals: 1, ..before.clone() };
    assert_eq!(told(&before, &revived, NOW), ("execution_ended", "driven"));
}
