//! The conditions of the protocol's sections 3 and 5, written down once more: each is compared with what an update
//! allows, over everything that a node or an operation can be

use super::{
    NodePatch, NodeRun, NodeUpdate, Operation, OperationInfo, OperationUpdate, Terms, operation::Effective,
};
use crate::{
    actor::Actor,
    canonical::Digest,
    failure::FailureSummary,
    operation::{OperationStatus, OperationType},
    plan::{Backoff, Executor, NodeStatus, NodeType, OnFailure},
    scope::Scope,
    time::Millis,
};
use std::collections::{BTreeMap, BTreeSet};
use strum::VariantArray as _;

/// What an update asks of a node: in which statuses it may be, and what else has to hold
const OF_A_NODE: [(&str, &str, &str); 28] = [
    ("arrive", "any", ""),
    ("tell", "any", ""),
    ("claim", "pending", "nothing unmet"),
    ("pass", "pending", "nothing unmet"),
    ("start", "ready", "attempt, due"),
    ("heartbeat", "running", "attempt"),
    ("wait", "ready running", "attempt"),
    ("suspend", "ready running waiting", "attempt, not cancelled, no error"),
    ("suspend, expired", "ready running waiting", "attempt, not cancelled, no error, lease"),
    ("again", "waiting", "attempt, not cancelled, an error"),
    ("snooze, ready", "ready", "attempt"),
    ("snooze, waiting", "waiting", "attempt"),
    ("snooze, failed", "none", ""),
    ("retry", "running waiting", "attempt, not cancelled, no error"),
    ("retry, expired", "running waiting", "attempt, not cancelled, no error, lease"),
    ("complete", "ready running waiting", "attempt"),
    ("complete, expired", "ready running waiting", "attempt, lease"),
    ("skip", "pending", ""),
    ("cancel idle, pending", "pending", "attempt"),
    ("cancel idle, ready", "ready", "attempt"),
    ("cancel idle, running", "none", ""),
    ("cancel running", "running waiting", "attempt, no error"),
    ("close", "succeeded failed skipped", "dependents as seen"),
    ("rewire", "pending", "unmet as seen"),
    ("link", "pending ready running waiting", ""),
    ("reopen", "succeeded failed skipped", ""),
    ("remove", "pending", ""),
    ("admit", "any", ""),
];

/// What an update asks of an operation
const OF_AN_OPERATION: [(&str, &str); 15] = [
    ("arrive", ""),
    ("add todo", ""),
    ("remove todo", ""),
    ("close segment", ""),
    ("rest", "nothing to do"),
    ("materialise", "active, not materialised"),
    ("revive", "active, revivals as seen"),
    ("finish", "active, no segment open"),
    ("finished", "ended"),
    ("cancel", "active, not cancelled"),
    ("pause", "active, not cancelled, not paused"),
    ("resume", "active, paused"),
    ("reserve", "active, not cancelled"),
    ("patch", "patches as seen, materialised, a segment open, not cancelled"),
    ("patch of another", "none"),
];

const NOW: Millis = Millis(10);

fn info() -> OperationInfo {
    let (id, digest) = ("01ARZ3NDEKTSV4RRFFQ69G5FAV", Digest::of_bytes(b"graph"));
    OperationInfo {
        operation_id: format!("op_{id}").parse().unwrap(),
        scope: Scope::workspace("harbor".parse().unwrap()),
        operation_type: OperationType::Promote,
        plan_id: format!("pln_{id}").parse().unwrap(),
        intent_id: format!("int_{id}").parse().unwrap(),
        graph_hash: digest.clone(),
        nodes: 1,
        segments: 1,
        run_identity_hash: digest,
        actor: Actor::system("test"),
        title: String::new(),
        created_at: NOW,
        deadline: NOW,
        promotion_id: None,
        release_id: None,
        environment: None,
        rollback_of: None,
        retry_of: None,
        parent: None,
        exclusive: BTreeSet::new(),
        context: BTreeMap::new(),
    }
}

