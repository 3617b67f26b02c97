//! Gates that people decide

use super::{
    spec::{ApprovalGate, GateSpec},
    verdict::{ReasonCode, Verdict, VerdictResult},
};
use crate::{
    actor::{Actor, ActorKind, Via},
    canonical::Digest,
    definition::address::Address,
    id::{GateId, OperationId, PromotionId},
    plan::NodeId,
    time::{Millis, Time},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use strum::{EnumString, IntoStaticStr, VariantArray};

/// Longest comment on a decision, in characters
pub const COMMENT_MAX: usize = 2_000;

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
    },
}

/// Decides whether what `request` says counts, and whether it ends the gate
pub fn decide(gate: &Gate, request: &DecisionRequest<'_>) -> Result<Vec<GateEvent>, GateRefusal> {
    let approval = may_decide(gate, request)?;
    let decision = GateDecision {
        actor: request.actor.clone(),
        action: request.action,
        comment: request.comment.map(str::to_owned),
        at: request.now.into(),
        via: request.actor.via,
        closure_hash: gate.closure_hash.clone(),
    };
    let decided = GateEvent::Decided { decision: Box::new(decision) };
    let after = apply(gate.clone(), &decided);
    let command = match quorum(&after, approval, request.now).result {
        VerdictResult::Allow => GateCommand::Allow,
        VerdictResult::Deny => GateCommand::Deny,
        VerdictResult::Pending => return Ok(vec![decided]),
    };
    Ok(std::iter::once(decided).chain(ended(gate, command, request.now)).collect())
}

/// Checks everything about who decides and when; gives what the gate asks for
fn may_decide<'a>(gate: &'a Gate, request: &DecisionRequest<'_>) -> Result<&'a ApprovalGate, GateRefusal> {
    let GateSpec::Approval(approval) = &gate.spec else { return Err(GateRefusal::NotDecidable) };
    let actor = request.actor;
    if gate.status != GateStatus::Open {
        return Err(GateRefusal::GateClosed);
    }
    if gate.expires_at.is_some_and(|expires| expires.millis() <= request.now) {
        return Err(GateRefusal::GateExpired);
    }
    if request.closure_hash.is_some_and(|shown| *shown != gate.closure_hash) {
        return Err(GateRefusal::HashChanged);
    }
    let is_person = match actor.kind {
        ActorKind::User => true,
        ActorKind::AiAgent => actor.on_behalf_of.is_some(),
        ActorKind::Service | ActorKind::System => false,
    };
    if !is_person {
        return Err(GateRefusal::NotAPerson);
    }
    // The second half holds for an agent that asked in the name of one person and decides in that of another.
    let asked = actor.person() == gate.requested_by.person() || actor.id == gate.requested_by.id;
    if approval.rule.require_sod && asked {
        return Err(GateRefusal::SeparationOfDuties);
    }
    if approval.rule.eligible_groups.as_ref().is_some_and(|groups| !actor.in_any(groups)) {
        return Err(GateRefusal::NotEligible);
    }
    if counted(gate, approval, request.now).any(|decision| decision.actor.person() == actor.person()) {
        return Err(GateRefusal::AlreadyDecided);
    }
    if request.comment.is_some_and(|comment| comment.chars().count() > COMMENT_MAX) {
        return Err(GateRefusal::CommentTooLong);
    }
    Ok(approval)
}

/// The decisions that still count: on the plan as it is now, and not too long ago
fn counted<'a>(
    gate: &'a Gate,
    approval: &ApprovalGate,
    now: Millis,
) -> impl Iterator<Item = &'a GateDecision> {
    let life = approval.rule.expires_after_s.map(|seconds| Millis::from_secs(i64::from(seconds)));
    let counts = move |decision: &&GateDecision| {
        decision.closure_hash == gate.closure_hash
            && life.is_none_or(|life| decision.at.millis() + life > now)
    };
    gate.decisions.iter().filter(counts)
}

/// How many different people approved, as far as it still counts, and how many have to; none for other gates
pub fn tally(gate: &Gate, now: Millis) -> Option<(u32, u32)> {
    match &gate.spec {
        GateSpec::Approval(approval) => {
            let people: BTreeSet<&str> = counted(gate, approval, now)
                .filter(|decision| decision.action == DecisionAction::Approved)
                .map(|decision| decision.actor.person())
                .collect();
            Some((u32::try_from(people.len()).unwrap_or(u32::MAX), approval.rule.required_approvals))
        }
        GateSpec::FreezeWindow(_) => None,
    }
}

/// What the decisions come to: one rejection denies, enough different people allow
fn quorum(gate: &Gate, approval: &ApprovalGate, now: Millis) -> Verdict {
    let rejected = counted(gate, approval, now).any(|decision| decision.action == DecisionAction::Rejected);
    let (have, need) = tally(gate, now).unwrap_or_default();
    if rejected {
        Verdict::new(VerdictResult::Deny, ReasonCode::Rejected)
    } else if have >= need {
        Verdict::new(VerdictResult::Allow, ReasonCode::Approved)
    } else if approval.rule.eligible_groups.as_ref().is_some_and(Vec::is_empty) {
        Verdict::new(VerdictResult::Pending, ReasonCode::NobodyEligible)
    } else {
        Verdict::new(VerdictResult::Pending, ReasonCode::ApprovalsMissing)
    }
}

impl Gate {
    /// What the gate answers now, by what people said; a gate that opens by itself is asked elsewhere
    pub fn verdict(&self, now: Millis) -> Verdict {
        match (self.status, &self.spec) {
            (GateStatus::Expired, _) => Verdict::new(VerdictResult::Deny, ReasonCode::Expired),
            (GateStatus::Void, _) => Verdict::new(VerdictResult::Deny, ReasonCode::Void),
            (GateStatus::Allowed, GateSpec::Approval(_)) => {
                Verdict::new(VerdictResult::Allow, ReasonCode::Approved)
            }
            (GateStatus::Denied, GateSpec::Approval(_)) => {
                Verdict::new(VerdictResult::Deny, ReasonCode::Rejected)
            }
            (GateStatus::Open, GateSpec::Approval(approval)) => quorum(self, approval, now),
            (GateStatus::Allowed, GateSpec::FreezeWindow(_)) => {
                Verdict::new(VerdictResult::Allow, ReasonCode::NotFrozen)
            }
            (GateStatus::Open | GateStatus::Denied, GateSpec::FreezeWindow(_)) => {
                Verdict::new(VerdictResult::Pending, ReasonCode::Frozen)
            }
        }
    }
}

/// Ends a gate whose time is over
pub fn expire(gate: &Gate, now: Millis) -> Option<GateEvent> {
    let over = gate.expires_at.is_some_and(|expires| expires.millis() <= now);
    if over { ended(gate, GateCommand::Expire, now) } else { None }
}

/// Ends a gate that nobody decides, or whose operation has ended
pub fn end(gate: &Gate, command: GateCommand, now: Millis) -> Option<GateEvent> {
    ended(gate, command, now)
}

fn ended(gate: &Gate, command: GateCommand, now: Millis) -> Option<GateEvent> {
    gate.status.after(command).map(|status| GateEvent::Ended { status, at: now.into() })
}

/// `gate` after `event`: the only way a gate ever changes
pub fn apply(mut gate: Gate, event: &GateEvent) -> Gate {
    match event {
        GateEvent::Decided { decision } => gate.decisions.push((**decision).clone()),
        GateEvent::Ended { status, at } => {
            gate.status = *status;
            gate.decided_at = Some(*at);
        }
    }
    gate
}

#[cfg(test)]
#[path = "approval_tests.rs"]
mod tests;
