//! What differs between a graph and the same graph after a patch

use crate::plan::Graph;
use std::collections::BTreeSet;

/// What differs between a graph and the same graph after a patch, by ordinal
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diff {
    /// New nodes
    pub added: BTreeSet<u32>,
    /// Nodes that will not run any more
    pub removed: BTreeSet<u32>,
    /// Nodes that wait for others, or are done in another way: none of them may have started
    pub changed: BTreeSet<u32>,
    /// Nodes that only others wait for than before
    pub linked: BTreeSet<u32>,
}

impl Diff {
    /// The nodes whose part of the plan is another one: what an approval given before did not know of
    pub fn altered(&self) -> BTreeSet<u32> {
        self.added.union(&self.changed).copied().collect()
    }

    /// Everything that was there before and is not as it was
    pub fn touched(&self) -> impl Iterator<Item = u32> {
        self.removed.iter().chain(&self.changed).chain(&self.linked).copied()
    }
}

/// What differs between `before` and `after`, which is `before` with a patch
pub fn diff(before: &Graph, after: &Graph) -> Diff {
    let mut diff = Diff::default();
    for (ordinal, node) in after.numbered() {
        let Some(old) = before.node(ordinal) else {
            diff.added.insert(ordinal);
            continue;
        };
        if before.is_removed(ordinal) {
            continue;
        }
        if after.is_removed(ordinal) {
            diff.removed.insert(ordinal);
        } else if old != node {
            diff.changed.insert(ordinal);
        } else if before.dependents(ordinal) != after.dependents(ordinal) {
            diff.linked.insert(ordinal);
        }
    }
    diff
}