fn node_update(name: &str) -> NodeUpdate {
    let (claim_id, error) = (String::new(), || FailureSummary::new("broke", "it broke"));
    let (attempt, now, wake) = (1, NOW, NOW);
    let lease_seen = name.ends_with(", expired").then_some(Millis(20));
    let (kind, seen) = name.split_once(", ").unwrap_or((name, ""));
    let seen = NodeStatus::VARIANTS.iter().copied().find(|status| status.as_str() == seen);
    let seen = seen.unwrap_or(NodeStatus::Pending);
    let patch = |patch| NodeUpdate::Patch(patch);
    match kind {
        "arrive" => NodeUpdate::Arrive { token: String::new() },
        "tell" => NodeUpdate::Tell { from: 1 },
        "claim" => NodeUpdate::Claim { claim_id, now, wake, ends_by: None },
        "pass" => NodeUpdate::Pass { claim_id, now },
        "start" => NodeUpdate::Start { attempt, holder: String::new(), now, lease_until: now, deadline: now },
        "heartbeat" => NodeUpdate::Heartbeat { attempt, lease_until: now },
        "wait" => NodeUpdate::Wait { attempt, now, wake },
        "suspend" => NodeUpdate::Suspend { attempt, wake, error: error(), lease_seen },
        "again" => NodeUpdate::Again { attempt, now, wake, error: error(), inputs_from: None, ends_by: None },
        "snooze" => NodeUpdate::Snooze { seen, attempt, wake },
        "retry" => NodeUpdate::Retry { attempt, now, not_before: now, wake, error: error(), lease_seen },
        "complete" => NodeUpdate::Complete {
            attempt,
            status: NodeStatus::Succeeded,
            result_id: String::new(),
            now,
            error: None,
            lease_seen,
        },
        "skip" => NodeUpdate::Skip { now, error: error() },
        "cancel idle" => NodeUpdate::CancelIdle { seen, attempt, now, error: error() },
        "cancel running" => NodeUpdate::CancelRunning { attempt, wake },
        "close" => NodeUpdate::Close { out_ver: 1 },
        "rewire" => {
            let (seen, none) = (BTreeSet::from([1]), BTreeSet::new);
            patch(NodePatch::Rewire { seen, unmet: none(), out: none(), terms: None })
        }
        "link" => patch(NodePatch::Link { out: BTreeSet::new() }),
        "reopen" => patch(NodePatch::Reopen { out: BTreeSet::new(), now }),
        "remove" => patch(NodePatch::Remove { now, error: error() }),
        "admit" => patch(NodePatch::Admit),
        other => panic!("no update is called `{other}`"),
    }
}

/// Every node that the conditions tell from each other
fn nodes() -> Vec<NodeRun> {
    let terms = Terms {
        kind: NodeType::Job,
        runs: Executor::Job,
        on_failure: OnFailure::Fail,
        attempts: 3,
        timeout_s: 60,
        backoff: Backoff::default(),
        deadline_s: None,
    };
    let mut all = vec![NodeRun::new(5, 0, terms, [], [])];
    let mut vary = |change: &dyn Fn(&mut NodeRun, usize), count: usize| {
        let each = |node: &NodeRun, at| {
            let mut node = node.clone();
            change(&mut node, at);
            node
        };
        all = all
            .iter()
            .flat_map(|node| (0..count).map(move |at| (node, at)))
            .map(|(n, at)| each(n, at))
            .collect();
    };
    vary(&|node, at| node.status = NodeStatus::VARIANTS[at], NodeStatus::VARIANTS.len());
    vary(&|node, at| node.attempt = u32::try_from(at).unwrap(), 3);
    vary(&|node, at| node.cancel = at == 1, 2);
    vary(&|node, at| node.error = (at == 1).then(|| FailureSummary::new("broke", "it broke")), 2);
    vary(
        &|node, at| node.unmet = [BTreeSet::new(), BTreeSet::from([1]), BTreeSet::from([1, 2])][at].clone(),
        3,
    );
    vary(&|node, at| node.not_before = [None, Some(NOW), Some(Millis(11))][at], 3);
    vary(&|node, at| node.lease_until = [None, Some(Millis(20)), Some(Millis(30))][at], 3);
    vary(&|node, at| node.out_ver = u32::try_from(at).unwrap(), 2);
    all
}

