//! What is known of one operation, and what must hold there

use super::{super::violation::Violation, deadlines::Moments};
use std::collections::{BTreeMap, BTreeSet};
use weir_domain::{
    engine::{CLOCKS, GUARD, NodeRun, NodeUpdate, Operation, TODO_CANCEL, TODO_PATCH, TODO_RESUME},
    plan::{Graph, NodeStatus},
    time::Millis,
};

/// What is known of one operation
#[derive(Default)]
pub(super) struct Seen {
    pub operation: Option<Operation>,
    /// What it runs now
    pub graph: Option<Graph>,
    nodes: BTreeMap<u32, NodeRun>,
    /// The nodes that each waits for, by the `out` of those
    needs: BTreeMap<u32, BTreeSet<u32>>,
    starts: BTreeSet<(u32, u32)>,
    /// Since when nothing is to be claimed
    paused_at: Option<Millis>,
    /// Every node has been asked to stop
    swept: bool,
    /// Since when all this is so
    pub moments: Moments,
}

/// The attempt that an update is about
fn attempt_of(update: &NodeUpdate) -> Option<u32> {
    if let NodeUpdate::Start { attempt, .. }
    | NodeUpdate::Heartbeat { attempt, .. }
    | NodeUpdate::Wait { attempt, .. }
    | NodeUpdate::Suspend { attempt, .. }
    | NodeUpdate::Again { attempt, .. }
    | NodeUpdate::Snooze { attempt, .. }
    | NodeUpdate::Retry { attempt, .. }
    | NodeUpdate::Complete { attempt, .. }
    | NodeUpdate::CancelIdle { attempt, .. }
    | NodeUpdate::CancelRunning { attempt, .. } = update
    {
        return Some(*attempt);
    }
    None
}

impl Seen {
    pub fn node(&self, ordinal: u32) -> Option<&NodeRun> {
        self.nodes.get(&ordinal)
    }

    pub fn nodes(&self) -> impl Iterator<Item = &NodeRun> {
        self.nodes.values()
    }

    pub fn is_active(&self) -> bool {
        self.operation.as_ref().is_some_and(Operation::is_active)
    }

    /// Takes the node as it is now, and gives it back as it was
    pub fn put(&mut self, after: &NodeRun) -> Option<NodeRun> {
        let before = self.nodes.insert(after.ordinal, after.clone());
        for to in &after.out {
            self.needs.entry(*to).or_default().insert(after.ordinal);
        }
        for gone in before.iter().flat_map(|node| node.out.difference(&after.out)) {
            self.needs.entry(*gone).or_default().remove(&after.ordinal);
        }
        before
    }

    pub fn moved(
        &mut self,
        before: Option<&NodeRun>,
        after: &NodeRun,
        update: Option<&NodeUpdate>,
        began: Option<Millis>,
        found: &mut Vec<Violation>,
    ) {
        let ordinal = after.ordinal;
        let was = before.map(|node| node.status);
        if let Some(before) = before {
            if before.status.is_terminal() && before.status != after.status {
                found.push(Violation::LeftItsEnd(ordinal));
            }
            if after.attempt < before.attempt {
                found.push(Violation::AttemptFell(ordinal));
            }
            if update.and_then(attempt_of).is_some_and(|attempt| attempt != before.attempt) {
                found.push(Violation::StaleAttempt(ordinal, before.attempt));
            }
        }
        let is_new = |status| after.status == status && was != Some(status);
        let taken_over = before.is_some_and(|it| {
            it.status == NodeStatus::Running
                && after.status == NodeStatus::Running
                && (it.attempt, &it.holder, it.started_at) != (after.attempt, &after.holder, after.started_at)
        });
        if taken_over || (is_new(NodeStatus::Running) && !self.starts.insert((ordinal, after.attempt))) {
            found.push(Violation::StartedTwice(ordinal, after.attempt));
        }
        let claimed = was == Some(NodeStatus::Pending)
            && matches!(after.status, NodeStatus::Ready | NodeStatus::Succeeded);
        if is_new(NodeStatus::Running) || claimed {
            found.extend(self.unsatisfied(ordinal).map(|need| Violation::TooEarly(ordinal, need)));
        }
        let attempt_begins = claimed || is_new(NodeStatus::Running) || is_new(NodeStatus::Ready);
        if attempt_begins && self.swept {
            found.push(Violation::BeganAfterCancel(ordinal));
        }
        if claimed && began.zip(self.paused_at).is_some_and(|(began, paused)| began > paused) {
            found.push(Violation::ClaimedWhilePaused(ordinal));
        }
        if claimed && !self.operation.as_ref().is_some_and(|it| it.materialised) {
            found.push(Violation::ClaimedTooSoon(ordinal));
        }
        if after.status == NodeStatus::Skipped && was != Some(NodeStatus::Skipped) {
            let cancelled = self.operation.as_ref().is_some_and(|it| it.cancel);
            let removed = self.graph.as_ref().is_some_and(|graph| graph.is_removed(ordinal));
            if !cancelled
                && !removed
                && after.result_id.is_none()
                && self.unsatisfied(ordinal).next().is_none()
            {
                found.push(Violation::SkippedForNothing(ordinal));
            }
        }
        if after.closed && !before.is_some_and(|node| node.closed) {
            found.extend(self.untold(after).map(|node| Violation::ClosedBeforeTold(ordinal, node)));
        }
    }

