use super::*;
use crate::{
    failure::FailureSummary,
    plan::{Backoff, Executor, NodeCommand, NodeStatus, NodeType, OnFailure},
};
use proptest::prelude::*;
use strum::VariantArray as _;

fn node(on_failure: OnFailure) -> NodeRun {
    let terms = Terms {
        kind: NodeType::Job,
        runs: Executor::Job,
        on_failure,
        attempts: 3,
        timeout_s: 60,
        backoff: Backoff::default(),
        deadline_s: None,
    };
    NodeRun::new(5, 0, terms, [1, 2], [8, 9])
}

fn error() -> FailureSummary {
    FailureSummary::new("broke", "it broke")
}

/// The updates of a node that waits for a person
fn by_hand() -> impl Strategy<Value = NodeUpdate> {
    let of = || (0u32..5, (0i64..100_000).prop_map(Millis));
    prop_oneof![
        of().prop_map(|(attempt, wake)| NodeUpdate::Suspend {
            attempt,
            wake,
            error: error(),
            lease_seen: None,
        }),
        of().prop_map(|(attempt, now)| NodeUpdate::Again {
            attempt,
            now,
            wake: now,
            error: error(),
            inputs_from: None,
            ends_by: None,
        }),
    ]
}

/// Any update, about attempts and dependencies that may or may not be the node's
fn any_update() -> impl Strategy<Value = NodeUpdate> {
    let millis = || (0i64..100_000).prop_map(Millis);
    let attempt = || 0u32..5;
    let terminal =
        prop::sample::select(&[NodeStatus::Succeeded, NodeStatus::Failed, NodeStatus::Skipped][..]);
    let status = prop::sample::select(NodeStatus::VARIANTS);
    prop_oneof![
        "[a-c]".prop_map(|token| NodeUpdate::Arrive { token }),
        ("[a-c]", millis()).prop_map(|(claim_id, now)| NodeUpdate::Claim {
            claim_id,
            now,
            wake: now,
            ends_by: None
        }),
        ("[a-c]", millis()).prop_map(|(claim_id, now)| NodeUpdate::Pass { claim_id, now }),
        (attempt(), "[a-c]", millis()).prop_map(|(attempt, holder, now)| NodeUpdate::Start {
            attempt,
            holder,
            now,
            lease_until: now,
            deadline: now,
        }),
        (attempt(), millis())
            .prop_map(|(attempt, lease_until)| NodeUpdate::Heartbeat { attempt, lease_until }),
        (attempt(), millis()).prop_map(|(attempt, now)| NodeUpdate::Wait { attempt, now, wake: now }),
        by_hand(),
        (status.clone(), attempt(), millis()).prop_map(|(seen, attempt, wake)| NodeUpdate::Snooze {
            seen,
            attempt,
            wake
        }),
        (attempt(), millis()).prop_map(|(attempt, now)| NodeUpdate::Retry {
            attempt,
            now,
            not_before: now,
            wake: now,
            error: error(),
            lease_seen: None,
        }),
        (attempt(), terminal, "[a-c]", millis()).prop_map(|(attempt, status, result_id, now)| {
            NodeUpdate::Complete { attempt, status, result_id, now, error: None, lease_seen: None }
        }),
        (0u32..4).prop_map(|from| NodeUpdate::Tell { from }),
        millis().prop_map(|now| NodeUpdate::Skip { now, error: error() }),
        (status, attempt(), millis()).prop_map(|(seen, attempt, now)| NodeUpdate::CancelIdle {
            seen,
            attempt,
            now,
            error: error(),
        }),
        (attempt(), millis()).prop_map(|(attempt, wake)| NodeUpdate::CancelRunning { attempt, wake }),
        (0u32..2).prop_map(|out_ver| NodeUpdate::Close { out_ver }),
        any_patch().prop_map(NodeUpdate::Patch),
    ]
}

fn any_patch() -> impl Strategy<Value = NodePatch> {
    let set = || prop::collection::btree_set(0u32..4, 0..4);
    let now = || (0i64..100_000).prop_map(Millis);
    prop_oneof![
        (set(), set(), set()).prop_map(|(seen, unmet, out)| NodePatch::Rewire {
            seen,
            unmet,
            out,
            terms: None
        }),
        set().prop_map(|out| NodePatch::Link { out }),
        (set(), now()).prop_map(|(out, now)| NodePatch::Reopen { out, now }),
        now().prop_map(|now| NodePatch::Remove { now, error: error() }),
        Just(NodePatch::Admit),
    ]
}