#[test]
fn an_update_of_a_node_asks_for_what_the_protocol_says_and_for_nothing_else() {
    let nodes = nodes();
    for (name, statuses, rest) in OF_A_NODE {
        let update = node_update(name);
        let holds = |node: &NodeRun, what: &str| match what {
            "" => true,
            "nothing unmet" => node.unmet.is_empty(),
            "unmet as seen" => node.unmet == BTreeSet::from([1]),
            "attempt" => node.attempt == 1,
            "due" => node.not_before != Some(Millis(11)),
            "not cancelled" => !node.cancel,
            "no error" => node.error.is_none(),
            "an error" => node.error.is_some(),
            "lease" => node.lease_until == Some(Millis(20)),
            "dependents as seen" => node.out_ver == 1,
            other => panic!("what is `{other}`?"),
        };
        for node in &nodes {
            let in_status = statuses == "any" || statuses.split(' ').any(|it| it == node.status.as_str());
            let expected = in_status && rest.split(", ").all(|what| holds(node, what));
            assert_eq!(update.allows(node), expected, "{name}: {node:?}");
        }
    }
}

fn operation_update(name: &str) -> OperationUpdate {
    let (by, wake, now) = (String::new(), NOW, NOW);
    let todo = || "begin".to_owned();
    match name {
        "arrive" => OperationUpdate::Arrive { token: String::new() },
        "add todo" => OperationUpdate::AddTodo { name: todo(), wake },
        "remove todo" => OperationUpdate::RemoveTodo { name: todo() },
        "close segment" => OperationUpdate::CloseSegment { segment: 0 },
        "rest" => OperationUpdate::Rest { wake: None },
        "materialise" => OperationUpdate::Materialise { now },
        "revive" => OperationUpdate::Revive { seen: 1 },
        "finish" => OperationUpdate::Finish {
            status: OperationStatus::Succeeded,
            now,
            wake,
            failure_summary: None,
            summary_counts: BTreeMap::new(),
        },
        "finished" => OperationUpdate::Finished,
        "cancel" => OperationUpdate::Cancel { by, why: None, wake },
        "pause" => OperationUpdate::Pause { by, now },
        "resume" => OperationUpdate::Resume { id: "1".to_owned(), wake },
        "reserve" => OperationUpdate::Reserve { segments: 1 },
        "patch" | "patch of another" => {
            let seen = if name == "patch" { 1 } else { 7 };
            let info = info();
            let effective = Effective { graph_hash: info.graph_hash, nodes: 1, segments: BTreeSet::new() };
            OperationUpdate::Patch { seen, effective, open: BTreeSet::new(), wake }
        }
        other => panic!("no update is called `{other}`"),
    }
}

#[test]
fn an_update_of_an_operation_asks_for_what_the_protocol_says_and_for_nothing_else() {
    const FLAGS: u32 = 7;
    for (name, conditions) in OF_AN_OPERATION {
        let update = operation_update(name);
        for (status, flags) in OperationStatus::VARIANTS
            .iter()
            .flat_map(|status| (0..1u32 << FLAGS).map(move |flags| (*status, flags)))
        {
            let is = |flag: u32| flags & (1 << flag) != 0;
            let mut operation = Operation::new(info());
            operation.status = status;
            (operation.cancel, operation.paused, operation.materialised) = (is(0), is(1), is(2));
            operation.open = if is(3) { BTreeSet::from([0]) } else { BTreeSet::new() };
            operation.todo = if is(4) { BTreeSet::from(["begin".to_owned()]) } else { BTreeSet::new() };
            (operation.patch_seq, operation.revivals) = (u32::from(is(5)), u32::from(is(6)));
            let holds = |what: &str| match what {
                "" => true,
                "none" => false,
                "active" => !status.is_terminal(),
                "ended" => status.is_terminal(),
                "not cancelled" => !is(0),
                "paused" => is(1),
                "not paused" => !is(1),
                "materialised" => is(2),
                "not materialised" => !is(2),
                "a segment open" => is(3),
                "no segment open" => !is(3),
                "nothing to do" => !is(4),
                "patches as seen" => is(5),
                "revivals as seen" => is(6),
                other => panic!("what is `{other}`?"),
            };
            let expected = conditions.split(", ").all(holds);
            assert_eq!(update.allows(&operation), expected, "{name}: {operation:?}");
        }
    }
}
