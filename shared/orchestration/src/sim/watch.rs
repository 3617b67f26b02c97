//! What must hold after every committed change, whatever happened (section 8 of the protocol)
//!
//! Edges are those of the items, and have to be those of the plan that the operation runs: both follow every patch.

mod deadlines;
mod plan;
mod queue;
mod retry;
mod seen;
mod undo;

use super::{people::Asked, violation::Violation};
use crate::machines::NodeEnd;
use plan::Plans;
use queue::Queues;
use seen::Seen;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use undo::Undone;
use weir_domain::{
    canonical::Digest,
    engine::{NodeRun, NodeUpdate, Operation},
    id::OperationId,
    intervention::intervention_id,
    plan::{Executor, Graph, NodeStatus, NodeType},
    time::Millis,
};
use weir_store::{Change, Image, NodeKey, Record};

/// Everything seen so far
#[derive(Default)]
pub(super) struct Watch {
    operations: BTreeMap<OperationId, Seen>,
    /// How often the effect of an attempt happened
    effects: BTreeMap<(OperationId, u32, u32), u32>,
    plans: Plans,
    queues: Queues,
    /// What was undone
    undone: Undone,
    /// Whatever asks somebody: its id, while it is open
    asking: BTreeSet<String>,
    /// When something went wrong last
    disturbed_at: Millis,
    /// What should never have happened
    pub found: Vec<Violation>,
    /// Writes to node runs that were there before
    pub node_writes: u64,
}

/// Nodes that one call has written, and operations whose whole plan it may have changed
#[derive(Default)]
struct Touched {
    nodes: BTreeSet<(OperationId, u32)>,
    plans: BTreeSet<OperationId>,
}

impl Watch {
    /// Checks what one call has committed, all of it before anyone sees any of it
    pub fn committed(
        &mut self,
        changes: &[Change],
        updates: &[(&NodeKey, &NodeUpdate)],
        began: Option<Millis>,
        now: Millis,
    ) {
        let mut touched = Touched::default();
        for change in changes {
            match &change.new {
                Some(Image::Node(key, after)) => {
                    if matches!(&change.old, Some(Image::Node(..))) {
                        self.node_writes += 1;
                    }
                    let update = updates.iter().find(|(of, _)| *of == key).map(|(_, update)| *update);
                    self.node_moved(key, after, update, began, now);
                    touched.nodes.insert((key.operation, after.ordinal));
                }
                Some(Image::Operation(operation)) => {
                    let id = operation.info.operation_id;
                    touched.plans.extend(self.operation_moved(operation, now).then_some(id));
                }
                Some(Image::Record(record)) => self.recorded(record),
                None => {}
            }
        }
        for (operation, ordinal) in touched.nodes {
            if let Some(seen) = self.operations.get(&operation) {
                seen.edges_hold(ordinal, &mut self.found);
                seen.is_as_planned(ordinal, &mut self.found);
            }
        }
        for operation in touched.plans {
            if let Some(seen) = self.operations.get(&operation) {
                seen.all_as_planned(&mut self.found);
            }
        }
    }

    fn node_moved(
        &mut self,
        key: &NodeKey,
        after: &NodeRun,
        update: Option<&NodeUpdate>,
        began: Option<Millis>,
        now: Millis,
    ) {
        let seen = self.operations.entry(key.operation).or_default();
        let before = seen.put(after);
        seen.moments.node_moved(after.ordinal, now);
        seen.moved(before.as_ref(), after, update, began, &mut self.found);
        seen.in_time(before.as_ref(), after, &mut self.found);
        let begins = before.as_ref().is_some_and(|node| node.attempt < after.attempt);
        if begins && let Some(operation) = &seen.operation {
            self.queues.claimed(&operation.info, &mut self.found);
        }
        if ends_well(before.as_ref(), after) && !by_hand(key.operation, after) {
            let effect = (key.operation, after.ordinal, after.attempt);
            if !self.effects.contains_key(&effect) {
                self.found.push(Violation::NoEffect(after.ordinal, after.attempt));
            }
        }
        let was = before.map(|node| node.status);
        let ended = after.status == NodeStatus::Succeeded && was != Some(NodeStatus::Succeeded);
        if after.terms.kind == NodeType::SubOperation && ended && !by_hand(key.operation, after) {
            let of = |operation: &&Operation| {
                operation.info.parent.is_some_and(|parent| {
                    (parent.operation, parent.ordinal, parent.attempt)
                        == (key.operation, after.ordinal, after.attempt)
                })
            };
            let child = self.operations.values().filter_map(|seen| seen.operation.as_ref()).find(of);
            if child.is_none_or(|child| child.status != weir_domain::operation::OperationStatus::Succeeded) {
                self.found.push(Violation::ChildNotEnded(after.ordinal));
            }
        }
        self.ends_settled(key.operation, was, after);
    }

