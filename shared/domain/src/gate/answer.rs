//! What a gate answers now, on what, and from when on it could answer otherwise
//!
//! [`GateSpec::ask`] is the one function that decides every kind, from facts that somebody else has read: the engine
//! asks it to move a node, `explain` and the API ask it to say what is waited for.

use super::{
    automatic::{self, freeze},
    dependency::{self, DependencyState},
    people::who_may,
    policy::{self, PlanFacts},
    record::Gate,
    schedule,
    security::{self, Brought},
    spec::GateSpec,
    verdict::{ReasonCode, Verdict, VerdictResult},
};
use crate::{
    actor::Actor,
    canonical::Digest,
    definition::spec::FreezeWindow,
    time::{Millis, Time},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Everything that a gate may be decided on. What a kind does not ask about is left empty
#[derive(Debug, Clone)]
pub struct GateFacts {
    /// Who asked for what waits
    pub actor: Actor,
    /// The gate's record, once it has been opened
    pub gate: Option<Gate>,
    /// The freeze windows that count
    pub windows: Vec<FreezeWindow>,
    /// How it stands with what is waited for
    pub dependency: Option<DependencyState>,
    /// What the plan is
    pub plan: Option<PlanFacts>,
    /// What is brought, and what was found out about it
    pub brought: Vec<Brought>,
}

impl GateFacts {
    /// Nothing but who asked
    pub const fn of(actor: Actor, gate: Option<Gate>) -> Self {
        Self { actor, gate, windows: Vec::new(), dependency: None, plan: None, brought: Vec::new() }
    }
}

/// When a gate could open at the earliest
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Earliest {
    /// At once
    Now {},
    /// At this time, by itself
    At {
        /// Which time
        at: Time,
    },
    /// When somebody, or something, has done what it waits for
    Unknown {},
    /// It will not
    Never {},
}

impl Earliest {
    /// The time, where one is known and has not come
    pub fn time(self) -> Option<Time> {
        match self {
            Self::At { at } => Some(at),
            Self::Now {} | Self::Unknown {} | Self::Never {} => None,
        }
    }
}

/// What a gate answers at a time
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GateAnswer {
    /// The answer, and its reasons
    pub verdict: Verdict,
    /// What it was decided on
    pub inputs: Value,
    /// What is waited for, in words: `approvals 1 of 2`
    pub what: String,
    /// Who or what can end the wait, in words
    pub who: String,
    /// When it could open at the earliest
    pub earliest: Earliest,
}

/// What a gate answered for good
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GateResult {
    /// The answer, and its reasons
    pub verdict: Verdict,
    /// What it was decided on
    pub inputs: Value,
    /// What it asked for, in words
    pub what: String,
    /// Whose act ended it: that of a person, or Weir's
    pub by: Actor,
    /// When
    pub at: Time,
    /// The part of the plan that it was decided on
    pub closure_hash: Digest,
}

impl GateSpec {
    /// What the gate answers at `now`, on `facts`
    pub fn ask(&self, facts: &GateFacts, now: Millis) -> GateAnswer {
        if let Some(gate) = &facts.gate
            && let Some(result) = &gate.result
        {
            return given(gate, result);
        }
        let mut answer = match self {
            Self::Approval(_) | Self::Manual(_) => self.people_answer(facts, now),
            Self::FreezeWindow(gate) => automatic::answer(
                &freeze(&facts.windows, &facts.actor, now),
                gate.on_freeze,
                &facts.windows,
                now,
            ),
            Self::Schedule(gate) => schedule::answer(&gate.schedule, &facts.windows, &facts.actor, now),
            Self::Dependency(gate) => dependency::answer(&gate.on, facts.dependency.as_ref()),
            Self::Policy(gate) => policy::answer(gate, facts.plan.as_ref()),
            Self::Security(gate) => security::answer(gate, &facts.brought),
        };
        let ends = facts.gate.as_ref().and_then(|gate| gate.expires_at);
        if answer.earliest.time().zip(ends).is_some_and(|(at, ends)| ends <= at) {
            answer.earliest = Earliest::Never {};
        }
        answer
    }

    fn people_answer(&self, facts: &GateFacts, now: Millis) -> GateAnswer {
        let (have, need) = match &facts.gate {
            Some(gate) => super::tally(gate, now).unwrap_or_default(),
            None => (0, self.people().map_or(0, |people| people.need)),
        };
        let missing = || match self.people() {
            Some(people) if people.is_nobody() => ReasonCode::NobodyEligible,
            Some(people) if people.comment => ReasonCode::HandMissing,
            Some(_) | None => ReasonCode::ApprovalsMissing,
        };
        let verdict = facts
            .gate
            .as_ref()
            .map_or_else(|| Verdict::new(VerdictResult::Pending, missing()), |gate| gate.verdict(now));
        let earliest = match (verdict.result, verdict.reason_codes.first()) {
            (VerdictResult::Allow, _) => Earliest::Now {},
            (VerdictResult::Deny, _) | (_, Some(ReasonCode::NobodyEligible)) => Earliest::Never {},
            (VerdictResult::Pending, _) => Earliest::Unknown {},
        };
        let what = match self {
            Self::Manual(manual) => {
                let to = manual.instructions.as_deref().map(|it| format!(": {it}")).unwrap_or_default();
                format!("somebody to open it by hand{to}")
            }
            Self::Approval(_)
            | Self::FreezeWindow(_)
            | Self::Schedule(_)
            | Self::Dependency(_)
            | Self::Policy(_)
            | Self::Security(_) => format!("approvals {have} of {need}"),
        };
        let decisions = facts.gate.as_ref().map(|gate| gate.decisions.as_slice()).unwrap_or_default();
        GateAnswer {
            verdict,
            inputs: self.people_inputs(decisions),
            what,
            who: who_may(self, &facts.actor),
            earliest,
        }
    }

    pub(super) fn people_inputs(&self, decisions: &[super::GateDecision]) -> Value {
        match self {
            Self::Approval(gate) => json!({ "decisions": decisions, "rule": gate.rule }),
            Self::Manual(gate) => json!({ "decisions": decisions, "rule": gate }),
            Self::FreezeWindow(_)
            | Self::Schedule(_)
            | Self::Dependency(_)
            | Self::Policy(_)
            | Self::Security(_) => Value::Null,
        }
    }
}

/// What was answered for good stays the answer
fn given(gate: &Gate, result: &GateResult) -> GateAnswer {
    let earliest = match result.verdict.result {
        VerdictResult::Allow => Earliest::Now {},
        VerdictResult::Deny | VerdictResult::Pending => Earliest::Never {},
    };
    GateAnswer {
        verdict: result.verdict.clone(),
        inputs: result.inputs.clone(),
        what: result.what.clone(),
        who: format!("nobody: it is {}", gate.status.as_str()),
        earliest,
    }
}
