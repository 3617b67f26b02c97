//! Where an operation stands, what moves it, and what of its parallel nodes it shows

use crate::plan::{NodeStatus, NodeType};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use strum::{EnumString, IntoStaticStr, VariantArray};

/// Where an operation stands
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
pub enum OperationStatus {
    /// Its record is there, its nodes are being put
    Created,
    /// Nothing of it runs yet
    Queued,
    /// A node runs
    Running,
    /// It waits for a gate
    WaitingGate,
    /// It waits for a person to do something
    WaitingIntervention,
    /// Somebody asked that nothing further begins
    Paused,
    /// Only verifications run
    Verifying,
    /// Everything was done
    Succeeded,
    /// Something was not done, and will not be
    Failed,
    /// Somebody asked that it ends
    Cancelled,
    /// It failed, and undid what it had done
    RolledBack,
}

/// What happens to an operation
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum OperationCommand {
    /// All its nodes are there
    Queue,
    /// A node runs
    Run,
    /// Nothing runs, and a gate is waited for
    WaitGate,
    /// Nothing runs, and a person is waited for
    WaitIntervention,
    /// Only verifications run
    Verify,
    /// Nothing further is to begin
    Pause,
    /// It may go on
    Resume,
    /// Everything was done
    Succeed,
    /// Something failed for good
    Fail,
    /// It is to end
    Cancel,
    /// What it did is undone
    RollBack,
}

impl OperationStatus {
    /// The status as callers and the table know it
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether nothing ever leaves this status
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Succeeded | Self::Failed | Self::Cancelled | Self::RolledBack => true,
            Self::Created
            | Self::Queued
            | Self::Running
            | Self::WaitingGate
            | Self::WaitingIntervention
            | Self::Paused
            | Self::Verifying => false,
        }
    }

    /// The status after `command`, or `None` where the command is not allowed
    ///
    /// What runs already is not stopped by a pause, so a paused operation may still end by itself.
    pub const fn after(self, command: OperationCommand) -> Option<Self> {
        use OperationCommand as C;
        use OperationStatus::{
            Cancelled, Created, Failed, Paused, Queued, RolledBack, Running, Succeeded, Verifying,
            WaitingGate, WaitingIntervention,
        };
        match (self, command) {
            (Created, C::Queue) => Some(Queued),
            (Created | Queued | WaitingGate | WaitingIntervention | Verifying, C::Run)
            | (Paused, C::Resume) => Some(Running),
            (Queued | Running | WaitingIntervention | Verifying, C::WaitGate) => Some(WaitingGate),
            (Queued | Running | WaitingGate | Verifying, C::WaitIntervention) => Some(WaitingIntervention),
            (Queued | Running | WaitingGate | WaitingIntervention, C::Verify) => Some(Verifying),
            (Queued | Running | WaitingGate | WaitingIntervention | Verifying, C::Pause) => Some(Paused),
            (Running | WaitingGate | WaitingIntervention | Paused | Verifying, C::Succeed) => Some(Succeeded),
            (Running | WaitingGate | WaitingIntervention | Paused | Verifying, C::RollBack) => {
                Some(RolledBack)
            }
            (
                Created | Queued | Running | WaitingGate | WaitingIntervention | Paused | Verifying,
                C::Fail,
            ) => Some(Failed),
            (
                Created | Queued | Running | WaitingGate | WaitingIntervention | Paused | Verifying,
                C::Cancel,
            ) => Some(Cancelled),
            (
                Created | Queued | Running | WaitingGate | WaitingIntervention | Paused | Verifying
                | Succeeded | Failed | Cancelled | RolledBack,
                _,
            ) => None,
        }
    }
}

/// What the shown status is made from
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// How it ended, if it has
    pub outcome: Option<OperationStatus>,
    /// Somebody asked that it ends
    pub asked_cancel: bool,
    /// Somebody asked that nothing further begins
    pub paused: bool,
    /// It waits for resources that others use
    pub queued: bool,
    /// All its nodes are there
    pub materialised: bool,
    /// How many nodes of each type stand where
    pub counts: BTreeMap<(NodeStatus, NodeType), u32>,
}

