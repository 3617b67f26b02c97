//! What must hold of every change of every item, whatever happened (section 8 of the protocol)

use std::collections::{BTreeMap, BTreeSet};
use weir_domain::{
    engine::NodeRun,
    plan::{Graph, NodeStatus},
};
use weir_store::{Change, Image};

/// Something that should never have happened
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// I1
    #[error("node {0} started before node {1}, which it waits for, had ended well")]
    TooEarly(u32, u32),
    /// I2
    #[error("attempt {1} of node {0} started twice")]
    StartedTwice(u32, u32),
    /// I3
    #[error("node {0} left its end")]
    LeftItsEnd(u32),
    /// I3
    #[error("node {0} fell back to an earlier attempt")]
    AttemptFell(u32),
    /// I6
    #[error("the operation ended before node {0}")]
    EndedBefore(u32),
    /// I9
    #[error("node {0} was closed before node {1} was told")]
    ClosedBeforeTold(u32, u32),
}

/// Every violation in `changes`, in the order in which they were committed
pub(super) fn check(graph: &Graph, changes: &[Change]) -> Vec<Violation> {
    let mut seen = Seen { graph, nodes: BTreeMap::new(), starts: BTreeSet::new(), found: Vec::new() };
    for change in changes {
        match &change.new {
            Some(Image::Node(_, after)) => seen.node(after),
            Some(Image::Operation(operation)) if !operation.is_active() => seen.operation_ended(),
            Some(Image::Operation(_) | Image::Record(_)) | None => {}
        }
    }
    seen.found
}

/// How many of `changes` are writes to a node run that was there before
pub(super) fn node_writes(changes: &[Change]) -> u64 {
    let writes = changes.iter().filter(|change| matches!(&change.old, Some(Image::Node(..)))).count();
    u64::try_from(writes).unwrap_or(u64::MAX)
}

struct Seen<'a> {
    graph: &'a Graph,
    nodes: BTreeMap<u32, NodeRun>,
    starts: BTreeSet<(u32, u32)>,
    found: Vec<Violation>,
}

impl Seen<'_> {
    fn node(&mut self, after: &NodeRun) {
        let ordinal = after.ordinal;
        let before = self.nodes.insert(ordinal, after.clone());
        let was = before.as_ref().map(|node| node.status);
        if let Some(before) = &before {
            if before.status.is_terminal() && before.status != after.status {
                self.found.push(Violation::LeftItsEnd(ordinal));
            }
            if after.attempt < before.attempt {
                self.found.push(Violation::AttemptFell(ordinal));
            }
        }
        let begins = after.status == NodeStatus::Running && was != Some(NodeStatus::Running);
        if begins && !self.starts.insert((ordinal, after.attempt)) {
            self.found.push(Violation::StartedTwice(ordinal, after.attempt));
        }
        if begins || (after.status == NodeStatus::Ready && was == Some(NodeStatus::Pending)) {
            let unmet = |need: &&u32| !self.nodes.get(need).is_some_and(NodeRun::is_satisfying);
            let early: Vec<u32> = self.graph.dependencies(ordinal).iter().filter(unmet).copied().collect();
            self.found.extend(early.into_iter().map(|need| Violation::TooEarly(ordinal, need)));
        }
        if after.closed && !before.is_some_and(|node| node.closed) {
            let untold = |dependent: &&u32| {
                self.nodes.get(dependent).is_none_or(|node| {
                    node.status == NodeStatus::Pending
                        && (!after.is_satisfying() || node.unmet.contains(&ordinal))
                })
            };
            let untold: Vec<u32> = after.out.iter().filter(untold).copied().collect();
            self.found.extend(untold.into_iter().map(|node| Violation::ClosedBeforeTold(ordinal, node)));
        }
    }

    fn operation_ended(&mut self) {
        let open = self.nodes.values().filter(|node| !node.status.is_terminal());
        self.found.extend(open.map(|node| Violation::EndedBefore(node.ordinal)));
    }
}
