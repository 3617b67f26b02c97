//! What must hold after every committed change, whatever happened (section 8 of the protocol)
//!
//! Edges are those of the items, not of a plan: they follow every patch.

use super::violation::Violation;
use crate::machines::NodeEnd;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use weir_domain::{
    engine::{NodeRun, NodeUpdate, Operation, TODO_CANCEL, TODO_RESUME},
    id::OperationId,
    plan::{Executor, NodeStatus},
    time::Millis,
};
use weir_store::{Change, Image};

/// The ordinal that guards a node of a patch that has not been committed
const GUARD: u32 = 0;

/// Everything seen so far
#[derive(Default)]
pub(super) struct Watch {
    operations: BTreeMap<OperationId, Seen>,
    /// How often the effect of an attempt happened
    effects: BTreeMap<(OperationId, u32, u32), u32>,
    /// What should never have happened
    pub found: Vec<Violation>,
    /// Writes to node runs that were there before
    pub node_writes: u64,
}

/// What is known of one operation
#[derive(Default)]
struct Seen {
    operation: Option<Operation>,
    nodes: BTreeMap<u32, NodeRun>,
    /// The nodes that each waits for, by the `out` of those
    needs: BTreeMap<u32, BTreeSet<u32>>,
    starts: BTreeSet<(u32, u32)>,
    /// Since when nothing is to be claimed
    paused_at: Option<Millis>,
    /// Every node has been asked to stop
    swept: bool,
}

impl Watch {
    /// Checks what one call has committed, all of it before anyone sees any of it
    pub fn committed(
        &mut self,
        changes: &[Change],
        update: Option<&NodeUpdate>,
        began: Option<Millis>,
        now: Millis,
    ) {
        let mut touched = BTreeSet::new();
        for change in changes {
            match &change.new {
                Some(Image::Node(key, after)) => {
                    if matches!(&change.old, Some(Image::Node(..))) {
                        self.node_writes += 1;
                    }
                    let seen = self.operations.entry(key.operation).or_default();
                    let before = seen.nodes.insert(after.ordinal, NodeRun::clone(after));
                    for to in &after.out {
                        seen.needs.entry(*to).or_default().insert(after.ordinal);
                    }
                    for gone in before.iter().flat_map(|node| node.out.difference(&after.out)) {
                        seen.needs.entry(*gone).or_default().remove(&after.ordinal);
                    }
                    seen.moved(before.as_ref(), after, update, began, &mut self.found);
                    if ends_well(before.as_ref(), after) {
                        let effect = (key.operation, after.ordinal, after.attempt);
                        if !self.effects.contains_key(&effect) {
                            self.found.push(Violation::NoEffect(after.ordinal, after.attempt));
                        }
                    }
                    touched.insert((key.operation, after.ordinal));
                }
                Some(Image::Operation(operation)) => {
                    let seen = self.operations.entry(operation.info.operation_id).or_default();
                    seen.operation_moved(operation, now, &mut self.found);
                }
                Some(Image::Record(_)) | None => {}
            }
        }
        for (operation, ordinal) in touched {
            if let Some(seen) = self.operations.get(&operation) {
                seen.edges_hold(ordinal, &mut self.found);
            }
        }
    }

    /// The effect of an attempt happens
    pub fn effect(&mut self, operation: OperationId, ordinal: u32, attempt: u32) {
        let count = self.effects.entry((operation, ordinal, attempt)).or_default();
        *count += 1;
        if *count > 1 {
            self.found.push(Violation::DoubledEffect(ordinal, attempt));
        }
    }

    /// How many effects happened more than once
    pub fn doubled(&self) -> usize {
        self.effects.values().filter(|count| **count > 1).count()
    }

    /// A token was sent back with `output`
    pub fn sent(&mut self, token: &str, end: Option<&NodeEnd>, output: &Value) {
        let ended = match end {
            Some(end) => self.operations.values().any(|seen| {
                let node = seen.nodes.get(&end.node);
                node.is_some_and(|node| {
                    node.tokens.contains(token) && node.status.is_terminal() && node.status == end.status
                })
            }),
            None => self.operations.values().any(|seen| {
                let operation = seen.operation.as_ref();
                operation.is_some_and(|it| {
                    it.tokens.contains(token) && !it.is_active() && output["status"] == it.status.as_str()
                })
            }),
        };
        if !ended {
            self.found.push(Violation::SentTooEarly(token.to_owned()));
        }
    }

    /// The engine met what cannot be
    pub fn inconsistent(&mut self, function: &'static str, what: &str) {
        self.found.push(Violation::Inconsistent(function, what.to_owned()));
    }

    /// What is not as it must be once everything rests
    pub fn at_rest(&self) -> Vec<Violation> {
        self.operations.values().flat_map(Seen::at_rest).collect()
    }
}

/// Whether somebody's work has just been said to have ended well
fn ends_well(before: Option<&NodeRun>, after: &NodeRun) -> bool {
    let works = matches!(after.terms.runs, Executor::Job | Executor::Agent(_));
    let was = before.is_some_and(|node| node.status == NodeStatus::Running);
    works && was && after.status == NodeStatus::Succeeded
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
    fn moved(
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
        if is_new(NodeStatus::Running) && !self.starts.insert((ordinal, after.attempt)) {
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
            if !cancelled && self.unsatisfied(ordinal).next().is_none() {
                found.push(Violation::SkippedForNothing(ordinal));
            }
        }
        if after.closed && !before.is_some_and(|node| node.closed) {
            found.extend(self.untold(after).map(|node| Violation::ClosedBeforeTold(ordinal, node)));
        }
    }

    /// The dependencies of a node that do not let it run
    fn unsatisfied(&self, ordinal: u32) -> impl Iterator<Item = u32> {
        let needs = self.needs.get(&ordinal).into_iter().flatten();
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

    /// Whether something else will drive what can be claimed: a resume
    fn held(&self) -> bool {
        self.operation.as_ref().is_none_or(|it| it.paused || it.todo.contains(TODO_RESUME))
    }

    /// I10, in both directions
    fn edges_hold(&self, ordinal: u32, found: &mut Vec<Violation>) {
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

    fn operation_moved(&mut self, after: &Operation, now: Millis, found: &mut Vec<Violation>) {
        let before = self.operation.replace(after.clone());
        let was_active = before.as_ref().is_none_or(Operation::is_active);
        if !was_active && before.as_ref().is_some_and(|it| it.status != after.status) {
            found.push(Violation::EndedTwice);
        }
        if was_active && !after.is_active() {
            let open = self.committed_nodes().filter(|node| !node.status.is_terminal());
            found.extend(open.map(|node| Violation::EndedBefore(node.ordinal)));
        }
        self.paused_at = if after.paused { self.paused_at.or(Some(now)) } else { None };
        self.swept |= after.cancel && after.materialised && !after.todo.contains(TODO_CANCEL);
    }

    /// The nodes that are part of the operation
    fn committed_nodes(&self) -> impl Iterator<Item = &NodeRun> {
        self.nodes.values().filter(|node| !node.unmet.contains(&GUARD))
    }

    fn at_rest(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        for node in self.committed_nodes() {
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
