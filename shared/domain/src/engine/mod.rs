//! The engine's rules: how node runs and operations move
//!
//! The protocol in one sentence: every move is one conditional update of one item, and whatever follows from
//! it may be repeated by anyone. An update here is a *value* with one pure meaning, [`NodeUpdate::apply`] and
//! [`OperationUpdate::apply`]; the table carries the same value out as one `UpdateItem`, and a contract test
//! holds the two together. What to do next is decided from the image that an update returned, never from
//! what was read before it.

#[cfg(test)]
mod condition_tests;
mod drive;
mod node;
mod node_patch;
mod node_update;
mod operation;
mod operation_update;
mod patch;
mod retry;
#[cfg(test)]
mod tests;

pub use drive::{Drive, Hold, after_failure, after_last_failure, claim_allowed, drive, look_again};
pub use node::{NodeRun, Past, Terms};
pub use node_patch::{GUARD, NodePatch};
pub use node_update::NodeUpdate;
pub use operation::{Effective, Operation, OperationInfo, ParentNode};
pub use operation_update::{OperationUpdate, TODO_BEGIN, TODO_CANCEL, TODO_FINISH, TODO_PATCH, TODO_RESUME};
pub use patch::{PatchOn, patch_moves};
pub use retry::{begun_once, left_undone};

use crate::time::Millis;

/// How long a dispatch may stay unanswered in `ready` before it is sent again
pub const DISPATCH_PATIENCE: Millis = Millis::from_secs(20);

/// How often an attempt that an agent may take is looked at: nothing was sent that may be lost, the agent comes when it comes
pub const AGENT_PATIENCE: Millis = Millis::from_secs(3_600);

/// How long the holder of a node may stay silent: it renews the lease with each heartbeat
pub const LEASE: Millis = Millis::from_secs(15);

/// How far the clocks of two machines may differ: who stops at a time by his own clock has stopped this much later by
/// anybody's
pub const CLOCKS: Millis = Millis::from_secs(3);

/// How often a node that waits for something outside is looked at even if nobody hints at it
pub const LOOK_AGAIN: Millis = Millis::from_secs(60);

/// How long an active operation may rest before somebody looks whether it still moves, unless a deployment says otherwise
pub const CHECK_IN: Millis = Millis::from_secs(3_600);

/// How long a node that was asked to stop may take to do so
pub const CANCEL_GRACE: Millis = Millis::from_secs(30);

/// How long consequences may take before anyone else does them again
pub const CONSEQUENCE_PATIENCE: Millis = Millis::from_secs(10);

/// How long one run of a multi-step activity may take before anyone else runs it again
pub const TODO_PATIENCE: Millis = Millis::from_secs(30);

/// After this the table may forget a new node whose patch never became a part of the operation
pub const GUARDED_LIFE: Millis = Millis::from_secs(30 * 24 * 3_600);

/// SQS holds a message back for at most this long; a longer backoff waits in the wake index
pub const QUEUE_DELAY_MAX: Millis = Millis::from_secs(900);

/// How many partitions the wake index has
pub const WAKE_SHARDS: u8 = 16;

/// A condition that did not hold
///
/// Not an error: another writer was first, or the same write had committed and its answer was lost. The
/// caller looks at the image that comes with it and decides again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the item is not as the update expects it")]
pub struct Refused;