/// Which attempt the update is about, if about one
fn attempt_of(update: &NodeUpdate) -> Option<u32> {
    match update {
        NodeUpdate::Start { attempt, .. }
        | NodeUpdate::Heartbeat { attempt, .. }
        | NodeUpdate::Wait { attempt, .. }
        | NodeUpdate::Suspend { attempt, .. }
        | NodeUpdate::Again { attempt, .. }
        | NodeUpdate::Snooze { attempt, .. }
        | NodeUpdate::Retry { attempt, .. }
        | NodeUpdate::Complete { attempt, .. }
        | NodeUpdate::CancelIdle { attempt, .. }
        | NodeUpdate::CancelRunning { attempt, .. } => Some(*attempt),
        NodeUpdate::Arrive { .. }
        | NodeUpdate::Claim { .. }
        | NodeUpdate::Pass { .. }
        | NodeUpdate::Tell { .. }
        | NodeUpdate::Skip { .. }
        | NodeUpdate::Close { .. }
        | NodeUpdate::Patch(_) => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Invariants I1, I3 and I4 of the protocol, whatever is asked in whatever order
    #[test]
    fn no_sequence_of_updates_breaks_a_node(updates in prop::collection::vec(any_update(), 1..60)) {
        let mut now = node(OnFailure::Fail);
        for update in updates {
            let Ok(after) = update.apply(&now) else { continue };
            if now.status.is_terminal() {
                prop_assert_eq!(after.status, now.status, "{:?} left the end", update);
            }
            prop_assert!(after.attempt >= now.attempt);
            prop_assert!(attempt_of(&update).is_none_or(|attempt| attempt == now.attempt), "{:?} was stale", update);
            if now.status == NodeStatus::Pending && after.status == NodeStatus::Ready {
                prop_assert!(now.unmet.is_empty(), "claimed before its dependencies had ended");
            }
            let moved = after.status != now.status;
            let known = NodeCommand::VARIANTS.iter().any(|command| now.status.after(*command) == Some(after.status));
            prop_assert!(!moved || known, "{:?} moves {:?} to {:?}, which the matrix does not know", update, now.status, after.status);
            // What has to be looked at again is found: by its wake time, or because somebody waits for it to be claimed.
            let found = after.wake.is_some() || after.closed || after.status == NodeStatus::Pending;
            prop_assert!(found, "{:?} loses the node", update);
            now = after;
        }
    }

    /// A write whose answer was lost is recognised, and doing it again changes nothing
    #[test]
    fn an_own_write_is_recognised(updates in prop::collection::vec(any_update(), 1..30)) {
        let mut now = node(OnFailure::Fail);
        for update in updates {
            let Ok(after) = update.apply(&now) else { continue };
            if matches!(update, NodeUpdate::Patch(_)) {
                now = after; // a part of a transaction, whose repetition is refused by its patch_seq
                continue;
            }
            let again = update.apply(&after);
            prop_assert!(again.is_err() || again.as_ref() == Ok(&after) || update.is_mine(&after), "{:?}", update);
            now = after;
        }
    }
}

#[test]
fn a_claim_needs_every_dependency() {
    let claim = NodeUpdate::Claim { claim_id: "a".into(), now: Millis(1), wake: Millis(2), ends_by: None };
    let mut waiting = node(OnFailure::Fail);
    assert_eq!(claim.apply(&waiting), Err(Refused));
    for from in [1, 2] {
        assert_eq!(claim.apply(&waiting), Err(Refused));
        waiting = NodeUpdate::Tell { from }.apply(&waiting).unwrap();
    }
    assert_eq!(claim.apply(&waiting).unwrap().attempt, 1);
}

#[test]
fn only_success_or_a_failure_that_is_passed_by_satisfies() {
    let ended = |on_failure, status| NodeRun { status, ..node(on_failure) }.is_satisfying();
    assert!(ended(OnFailure::Fail, NodeStatus::Succeeded));
    assert!(ended(OnFailure::Continue, NodeStatus::Failed));
    for on_failure in [OnFailure::Fail, OnFailure::Pause, OnFailure::Rollback] {
        assert!(!ended(on_failure, NodeStatus::Failed));
    }
    assert!(!ended(OnFailure::Continue, NodeStatus::Skipped));
}

#[test]
fn a_failure_is_tried_again_until_its_attempts_are_used_up() {
    let fail = |attempt, retryable, cancel| {
        let node = NodeRun { status: NodeStatus::Running, attempt, cancel, ..node(OnFailure::Fail) };
        let next = after_failure(&node, error(), retryable, "r".into(), Millis(0), 0, None);
        if let NodeUpdate::Retry { not_before, .. } = next { Some(not_before) } else { None }
    };
    assert_eq!(fail(1, true, false), Some(Millis(2_000)));
    assert_eq!(fail(2, true, false), Some(Millis(4_000)));
    assert_eq!([fail(3, true, false), fail(1, false, false), fail(1, true, true)], [None, None, None]);
}

#[test]
fn the_last_failure_of_a_node_that_pauses_waits_for_a_person() {
    let last = |on_failure, cancel| {
        let node = NodeRun { status: NodeStatus::Running, attempt: 3, cancel, ..node(on_failure) };
        let next = after_failure(&node, error(), true, "r".into(), Millis(0), 0, None);
        let after = next.apply(&node).unwrap();
        (after.status, after.awaits_person())
    };
    assert_eq!(last(OnFailure::Pause, false), (NodeStatus::Waiting, true));
    assert_eq!(last(OnFailure::Pause, true), (NodeStatus::Failed, false), "it was asked to stop");
    assert_eq!(last(OnFailure::Fail, false), (NodeStatus::Failed, false));
    let terms = Terms { kind: NodeType::Gate, ..node(OnFailure::Fail).terms };
    let gate = NodeRun { status: NodeStatus::Waiting, terms, ..node(OnFailure::Fail) };
    assert!(!gate.awaits_person(), "a gate waits for its decision");
}

#[test]
fn all_attempts_together_have_a_deadline() {
    let terms = Terms { deadline_s: Some(10), ..node(OnFailure::Fail).terms };
    let fresh = NodeRun { unmet: [].into(), terms, ..node(OnFailure::Fail) };
    let ends_by = fresh.terms.ends_by(Millis(1_000));
    let claim = NodeUpdate::Claim { claim_id: "a".into(), now: Millis(1_000), wake: Millis(5_000), ends_by };
    let ready = claim.apply(&fresh).unwrap();
    assert_eq!(drive(&ready, Millis(11_000)), Drive::Dispatch, "by another clock it may be begun yet");
    assert_eq!(drive(&ready, Millis(13_999)), Drive::Dispatch);
    assert_eq!(drive(&ready, Millis(14_000)), Drive::Expire, "nobody took it in time");
    let running = NodeRun { status: NodeStatus::Running, ..ready };
    let fails = |at| after_failure(&running, error(), true, "r".into(), Millis(at), 0, None);
    assert!(matches!(fails(2_000), NodeUpdate::Retry { .. }));
    assert!(matches!(fails(9_500), NodeUpdate::Complete { .. }), "the next attempt would begin too late");
}

#[test]
fn what_a_node_needs_follows_from_its_item_alone() {
    let at = |status, unmet: &[u32], wake: Option<i64>, closed| {
        let node = NodeRun {
            status,
            unmet: unmet.iter().copied().collect(),
            wake: wake.map(Millis),
            closed,
            ..node(OnFailure::Fail)
        };
        drive(&node, Millis(10))
    };
    assert_eq!(at(NodeStatus::Pending, &[1], None, false), Drive::Nothing);
    assert_eq!(at(NodeStatus::Pending, &[], None, false), Drive::Claim);
    assert_eq!(at(NodeStatus::Ready, &[], Some(11), false), Drive::Nothing);
    assert_eq!(at(NodeStatus::Ready, &[], Some(10), false), Drive::Dispatch);
    assert_eq!(at(NodeStatus::Running, &[], Some(11), false), Drive::Nothing);
    assert_eq!(at(NodeStatus::Running, &[], Some(9), false), Drive::Expire);
    assert_eq!(at(NodeStatus::Waiting, &[], Some(99), false), Drive::Look);
    for ended in [NodeStatus::Succeeded, NodeStatus::Failed, NodeStatus::Skipped] {
        assert_eq!(at(ended, &[], None, false), Drive::Consequences);
        assert_eq!(at(ended, &[], None, true), Drive::Nothing);
    }
}

#[test]
fn a_further_attempt_is_held_back_and_never_brought_forward() {
    let retry = |not_before, wake| NodeUpdate::Retry {
        attempt: 1,
        now: Millis(0),
        not_before: Millis(not_before),
        wake: Millis(wake),
        error: error(),
        lease_seen: None,
    };
    assert_eq!(retry(2_000, 62_000).held(Millis(30_000)), retry(30_000, 90_000));
    assert_eq!(retry(2_000, 62_000).held(Millis(1_000)), retry(2_000, 62_000));
    let close = NodeUpdate::Close { out_ver: 1 };
    assert_eq!(close.clone().held(Millis(30_000)), close);
}
