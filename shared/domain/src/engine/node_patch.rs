//! The conditional writes of a plan patch on a node run
//!
//! Who waits for whom is changed by patches only, and they come one after the other: so what a node had in `out`
//! needs no condition. What it still waits for is changed by every tell, and does.

use super::{NodeRun, Terms};
use crate::{failure::FailureSummary, plan::NodeStatus, time::Millis};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The ordinal that a new node waits for until its patch is a part of the operation; no node has it
pub const GUARD: u32 = 0;

/// One conditional write of a patch on one node run
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum NodePatch {
    /// A node that has not started waits for others, or is done in another way
    Rewire {
        /// What it still waited for when the patch was made: a tell in between refuses it
        seen: BTreeSet<u32>,
        /// What it still waits for now
        unmet: BTreeSet<u32>,
        /// Who waits for it now
        out: BTreeSet<u32>,
        /// What the engine has to know of its contract, if anything
        terms: Option<Box<Terms>>,
    },
    /// Others wait for a node that has not ended
    Link {
        /// Who waits for it now
        out: BTreeSet<u32>,
    },
    /// Others wait for a node that has ended: its consequences are to be done again
    Reopen {
        /// Who waits for it now
        out: BTreeSet<u32>,
        /// Now
        now: Millis,
    },
    /// A node that has not started will not run, and nobody waits for it any more
    Remove {
        /// Now
        now: Millis,
        /// Why
        error: FailureSummary,
    },
    /// A new node becomes a part of the operation. Repeatable: it deletes the guard from a set
    Admit,
}

impl NodePatch {
    /// The condition
    pub fn allows(&self, node: &NodeRun) -> bool {
        match self {
            Self::Rewire { seen, .. } => node.status == NodeStatus::Pending && node.unmet == *seen,
            Self::Link { .. } => !node.status.is_terminal(),
            Self::Reopen { .. } => node.status.is_terminal(),
            Self::Remove { .. } => node.status == NodeStatus::Pending,
            Self::Admit => true,
        }
    }

    /// What it changes
    pub(super) fn change(&self, node: &mut NodeRun) {
        let link = |node: &mut NodeRun, out: &BTreeSet<u32>| {
            node.out.clone_from(out);
            node.out_ver += 1;
        };
        match self {
            Self::Rewire { unmet, out, terms, .. } => {
                node.unmet.clone_from(unmet);
                if let Some(terms) = terms {
                    node.terms = Terms::clone(terms);
                }
                link(node, out);
            }
            Self::Link { out } => link(node, out),
            Self::Reopen { out, now } => {
                node.closed = false;
                node.wake = Some(*now);
                link(node, out);
            }
            Self::Remove { now, error } => {
                node.status = NodeStatus::Skipped;
                node.finished_at = Some(*now);
                node.error = Some(error.clone());
                node.wake = Some(*now);
                node.lease_until = None;
                link(node, &BTreeSet::new());
            }
            Self::Admit => {
                node.unmet.remove(&GUARD);
                node.expires_at = None;
            }
        }
    }
}
