//! Whatever has its time keeps to it: once nothing goes wrong any more, what is due is done soon after
//!
//! Each node, as its item stands, says by when it has to have moved: when its attempt may begin, when its lease or its
//! time is over, when it was told the last thing that it waited for. No such time has what waits for a person, a gate
//! or its turn in a queue, and what a pause holds back: that moves when somebody outside does something.

use super::{Watch, seen::Seen};
use crate::sim::{queues::RECONCILE_EVERY, violation::Violation, world::FUNCTION_LIMIT};
use std::collections::BTreeMap;
use weir_domain::{
    engine::{CLOCKS, Hold, LOOK_AGAIN, NodeRun, Operation, TODO_PATIENCE, claim_allowed},
    id::OperationId,
    operation::{OperationStatus, reconcile::PASS_LEASE},
    plan::{NodeStatus, NodeType},
    time::Millis,
};

/// What is due, or was when the last fault happened, is done so much later at the latest
///
/// `wake` of what is left lying comes up to [`LOOK_AGAIN`] after it was due, by a clock that is off by up to [`CLOCKS`].
/// The schedule finds it a minute after that, unless a pass that died still has the lock for as long as its lease; and the
/// pass that looks after it may take as long as a function may.
pub(in crate::sim) const ALLOWED: Millis = Millis(
    LOOK_AGAIN.0
        + CLOCKS.0
        + PASS_LEASE.0
        + Millis::from_secs(RECONCILE_EVERY.as_secs().cast_signed()).0
        + Millis::from_secs(FUNCTION_LIMIT.as_secs().cast_signed()).0,
);

/// Since when an operation and its nodes are as they are
#[derive(Default)]
pub(super) struct Moments {
    nodes: BTreeMap<u32, Millis>,
    /// Whether nodes may be claimed
    hold: Millis,
    /// What is under way
    todo: Millis,
    /// Anything of the operation itself
    operation: Millis,
}

/// Whether it stands in a queue: it begins when others have left
fn waits_its_turn(operation: &Operation) -> bool {
    operation.status == OperationStatus::Queued && !operation.cancel
}

impl Moments {
    pub fn node_moved(&mut self, ordinal: u32, now: Millis) {
        self.nodes.insert(ordinal, now);
    }

    pub fn operation_moved(&mut self, before: Option<&Operation>, after: &Operation, now: Millis) {
        self.operation = now;
        if before.map(claim_allowed) != Some(claim_allowed(after)) {
            self.hold = now;
        }
        if before.map(|it| (&it.todo, waits_its_turn(it))) != Some((&after.todo, waits_its_turn(after))) {
            self.todo = now;
        }
    }

    fn node(&self, ordinal: u32) -> Millis {
        self.nodes.get(&ordinal).copied().unwrap_or_default()
    }
}

impl Watch {
    /// Something goes wrong: until now nothing had to be done in time
    pub fn disturbed(&mut self, now: Millis) {
        self.disturbed_at = self.disturbed_at.max(now);
    }

    /// What should have been done by `now`
    ///
    /// An operation whose executions were lost is looked at every `check_in`, and whoever dies at such a look may leave
    /// it to the next one.
    pub fn overdue(&self, now: Millis, check_in: Millis) -> Vec<Violation> {
        let is_late = |due: Millis| due.max(self.disturbed_at) + ALLOWED < now;
        let mut found = Vec::new();
        for (id, seen) in &self.operations {
            let late = seen.planned().filter(|node| self.due(*id, seen, node).is_some_and(is_late));
            found.extend(late.map(|node| Violation::Overdue(node.ordinal, node.status)));
            if seen.steps_due().is_some_and(is_late) {
                found.push(Violation::StepsOverdue(seen.steps()));
            }
            if seen.end_due().is_some_and(|due| is_late(due.max(self.disturbed_at) + check_in)) {
                found.push(Violation::EndOverdue(*id));
            }
        }
        found
    }

    /// By when the node has to have moved on
    fn due(&self, operation: OperationId, seen: &Seen, node: &NodeRun) -> Option<Millis> {
        let runs_child = node.runs_operation();
        let due = if runs_child { self.child_due(operation, node) } else { seen.due(node) };
        // One that has failed waits for a person, and no time of its own is left.
        let over = node.ends_by.filter(|_| !node.status.is_terminal() && node.error.is_none());
        due.into_iter().chain(over).min()
    }

    /// A node that runs an operation goes on when that has ended, and what takes that back
    fn child_due(&self, operation: OperationId, node: &NodeRun) -> Option<Millis> {
        let Some(child) = self.child(operation, node) else { return node.started_at };
        let id = child.info.operation_id;
        let family: Vec<&Seen> = self.operations.get(&id).into_iter().chain(self.way_back(id)).collect();
        let is_done = |seen: &&Seen| seen.operation.as_ref().is_some_and(|it| it.finished);
        let ended = family.iter().map(|seen| seen.moments.operation).max();
        ended.filter(|_| family.iter().all(is_done))
    }
}

