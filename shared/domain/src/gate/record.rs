//! The record of a gate: what it asks for, what was said, what it answered

use super::{answer::GateResult, approval::COMMENT_MAX, spec::GateSpec};
use crate::{
    actor::{Actor, Via},
    canonical::Digest,
    definition::address::Address,
    id::{GateId, OperationId, PromotionId},
    plan::NodeId,
    time::{Millis, Time},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};

/// Where a gate stands
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    JsonSchema,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum GateStatus {
    /// It waits
    Open,
    /// What waited may go on
    Allowed,
    /// It may not, and will not
    Denied,
    /// Nobody decided in time
    Expired,
    /// What it was for has ended, or is something else now
    Void,
}

/// What happens to a gate
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum GateCommand {
    /// Its condition is fulfilled
    Allow,
    /// Its condition will not be fulfilled
    Deny,
    /// Its time is over
    Expire,
    /// What it was for has ended
    Void,
}

impl GateStatus {
    /// The status as callers and the table know it
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The status after `command`, or `None` where the command is not allowed
    pub const fn after(self, command: GateCommand) -> Option<Self> {
        match (self, command) {
            (Self::Open, GateCommand::Allow) => Some(Self::Allowed),
            (Self::Open, GateCommand::Deny) => Some(Self::Denied),
            (Self::Open, GateCommand::Expire) => Some(Self::Expired),
            (Self::Open, GateCommand::Void) => Some(Self::Void),
            (Self::Allowed | Self::Denied | Self::Expired | Self::Void, _) => None,
        }
    }
}

/// What a person says
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    JsonSchema,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum DecisionAction {
    /// It may go on, as far as they are concerned
    Approved,
    /// It may not
    Rejected,
}

/// What one person said, and on what
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GateDecision {
    /// Who
    pub actor: Actor,
    /// What they said
    pub action: DecisionAction,
    /// Why, in their words
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// When
    pub at: Time,
    /// How they were recognised
    pub via: Via,
    /// The part of the plan that they decided on
    pub closure_hash: Digest,
}

/// A gate of an operation
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gate {
    /// Which gate
    pub gate_id: GateId,
    /// The operation that waits
    pub operation_id: OperationId,
    /// The number of the node that waits
    pub ordinal: u32,
    /// Its name
    pub node_id: NodeId,
    /// What is asked for
    pub spec: GateSpec,
    /// Where it stands
    pub status: GateStatus,
    /// What it is about, for people: `shop 1.0.0 → production`
    pub subject: String,
    /// The environment that would be changed
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Address>,
    /// The promotion that waits
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion_id: Option<PromotionId>,
    /// Who asked for what waits
    pub requested_by: Actor,
    /// What is decided on: the gate, and everything before and after it in the plan
    pub closure_hash: Digest,
    /// What was said so far
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<GateDecision>,
    /// When it began to wait
    pub created_at: Time,
    /// When it expires
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// When it ended
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<Time>,
    /// What it answered for good
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Box<GateResult>>,
}

/// What somebody wants to say
#[derive(Debug, Clone)]
pub struct DecisionRequest<'a> {
    /// Who
    pub actor: &'a Actor,
    /// What
    pub action: DecisionAction,
    /// Why, in their words
    pub comment: Option<&'a str>,
    /// What they were shown; `None` where the caller shows nothing else than the gate as it is
    pub closure_hash: Option<&'a Digest>,
    /// When
    pub now: Millis,
}

/// Why somebody's decision does not count
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum GateRefusal {
    /// It is decided already, or what it was for has ended
    #[error("the gate is closed: it does not wait for a decision any more")]
    GateClosed,
    /// Nobody decided in time
    #[error("the gate has expired")]
    GateExpired,
    /// It is not for people to decide
    #[error("this gate opens by itself and cannot be decided by anyone")]
    NotDecidable,
    /// The plan is not what they were shown
    #[error("the plan has changed since it was shown; look at it again before deciding")]
    HashChanged,
    /// There is nobody behind the actor
    #[error("only people decide, or an agent that acts for one")]
    NotAPerson,
    /// They asked for it themselves
    #[error("whoever asked for this may not decide on it, nor may an agent that acts for them")]
    SeparationOfDuties,
    /// It is not theirs to decide
    #[error("only members of the eligible groups may decide on this")]
    NotEligible,
    /// Once is enough
    #[error("this person has already decided")]
    AlreadyDecided,
    /// It does not fit
    #[error("the comment is longer than {COMMENT_MAX} characters")]
    CommentTooLong,
    /// What is opened by hand is opened for a reason
    #[error("say why: a gate that is opened by hand is decided with a comment")]
    CommentMissing,
}

impl GateRefusal {
    /// A code for programs; part of the contract: add, never rename
    pub fn code(self) -> &'static str {
        self.into()
    }
}

/// A fact about a gate
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum GateEvent {
    /// Somebody said something
    Decided {
        /// What
        decision: Box<GateDecision>,
    },
    /// It does not wait any more
    Ended {
        /// How it stands now
        status: GateStatus,
        /// Since when
        at: Time,
        /// What it answered for good; none where it was not asked any more
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<Box<GateResult>>,
    },
}

/// `gate` after `event`: the only way a gate ever changes
pub fn apply(mut gate: Gate, event: &GateEvent) -> Gate {
    match event {
        GateEvent::Decided { decision } => gate.decisions.push((**decision).clone()),
        GateEvent::Ended { status, at, result } => {
            gate.status = *status;
            gate.decided_at = Some(*at);
            gate.result.clone_from(result);
        }
    }
    gate
}
