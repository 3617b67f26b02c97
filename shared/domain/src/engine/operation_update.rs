//! Every conditional write on an operation's item: its condition and what it changes

use super::{
    Refused,
    operation::{Effective, Operation},
};
use crate::{failure::FailureSummary, operation::OperationStatus, time::Millis};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use strum::IntoStaticStr;

/// Put every node, start every segment, drive the roots
pub const TODO_BEGIN: &str = "begin";
/// End every open node
pub const TODO_CANCEL: &str = "cancel";
/// Drive every pending node: `resume:<id>`, since one that looked before the next pause has not done it for the next resume
pub const TODO_RESUME: &str = "resume:";
/// Counts, evidence, locks, what depends on the operation
pub const TODO_FINISH: &str = "finish";
/// Admit the new nodes of a patch, start their segments, drive what it touched: `patch:<sequence>`
pub const TODO_PATCH: &str = "patch:";

/// One conditional write on one operation
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr)]
pub enum OperationUpdate {
    /// The root execution's token arrived. No condition but that the operation exists
    Arrive {
        /// The token
        token: String,
    },
    /// Every node has been put. Only from here on may anything be driven
    Materialise {
        /// Now
        now: Millis,
    },
    /// A multi-step activity is under way; whoever finds it after `wake` runs it again
    AddTodo {
        /// Its name
        name: String,
        /// When to run it again if it has not been taken off
        wake: Millis,
    },
    /// A multi-step activity is done: takes off its own name only
    RemoveTodo {
        /// Its name
        name: String,
    },
    /// Nothing is under way any more: look again at `wake` whether it still moves, or never
    Rest {
        /// When to look again; none once the operation has ended
        wake: Option<Millis>,
    },
    /// All nodes of a segment have ended
    CloseSegment {
        /// Which
        segment: u32,
    },
    /// A segment's execution had to be started again
    Revive {
        /// How often that had happened before
        seen: u32,
    },
    /// The operation ends: no segment is open, and nobody has ended it
    Finish {
        /// How
        status: OperationStatus,
        /// Now
        now: Millis,
        /// When to run what follows again if it was not done
        wake: Millis,
        /// Why it did not succeed
        failure_summary: Option<FailureSummary>,
        /// What was counted
        summary_counts: BTreeMap<String, u64>,
    },
    /// Everything that follows from the end has been done
    Finished,
    /// Stop: end every open node
    Cancel {
        /// Who asks
        by: String,
        /// Why, where nobody has asked: without anything that may be secret
        why: Option<String>,
        /// When to sweep again if the sweep was not done
        wake: Millis,
    },
    /// Claim nothing
    Pause {
        /// Who asks
        by: String,
        /// Now
        now: Millis,
    },
    /// Claim again, and drive every node that was held
    Resume {
        /// Which resume it is
        id: String,
        /// When to drive again if it was not done
        wake: Millis,
    },
    /// Keep the numbers of further segments for a patch. Adding to a number: repeated, it wastes some
    Reserve {
        /// How many
        segments: u32,
    },
    /// The next patch becomes a part of the operation
    Patch {
        /// How many there were before: patches come one after the other
        seen: u32,
        /// What it runs from now on
        effective: Effective,
        /// The segments of the new nodes
        open: BTreeSet<u32>,
        /// When to do what follows again if it was not done
        wake: Millis,
    },
}

impl OperationUpdate {
    /// The operation after the update, or `Refused` where its condition does not hold
    pub fn apply(&self, operation: &Operation) -> Result<Operation, Refused> {
        if !self.allows(operation) {
            return Err(Refused);
        }
        let mut after = operation.clone();
        self.change(&mut after);
        Ok(after)
    }

    /// The condition
    pub fn allows(&self, operation: &Operation) -> bool {
        let active = operation.is_active();
        match self {
            Self::Arrive { .. }
            | Self::AddTodo { .. }
            | Self::RemoveTodo { .. }
            | Self::CloseSegment { .. } => true,
            Self::Rest { .. } => operation.todo.is_empty(),
            Self::Materialise { .. } => active && !operation.materialised,
            Self::Revive { seen } => active && operation.revivals == *seen,
            Self::Finish { .. } => active && operation.open.is_empty(),
            Self::Finished => !active,
            Self::Cancel { .. } => active && !operation.cancel,
            Self::Pause { .. } => active && !operation.cancel && !operation.paused,
            Self::Resume { .. } => active && operation.paused,
            Self::Reserve { .. } => active && !operation.cancel,
            // An open segment is what keeps an operation from ending.
            Self::Patch { seen, .. } => {
                operation.patch_seq == *seen
                    && operation.materialised
                    && !operation.open.is_empty()
                    && !operation.cancel
            }
        }
    }

    fn change(&self, operation: &mut Operation) {
        let todo = |operation: &mut Operation, name: &str, wake: Millis| {
            operation.todo.insert(name.to_owned());
            operation.wake = Some(wake);
        };
        match self {
            Self::Arrive { token } => {
                operation.tokens.insert(token.clone());
            }
            Self::Materialise { now } => {
                operation.materialised = true;
                operation.status = OperationStatus::Running;
                operation.started_at = Some(*now);
            }
            Self::AddTodo { name, wake } => todo(operation, name, *wake),
            Self::RemoveTodo { name } => {
                operation.todo.remove(name);
            }
            Self::Rest { wake } => operation.wake = *wake,
            Self::CloseSegment { segment } => {
                operation.open.remove(segment);
            }
            Self::Revive { .. } => operation.revivals += 1,
            Self::Finish { status, now, wake, failure_summary, summary_counts } => {
                operation.status = *status;
                operation.completed_at = Some(*now);
                operation.failure_summary.clone_from(failure_summary);
                operation.summary_counts.clone_from(summary_counts);
                todo(operation, TODO_FINISH, *wake);
            }
            Self::Finished => operation.finished = true,
            Self::Cancel { by, why, wake } => {
                operation.cancel = true;
                operation.cancelled_by = Some(by.clone());
                operation.cancelled_because.clone_from(why);
                todo(operation, TODO_CANCEL, *wake);
            }
            Self::Pause { by, now } => {
                operation.paused = true;
                operation.paused_by = Some(by.clone());
                operation.paused_at = Some(*now);
            }
            Self::Resume { id, wake } => {
                operation.paused = false;
                operation.paused_by = None;
                operation.paused_at = None;
                todo(operation, &format!("{TODO_RESUME}{id}"), *wake);
            }
            Self::Reserve { segments } => operation.reserved += segments,
            Self::Patch { seen, effective, open, wake } => {
                operation.patch_seq = seen + 1;
                operation.effective = Some(effective.clone());
                operation.open.extend(open);
                todo(operation, &format!("{TODO_PATCH}{}", seen + 1), *wake);
            }
        }
    }
}