    /// No attempt begins when the time of all of them is over, by the clock of whoever begins it
    pub fn in_time(&self, before: Option<&NodeRun>, after: &NodeRun, found: &mut Vec<Violation>) {
        let begins =
            after.status == NodeStatus::Running && before.is_some_and(|it| it.status != after.status);
        if begins && after.ends_by.zip(after.started_at).is_some_and(|(end, started)| end <= started) {
            found.push(Violation::BeganTooLate(after.ordinal));
        }
    }

    /// Whoever does the work of an attempt has it at that moment
    pub fn is_held(&self, ordinal: u32, attempt: u32, now: Millis, found: &mut Vec<Violation>) {
        let has = |node: &NodeRun| {
            let lease = node.lease_until.is_some_and(|lease| now < lease + CLOCKS);
            node.status == NodeStatus::Running && node.attempt == attempt && lease
        };
        if !self.nodes.get(&ordinal).is_some_and(has) {
            found.push(Violation::NotHeld(ordinal, attempt));
        }
    }

    /// The dependencies of a node that do not let it run
    fn unsatisfied(&self, ordinal: u32) -> impl Iterator<Item = u32> {
        let needs = self.needs.get(&ordinal).into_iter().flatten();
        // What a lost patch has put holds up nobody.
        let needs = needs.filter(|need| self.is_planned(**need));
        needs.filter(|need| !self.nodes.get(need).is_some_and(NodeRun::is_satisfying)).copied()
    }

    /// The dependents of a node that have not heard of its end, or could be claimed and are found by nobody else
    fn untold(&self, node: &NodeRun) -> impl Iterator<Item = u32> {
        let (from, satisfying) = (node.ordinal, node.is_satisfying());
        node.out.iter().copied().filter(move |dependent| {
            self.nodes.get(dependent).is_none_or(|it| {
                let told = satisfying && !it.unmet.contains(&from);
                let lost = it.unmet.is_empty() && !self.held() && !self.is_findable(*dependent);
                it.status == NodeStatus::Pending && (!told || lost)
            })
        })
    }

    /// Whether a node that it waits for has ended and still has to be closed
    fn is_findable(&self, ordinal: u32) -> bool {
        let mut needs =
            self.needs.get(&ordinal).into_iter().flatten().filter_map(|need| self.nodes.get(need));
        needs.any(|need| !need.closed)
    }

    /// Whether something else will drive what can be claimed: a resume, the steps of a patch
    fn held(&self) -> bool {
        let drives = |name: &String| name.starts_with(TODO_PATCH) || name.starts_with(TODO_RESUME);
        self.operation.as_ref().is_none_or(|it| it.paused || it.todo.iter().any(drives))
    }

    /// I10, in both directions
    pub fn edges_hold(&self, ordinal: u32, found: &mut Vec<Violation>) {
        let Some(node) = self.nodes.get(&ordinal).filter(|node| node.status == NodeStatus::Pending) else {
            return;
        };
        if node.unmet.contains(&GUARD) {
            return; // not part of the operation yet
        }
        let lost = self.unsatisfied(ordinal).filter(|need| !node.unmet.contains(need));
        found.extend(lost.map(|need| Violation::LostEdge(need, ordinal)));
        if self.operation.as_ref().is_some_and(|it| it.materialised) {
            let needs = self.needs.get(&ordinal);
            let unknown = node.unmet.iter().filter(|need| !needs.is_some_and(|all| all.contains(need)));
            found.extend(unknown.map(|need| Violation::LostEdge(*need, ordinal)));
        }
    }

    /// Takes the operation as it is now, and gives it back as it was
    pub fn operation_moved(
        &mut self,
        after: &Operation,
        now: Millis,
        found: &mut Vec<Violation>,
    ) -> Option<Operation> {
        let before = self.operation.replace(after.clone());
        self.moments.operation_moved(before.as_ref(), after, now);
        let was_active = before.as_ref().is_none_or(Operation::is_active);
        if !was_active && before.as_ref().is_some_and(|it| it.status != after.status) {
            found.push(Violation::EndedTwice);
        }
        if was_active && !after.is_active() {
            let open = self.planned().filter(|node| !node.status.is_terminal());
            found.extend(open.map(|node| Violation::EndedBefore(node.ordinal)));
        }
        self.paused_at = if after.paused { self.paused_at.or(Some(now)) } else { None };
        self.swept |= after.cancel && after.materialised && !after.todo.contains(TODO_CANCEL);
        before
    }

    /// The nodes that are part of the operation
    pub fn planned(&self) -> impl Iterator<Item = &NodeRun> {
        self.nodes.values().filter(|node| self.is_planned(node.ordinal))
    }

    pub fn at_rest(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        for node in self.planned() {
            if !node.status.is_terminal() {
                found.push(Violation::Hangs(node.ordinal, node.status));
            } else if !node.closed || node.wake.is_some() {
                found.push(Violation::NotClosed(node.ordinal));
            }
            if node.status == NodeStatus::Succeeded {
                let early = self.unsatisfied(node.ordinal);
                found.extend(early.map(|need| Violation::TooEarly(node.ordinal, need)));
            }
        }
        match &self.operation {
            Some(it) if it.is_active() => found.push(Violation::NeverEnded),
            Some(it) if !it.finished || !it.todo.is_empty() || it.wake.is_some() => {
                found.push(Violation::NotFinished(it.todo.iter().cloned().collect()));
            }
            Some(_) | None => {}
        }
        found
    }
}