impl Seen {
    /// By when the node has to have moved on, as far as that hangs on nobody else
    fn due(&self, node: &NodeRun) -> Option<Millis> {
        let since = self.moments.node(node.ordinal);
        match node.status {
            NodeStatus::Pending => {
                let hold = self.operation.as_ref().map(claim_allowed);
                let free = node.is_claimable() && matches!(hold, Some(Hold::Go | Hold::Cancelled));
                free.then(|| since.max(self.moments.hold))
            }
            NodeStatus::Ready => node.not_before,
            NodeStatus::Running => {
                let deadline = node.deadline.map(|deadline| deadline + CLOCKS);
                node.lease_until.into_iter().chain(deadline).min()
            }
            NodeStatus::Waiting if node.awaits_person() || node.terms.kind == NodeType::Gate => None,
            NodeStatus::Waiting => node.deadline.or(node.started_at),
            NodeStatus::Succeeded | NodeStatus::Failed | NodeStatus::Skipped => {
                (!node.closed).then_some(since)
            }
        }
    }

    /// By when what is under way has to be done; one in a queue begins when its turn comes
    fn steps_due(&self) -> Option<Millis> {
        let operation = self.operation.as_ref().filter(|it| !it.todo.is_empty())?;
        (!waits_its_turn(operation)).then(|| self.moments.todo + TODO_PATIENCE)
    }

    fn steps(&self) -> Vec<String> {
        self.operation.iter().flat_map(|it| &it.todo).cloned().collect()
    }

    /// By when the operation has to end: all its nodes have
    fn end_due(&self) -> Option<Millis> {
        let operation = self.operation.as_ref()?;
        let ends = operation.is_active() && operation.materialised && self.planned().all(|node| node.closed);
        let last = self.planned().map(|node| self.moments.node(node.ordinal)).max();
        ends.then(|| last.unwrap_or_default().max(self.moments.todo))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::{
        Faults, Story, Work,
        case::simulate,
        chance::Chance,
        fault::Plan,
        pace::{Latency, Pace},
        workload::{job, operation_id},
    };
    use weir_domain::{
        engine::Terms,
        failure::FailureSummary,
        plan::{Backoff, Executor, Graph, OnFailure},
    };

    const START: Millis = Millis::from_secs(1_000);

    fn run(status: NodeStatus) -> NodeRun {
        let terms = Terms {
            kind: NodeType::Job,
            runs: Executor::Job,
            on_failure: OnFailure::Fail,
            attempts: 1,
            timeout_s: 600,
            backoff: Backoff::default(),
            deadline_s: None,
        };
        NodeRun { status, ..NodeRun::new(1, 0, terms, [], []) }
    }

    /// How long after [`START`] it is missed that a node stays as it is, which it has been since then
    fn missed_after(node: NodeRun, disturbed_at: Millis) -> Option<Millis> {
        let graph = Graph::new(vec![job(1, [], Work::SHORT).unwrap()]).unwrap();
        let mut seen = Seen::default();
        seen.put(&node);
        seen.graph = Some(graph);
        seen.moments.node_moved(1, START);
        let watch =
            Watch { operations: BTreeMap::from([(operation_id(0), seen)]), disturbed_at, ..Watch::default() };
        let missed =
            |after: &Millis| watch.overdue(START + *after, Millis(0)) == [Violation::Overdue(1, node.status)];
        (0..3_000).map(Millis::from_secs).find(missed)
    }

    #[test]
    fn what_does_not_move_when_it_is_due_is_missed_unless_it_waits_for_a_person() {
        use NodeStatus::{Failed, Ready, Running, Waiting};
        let at = |seconds: i64| Some(START + Millis::from_secs(seconds));
        let soon = |seconds: i64| Some(ALLOWED + Millis::from_secs(seconds + 1));
        let calm = Millis(0);
        let ready = NodeRun { not_before: at(20), ..run(Ready) };
        let running = NodeRun { lease_until: at(900), deadline: at(50), ..run(Running) };
        let silent = NodeRun { lease_until: at(15), ..running.clone() };
        let waiting = NodeRun { deadline: at(70), ..run(Waiting) };
        let over = NodeRun { ends_by: at(7), ..ready.clone() };
        let error = Some(FailureSummary::new("failed", "it failed"));
        let suspended = NodeRun { error, ends_by: at(7), ..waiting.clone() };
        let closed = NodeRun { closed: true, ..run(Failed) };
        for (node, expected) in [
            (&ready, soon(20)),
            (&running, soon(50 + CLOCKS.0 / 1_000)),
            (&silent, soon(15)),
            (&waiting, soon(70)),
            (&over, soon(7)),
            (&run(Failed), soon(0)),
            (&suspended, None),
            (&closed, None),
        ] {
            assert_eq!(missed_after(node.clone(), calm), expected, "{node:?}");
        }
        assert_eq!(missed_after(ready, START + Millis::from_secs(500)), soon(500), "faults went on");
    }

    #[test]
    fn a_run_in_which_nobody_looks_at_a_deadline_is_caught() {
        let mut node = job(1, [], Work::SHORT).unwrap();
        node.runs = "agent:target.sim.t1".parse().unwrap();
        node.job_contract.as_mut().unwrap().deadline_s = Some(30);
        // Neither an agent that takes it nor a schedule that finds its time over.
        let story = Story::of(Graph::new(vec![node]).unwrap());
        let pace = Pace { workers: 1, latency: Latency::default(), spread: false };
        let none = Plan::new(Faults::None, Chance::new(1));
        let report = simulate(story, pace, 1, none, false).unwrap();
        assert_eq!(report.violations.first(), Some(&Violation::Overdue(1, NodeStatus::Ready)));
    }
}
