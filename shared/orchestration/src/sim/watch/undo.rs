//! The way back: what was done is undone once, from its end, or left where something before it could not be

use super::{Watch, seen::Seen};
use crate::sim::{violation::Violation, work::undoes};
use std::collections::{BTreeMap, BTreeSet};
use weir_domain::{
    engine::{NodeRun, Operation},
    id::OperationId,
    operation::{OperationStatus, OperationType},
    plan::{NodeStatus, NodeType, OnFailure, PlanNode},
};

/// A node of an operation
type Node = (OperationId, u32);

/// What undid what: by which node
pub(super) type Undone = BTreeMap<Node, Node>;

/// `operation/ordinal/attempt`: what an attempt gave
fn read(name: &str) -> Option<(Node, u32)> {
    let mut parts = name.split('/');
    let node = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some((node, parts.next()?.parse().ok()?))
}

impl Watch {
    /// The node `by` undoes what is called `of`
    pub fn undone(&mut self, of: &str, by: Node) {
        let wrong = match read(of) {
            None => Some("although nothing is called so"),
            Some((node, attempt)) => self.wrongly_undone(node, attempt, by),
        };
        if let Some(wrong) = wrong {
            self.found.push(Violation::UndoneWrongly(of.to_owned(), wrong));
        }
        if let Some((node, _)) = read(of) {
            self.undone.insert(node, by);
        }
    }

