//! The statuses of plans and of node runs, and what moves them

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};

/// Where a node run stands
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum NodeStatus {
    /// Waits for other nodes
    Pending,
    /// Claimed: it may start
    Ready,
    /// Somebody is doing it
    Running,
    /// Waits for a person, a gate or another operation
    Waiting,
    /// Done
    Succeeded,
    /// Not done, and will not be
    Failed,
    /// Never started, and will not be
    Skipped,
}

/// What happens to a node run
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum NodeCommand {
    /// All it waited for is there: it is taken up
    Claim,
    /// Nothing has to be done: it ends in the write that would have claimed it
    Pass,
    /// Somebody begins to do it
    Start,
    /// It has to wait for something outside
    Wait,
    /// It is taken up again, as a further attempt
    Retry,
    /// It is done
    Succeed,
    /// It failed for good
    Fail,
    /// It will not be done: what it needs failed, or the operation was cancelled
    Skip,
}

impl NodeStatus {
    /// The status as callers and the table know it
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether nothing ever leaves this status
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Succeeded | Self::Failed | Self::Skipped => true,
            Self::Pending | Self::Ready | Self::Running | Self::Waiting => false,
        }
    }

    /// The status after `command`, or `None` where the command is not allowed
    pub const fn after(self, command: NodeCommand) -> Option<Self> {
        use NodeCommand as C;
        use NodeStatus::{Failed, Pending, Ready, Running, Skipped, Succeeded, Waiting};
        match (self, command) {
            (Pending, C::Claim) | (Running | Waiting, C::Retry) => Some(Ready),
            (Ready, C::Start) => Some(Running),
            (Ready | Running, C::Wait) => Some(Waiting),
            (Pending, C::Pass) | (Ready | Running | Waiting, C::Succeed) => Some(Succeeded),
            (Ready | Running | Waiting, C::Fail) => Some(Failed),
            (Pending | Ready | Waiting, C::Skip) => Some(Skipped),
            (Pending | Ready | Running | Waiting | Succeeded | Failed | Skipped, _) => None,
        }
    }
}

/// Where a plan stands
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum PlanStatus {
    /// Being made
    Draft,
    /// A requirement of it has no provider yet
    Unbound,
    /// It may run
    Ready,
    /// A person accepted it as a whole, where policy asks for that
    Approved,
    /// A person refused it
    Rejected,
    /// An operation runs it, or has run it
    Active,
    /// A later plan of the same intent took its place
    Superseded,
}

/// What happens to a plan
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum PlanCommand {
    /// It was made, but a requirement found no provider
    LeaveUnbound,
    /// It was made, and every requirement has its provider
    Bind,
    /// A person accepts it
    Approve,
    /// A person refuses it
    Reject,
    /// An operation begins to run it
    Activate,
    /// A later plan takes its place
    Supersede,
}

impl PlanStatus {
    /// The status as callers and the table know it
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The status after `command`, or `None` where the command is not allowed
    ///
    /// A plan that runs can not be superseded: what runs is what was read.
    pub const fn after(self, command: PlanCommand) -> Option<Self> {
        use PlanCommand as C;
        use PlanStatus::{Active, Approved, Draft, Ready, Rejected, Superseded, Unbound};
        match (self, command) {
            (Draft, C::LeaveUnbound) => Some(Unbound),
            (Draft | Unbound, C::Bind) => Some(Ready),
            (Ready, C::Approve) => Some(Approved),
            (Ready | Approved, C::Reject) => Some(Rejected),
            (Ready | Approved, C::Activate) => Some(Active),
            (Draft | Unbound | Ready | Approved | Rejected, C::Supersede) => Some(Superseded),
            (Draft | Unbound | Ready | Approved | Rejected | Active | Superseded, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::matrix;

    #[test]
    fn transitions_are_these() {
        matrix("node-transitions.txt", NodeStatus::after);
        matrix("plan-transitions.txt", PlanStatus::after);
    }

    #[test]
    fn nothing_leaves_a_terminal_node_status() {
        for status in NodeStatus::VARIANTS.iter().filter(|status| status.is_terminal()) {
            assert!(NodeCommand::VARIANTS.iter().all(|command| status.after(*command).is_none()));
        }
    }
}
