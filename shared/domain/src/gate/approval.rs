//! What people decide at a gate, and what any gate comes to

use super::{
    answer::{GateAnswer, GateFacts, GateResult},
    people::People,
    record::{
        DecisionAction, DecisionRequest, Gate, GateCommand, GateDecision, GateEvent, GateRefusal, GateStatus,
        apply,
    },
    spec::GateSpec,
    verdict::{ReasonCode, Verdict, VerdictResult},
};
use crate::{
    actor::{Actor, ActorKind},
    time::Millis,
};
use std::collections::BTreeSet;

/// Longest comment on a decision, in characters
pub const COMMENT_MAX: usize = 2_000;

/// Decides whether what `request` says counts, and whether it ends the gate
pub fn decide(gate: &Gate, request: &DecisionRequest<'_>) -> Result<Vec<GateEvent>, GateRefusal> {
    may_decide(gate, request)?;
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
    let facts = GateFacts::of(gate.requested_by.clone(), Some(after.clone()));
    let answer = gate.spec.ask(&facts, request.now);
    let ended = answered(&after, answer, request.actor, request.now);
    Ok(std::iter::once(decided).chain(ended).collect())
}

/// Checks everything about who decides and when
fn may_decide(gate: &Gate, request: &DecisionRequest<'_>) -> Result<(), GateRefusal> {
    let Some(people) = gate.spec.people() else { return Err(GateRefusal::NotDecidable) };
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
    if people.require_sod && asked {
        return Err(GateRefusal::SeparationOfDuties);
    }
    if !people.holds(actor) {
        return Err(GateRefusal::NotEligible);
    }
    if counted(gate, &people, request.now).any(|decision| decision.actor.person() == actor.person()) {
        return Err(GateRefusal::AlreadyDecided);
    }
    match request.comment.map(str::trim) {
        Some(comment) if comment.chars().count() > COMMENT_MAX => Err(GateRefusal::CommentTooLong),
        None | Some("") if people.comment => Err(GateRefusal::CommentMissing),
        None | Some(_) => Ok(()),
    }
}

/// The decisions that still count: on the plan as it is now, and not too long ago
fn counted<'a>(gate: &'a Gate, people: &People<'_>, now: Millis) -> impl Iterator<Item = &'a GateDecision> {
    let life = people.life;
    let counts = move |decision: &&GateDecision| {
        decision.closure_hash == gate.closure_hash
            && life.is_none_or(|life| decision.at.millis() + life > now)
    };
    gate.decisions.iter().filter(counts)
}

/// How many different people approved, as far as it still counts, and how many have to; none for other gates
pub fn tally(gate: &Gate, now: Millis) -> Option<(u32, u32)> {
    let people = gate.spec.people()?;
    let approved: BTreeSet<&str> = counted(gate, &people, now)
        .filter(|decision| decision.action == DecisionAction::Approved)
        .map(|decision| decision.actor.person())
        .collect();
    Some((u32::try_from(approved.len()).unwrap_or(u32::MAX), people.need))
}

/// What the decisions come to: one rejection denies, enough different people allow
fn quorum(gate: &Gate, people: &People<'_>, now: Millis) -> Verdict {
    let rejected = counted(gate, people, now).any(|decision| decision.action == DecisionAction::Rejected);
    let (have, need) = tally(gate, now).unwrap_or_default();
    let (result, reason) = match (rejected, have >= need, people.comment) {
        (true, ..) => (VerdictResult::Deny, ReasonCode::Rejected),
        (false, true, false) => (VerdictResult::Allow, ReasonCode::Approved),
        (false, true, true) => (VerdictResult::Allow, ReasonCode::OpenedByHand),
        (false, false, _) if people.is_nobody() => (VerdictResult::Pending, ReasonCode::NobodyEligible),
        (false, false, false) => (VerdictResult::Pending, ReasonCode::ApprovalsMissing),
        (false, false, true) => (VerdictResult::Pending, ReasonCode::HandMissing),
    };
    Verdict::new(result, reason)
}

impl Gate {
    /// What the gate answered for good, or answers now by what people said
    ///
    /// An open gate that opens by itself is pending: what it waits for exactly, [`GateSpec::ask`] says.
    pub fn verdict(&self, now: Millis) -> Verdict {
        if let Some(result) = &self.result {
            return result.verdict.clone();
        }
        let (result, reason) = match (self.status, self.spec.people()) {
            (GateStatus::Open, Some(people)) => return quorum(self, &people, now),
            (GateStatus::Open, None) => (VerdictResult::Pending, self.spec.pending()),
            (GateStatus::Expired, _) => (VerdictResult::Deny, ReasonCode::Expired),
            (GateStatus::Void, _) => (VerdictResult::Deny, ReasonCode::Void),
            (GateStatus::Allowed, _) => (VerdictResult::Allow, ReasonCode::Approved),
            (GateStatus::Denied, _) => (VerdictResult::Deny, ReasonCode::Rejected),
        };
        Verdict::new(result, reason)
    }
}

impl GateSpec {
    /// Why a gate of this kind does not open, where nobody has looked closer
    const fn pending(&self) -> ReasonCode {
        match self {
            Self::Approval(_) => ReasonCode::ApprovalsMissing,
            Self::Manual(_) => ReasonCode::HandMissing,
            Self::FreezeWindow(_) => ReasonCode::Frozen,
            Self::Schedule(_) => ReasonCode::OutsideWindow,
            Self::Dependency(_) => ReasonCode::DependencyPending,
            Self::Policy(_) => ReasonCode::RuleDenies,
            Self::Security(_) => ReasonCode::AttestationMissing,
        }
    }
}

/// What `facts` make of an open gate at `now`: its end, or nothing while it waits
///
/// A gate whose time is over is denied whatever the facts are by then: nobody may count on being looked at late.
pub fn judge(gate: &Gate, facts: &GateFacts, now: Millis) -> Option<GateEvent> {
    let weir = Actor::system("gates");
    let mut answer = gate.spec.ask(facts, now);
    if gate.expires_at.is_some_and(|expires| expires.millis() <= now) {
        answer.verdict = Verdict::new(VerdictResult::Deny, ReasonCode::Expired);
        let result = result(gate, answer, &weir, now);
        return ended(gate, GateCommand::Expire, now, Some(result));
    }
    answered(gate, answer, &weir, now)
}

/// Ends a gate whose operation has ended, or is something else now
pub fn void(gate: &Gate, now: Millis) -> Option<GateEvent> {
    ended(gate, GateCommand::Void, now, None)
}

fn answered(gate: &Gate, answer: GateAnswer, by: &Actor, now: Millis) -> Option<GateEvent> {
    let command = match answer.verdict.result {
        VerdictResult::Allow => GateCommand::Allow,
        VerdictResult::Deny => GateCommand::Deny,
        VerdictResult::Pending => return None,
    };
    let result = result(gate, answer, by, now);
    ended(gate, command, now, Some(result))
}

fn result(gate: &Gate, answer: GateAnswer, by: &Actor, now: Millis) -> Box<GateResult> {
    Box::new(GateResult {
        verdict: answer.verdict,
        inputs: answer.inputs,
        what: answer.what,
        by: by.clone(),
        at: now.into(),
        closure_hash: gate.closure_hash.clone(),
    })
}

fn ended(
    gate: &Gate,
    command: GateCommand,
    now: Millis,
    result: Option<Box<GateResult>>,
) -> Option<GateEvent> {
    gate.status.after(command).map(|status| GateEvent::Ended { status, at: now.into(), result })
}

#[cfg(test)]
#[path = "approval_tests.rs"]
mod tests;