    fn wrongly_undone(&self, node: Node, attempt: u32, by: Node) -> Option<&'static str> {
        let done = |run: &NodeRun| run.status == NodeStatus::Succeeded && run.attempt == attempt;
        if !self.run(node).is_some_and(done) {
            return Some("although it was not done");
        }
        if self.undone.get(&node).is_some_and(|before| *before != by) {
            return Some("twice");
        }
        let behind = self.behind(node);
        let is_undone = |node: &Node| {
            let run = self.undone.get(node).and_then(|by| self.run(*by));
            run.is_some_and(|run| run.status == NodeStatus::Succeeded)
        };
        (!behind.iter().all(is_undone)).then_some("before what was done behind it")
    }

    fn run(&self, (operation, ordinal): Node) -> Option<&NodeRun> {
        self.operations.get(&operation)?.node(ordinal)
    }

    /// The operation that an attempt of a node runs
    pub(super) fn child(&self, operation: OperationId, node: &NodeRun) -> Option<&Operation> {
        let is_of = |it: &&Operation| {
            it.info.parent.is_some_and(|parent| {
                (parent.operation, parent.ordinal, parent.attempt) == (operation, node.ordinal, node.attempt)
            })
        };
        self.operations.values().filter_map(|seen| seen.operation.as_ref()).find(is_of)
    }

    /// What was done by the nodes of `operation` that `wanted` wants, by theirs included, and can be undone
    fn done(&self, operation: OperationId, wanted: &dyn Fn(u32) -> bool) -> BTreeSet<Node> {
        let mut found = BTreeSet::new();
        let Some(seen) = self.operations.get(&operation) else { return found };
        let done = seen.nodes().filter(|node| node.status == NodeStatus::Succeeded && wanted(node.ordinal));
        for node in done {
            let planned = seen.graph.as_ref().and_then(|graph| graph.node(node.ordinal));
            if planned.is_some_and(|planned| planned.compensation.is_some()) {
                found.insert((operation, node.ordinal));
            }
            if node.terms.kind == NodeType::SubOperation
                && let Some(child) = self.child(operation, node)
            {
                found.extend(self.done(child.info.operation_id, &|_| true));
            }
        }
        found
    }

    /// What was done behind a node: in its operation, and in those that run that one
    fn behind(&self, (operation, ordinal): Node) -> BTreeSet<Node> {
        let Some(seen) = self.operations.get(&operation) else { return BTreeSet::new() };
        let behind = seen.graph.as_ref().map(|graph| graph.downstream(ordinal)).unwrap_or_default();
        let mut found = self.done(operation, &|it| behind.contains(&it));
        let failed = seen.operation.as_ref().is_some_and(|it| it.status == OperationStatus::Failed);
        let parent = seen.operation.as_ref().and_then(|it| it.info.parent);
        // One that failed is taken back by itself, and what runs it goes on after that.
        if let Some(parent) = parent.filter(|_| !failed) {
            found.extend(self.behind((parent.operation, parent.ordinal)));
        }
        found
    }

    /// The operation that takes `id` back
    pub(super) fn way_back(&self, id: OperationId) -> Option<&Seen> {
        let takes_back = |seen: &&Seen| {
            seen.operation.as_ref().is_some_and(|it| {
                it.info.operation_type == OperationType::Rollback && it.info.rollback_of == Some(id)
            })
        };
        self.operations.values().find(takes_back)
    }

    /// An operation is there that was not: what it takes back has failed, and asks for that; once
    pub(super) fn takes_back(&mut self, new: &Operation) {
        let Some(of) = new.info.rollback_of.filter(|_| new.info.operation_type == OperationType::Rollback)
        else {
            return;
        };
        let others = self.operations.values().filter_map(|seen| seen.operation.as_ref());
        let rivals = others.filter(|it| {
            it.info.operation_type == OperationType::Rollback && it.info.rollback_of == Some(of)
        });
        let wrong = if rivals.count() > 1 {
            "what is taken back already"
        } else if self.operations.get(&of).is_some_and(Seen::asks_for_way_back) {
            return;
        } else {
            "what has not failed so that it has to be"
        };
        self.found.push(Violation::TakesBackWrongly(new.info.operation_id, wrong));
    }

    /// A node that runs an operation hears of its failure when all that follows from that has been done
    pub(super) fn ends_settled(&mut self, operation: OperationId, was: Option<NodeStatus>, after: &NodeRun) {
        let said = after.error.as_ref().is_some_and(|error| error.code == "sub_operation_failed");
        if !said || after.status != NodeStatus::Failed || was == Some(NodeStatus::Failed) {
            return;
        }
        let Some(child) = self.child(operation, after) else { return };
        let way_back = self.way_back(child.info.operation_id).and_then(|seen| seen.operation.as_ref());
        if !child.finished || way_back.is_some_and(|it| !it.finished) {
            self.found.push(Violation::EndedUnsettled(after.ordinal));
        }
    }

    /// What was to be undone, and is not although nothing that had to be undone before it has failed
    pub(super) fn not_undone(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        let asking = self.operations.iter().filter(|(_, seen)| seen.asks_for_way_back());
        for id in asking.map(|(id, _)| id) {
            let done = self.done(*id, &|_| true);
            if done.is_empty() {
                continue;
            }
            let way_back = self.way_back(*id);
            let left = done.iter().filter(|node| !way_back.is_some_and(|way| self.is_settled(way, **node)));
            found.extend(left.map(|(id, ordinal)| Violation::NotUndone(format!("node {ordinal} of {id}"))));
        }
        found
    }

    /// Whether the node was undone on this way back, or what undoes it stands at or behind what has failed there
    fn is_settled(&self, way: &Seen, (operation, ordinal): Node) -> bool {
        let of = format!("{operation}/{ordinal}/");
        let undoes_it = |node: &PlanNode| {
            let contract = node.job_contract.as_ref();
            contract.and_then(undoes).is_some_and(|name| name.starts_with(&of))
        };
        let Some(graph) = &way.graph else { return false };
        let Some((at, _)) = graph.numbered().find(|(_, node)| undoes_it(node)) else { return false };
        match way.node(at).map(|node| node.status) {
            Some(NodeStatus::Succeeded) => self.undone.contains_key(&(operation, ordinal)),
            Some(NodeStatus::Failed) => true,
            Some(NodeStatus::Skipped) => {
                let failed = |need: u32| way.node(need).is_some_and(|it| it.status == NodeStatus::Failed);
                graph.upstream(at).into_iter().any(failed)
            }
            Some(NodeStatus::Pending | NodeStatus::Ready | NodeStatus::Running | NodeStatus::Waiting)
            | None => false,
        }
    }
}

impl Seen {
    /// Whether it has failed, and one of its nodes wants everything taken back then
    pub(super) fn asks_for_way_back(&self) -> bool {
        let asks = |node: &NodeRun| {
            node.status == NodeStatus::Failed && node.terms.on_failure == OnFailure::Rollback
        };
        let failed = |it: &Operation| {
            it.status == OperationStatus::Failed && it.info.operation_type == OperationType::ScenarioRun
        };
        self.operation.as_ref().is_some_and(failed) && self.nodes().any(asks)
    }
}