/// The status that people are shown: the first that applies
///
/// A node of another type than gate that waits, waits for a person (`on_failure: pause`); one that waits for another
/// operation runs, as far as anyone can see. A node that is ready but not taken up does not run.
pub fn shown_status(shown: &Shown) -> OperationStatus {
    let any = |status: NodeStatus, of: fn(NodeType) -> bool| {
        shown.counts.iter().any(|((at, node_type), count)| *at == status && of(*node_type) && *count > 0)
    };
    if let Some(outcome) = shown.outcome {
        outcome
    } else if shown.asked_cancel {
        OperationStatus::Cancelled
    } else if shown.paused {
        OperationStatus::Paused
    } else if any(NodeStatus::Running, |of| of != NodeType::Verification)
        || any(NodeStatus::Waiting, |of| of == NodeType::SubOperation)
    {
        OperationStatus::Running
    } else if any(NodeStatus::Running, |of| of == NodeType::Verification) {
        OperationStatus::Verifying
    } else if any(NodeStatus::Waiting, |of| !matches!(of, NodeType::Gate | NodeType::SubOperation)) {
        OperationStatus::WaitingIntervention
    } else if any(NodeStatus::Waiting, |of| of == NodeType::Gate) {
        OperationStatus::WaitingGate
    } else if shown.materialised || shown.queued {
        OperationStatus::Queued
    } else {
        OperationStatus::Created
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transitions_are_these() {
        crate::golden::matrix("operation-transitions.txt", OperationStatus::after);
    }

    #[test]
    fn exactly_the_terminal_statuses_are_never_left() {
        for status in OperationStatus::VARIANTS {
            let left = OperationCommand::VARIANTS.iter().any(|command| status.after(*command).is_some());
            assert_eq!(left, !status.is_terminal(), "{status:?}");
        }
    }

    #[test]
    fn the_first_that_applies_is_shown() {
        use NodeStatus as S;
        use NodeType as T;
        let shown = |asked_cancel, paused, counts: &[(S, T)]| {
            let counts = counts.iter().map(|at| (*at, 1)).collect();
            shown_status(&Shown {
                outcome: None,
                asked_cancel,
                paused,
                queued: false,
                materialised: true,
                counts,
            })
            .as_str()
        };
        let gate = (S::Waiting, T::Gate);
        let by_hand = (S::Waiting, T::Intervention);
        let check = (S::Running, T::Verification);
        let job = (S::Running, T::Job);
        assert_eq!(shown(true, true, &[job]), "cancelled");
        assert_eq!(shown(false, true, &[job]), "paused");
        assert_eq!(shown(false, false, &[gate, by_hand, check, job]), "running");
        assert_eq!(shown(false, false, &[gate, (S::Waiting, T::SubOperation)]), "running");
        assert_eq!(shown(false, false, &[gate, by_hand, check]), "verifying");
        assert_eq!(shown(false, false, &[gate, by_hand]), "waiting_intervention");
        assert_eq!(shown(false, false, &[(S::Waiting, T::Job)]), "waiting_intervention");
        assert_eq!(shown(false, false, &[gate, (S::Ready, T::Job)]), "waiting_gate");
        assert_eq!(shown(false, false, &[(S::Ready, T::Job), (S::Pending, T::Job)]), "queued");
        assert_eq!(shown_status(&Shown::default()).as_str(), "created");
        assert_eq!(shown_status(&Shown { queued: true, ..Shown::default() }).as_str(), "queued");
        let ended = Shown { outcome: Some(OperationStatus::Failed), asked_cancel: true, ..Shown::default() };
        assert_eq!(shown_status(&ended), OperationStatus::Failed);
    }
}