    /// Whether the plan that it runs is another one than before, or has just been put whole
    fn operation_moved(&mut self, operation: &Operation, now: Millis) -> bool {
        let id = operation.info.operation_id;
        let seen = self.operations.entry(id).or_default();
        let before = seen.operation_moved(operation, now, &mut self.found);
        let was = before.as_ref().map(|it| (it.patch_seq, it.materialised));
        if was.map(|(sequence, _)| sequence) != Some(operation.patch_seq) {
            match self.plans.follow(operation.graph_hash(), seen.graph.as_ref()) {
                Some(graph) => seen.graph = Some(graph),
                None => self.found.push(Violation::NoPlan(operation.graph_hash().to_string())),
            }
        }
        if before.is_none() {
            self.came(operation);
        }
        self.queues.takes_back(&operation.info);
        if !operation.is_active() {
            self.queues.ended(id);
        }
        operation.materialised && was != Some((operation.patch_seq, true))
    }

    fn recorded(&mut self, record: &Record) {
        self.queues.recorded(record, &mut self.found);
        let asks = ["gate_id", "intervention_id"].into_iter().find_map(|name| record.doc.get(name)?.as_str());
        let Some((id, status)) = asks.zip(record.doc.get("status").and_then(Value::as_str)) else { return };
        if status == "open" {
            self.asking.insert(id.to_owned());
        } else {
            self.asking.remove(id);
        }
    }

    /// The graph called `hash`
    pub fn knows(&mut self, hash: Digest, graph: Graph) {
        self.plans.base(hash, graph);
    }

    /// An object was kept: perhaps a patch
    pub fn kept(&mut self, key: &str, bytes: &[u8]) {
        self.plans.kept(key, bytes);
    }

    /// Whatever waits for a person
    pub fn asked(&self) -> Vec<Asked> {
        let active = self.operations.iter().filter(|(_, seen)| seen.is_active());
        let nodes = active.flat_map(|(id, seen)| seen.nodes().map(move |node| (*id, node)));
        let asks = nodes.filter_map(|(operation, node)| {
            let gate = node.terms.kind == NodeType::Gate && node.status == NodeStatus::Waiting;
            let (ordinal, attempt) = (node.ordinal, node.attempt);
            (gate || node.awaits_person()).then_some(Asked { operation, ordinal, attempt, gate })
        });
        asks.collect()
    }

    /// Every operation, as it was last seen
    pub fn operations(&self) -> Vec<Operation> {
        self.operations.values().filter_map(|seen| seen.operation.clone()).collect()
    }

    /// Somebody works on an attempt
    pub fn works(&mut self, operation: OperationId, ordinal: u32, attempt: u32, now: Millis) {
        if let Some(seen) = self.operations.get(&operation) {
            seen.is_held(ordinal, attempt, now, &mut self.found);
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
                seen.node(end.node).is_some_and(|node| {
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
        let mut found: Vec<Violation> = self.operations.values().flat_map(Seen::at_rest).collect();
        found.extend(self.asking.iter().map(|id| Violation::StillAsks(id.clone())));
        found.extend(self.queues.at_rest());
        found.extend(self.not_undone());
        found
    }
}

/// Whether somebody's work has just been said to have ended well
fn ends_well(before: Option<&NodeRun>, after: &NodeRun) -> bool {
    let works = matches!(after.terms.runs, Executor::Job | Executor::Agent(_));
    let was = before.map(|node| node.status);
    let ran = matches!(was, Some(NodeStatus::Running | NodeStatus::Waiting));
    works && ran && after.status == NodeStatus::Succeeded
}

/// Whether a person has ended it
fn by_hand(operation: OperationId, node: &NodeRun) -> bool {
    let id = intervention_id(operation, node.ordinal, node.attempt).to_string();
    node.result_id.as_ref() == Some(&id)
}
