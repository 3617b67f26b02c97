//! Interventions: a node that a person takes by hand
//!
//! A node is taken by hand where its plan has a manual step, or where it has failed for good and is to wait for a
//! person instead (`on_failure: pause`). What is decided is recorded first, and the node moves by that record: so
//! whoever finds the node waiting carries it out, any number of times.

mod inputs;

use crate::{
    actor::Actor,
    canonical::Digest,
    definition::address::Address,
    engine::{NodeRun, NodeUpdate},
    failure::FailureSummary,
    id::{Id as _, InterventionId, OperationId},
    plan::{JobContract, NodeId, NodeStatus},
    time::{Millis, Time},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strum::{EnumString, IntoStaticStr, VariantArray};

pub use inputs::possible;

/// Longest comment, in characters
pub const COMMENT_MAX: usize = 2_000;

/// Largest replacement of inputs, in bytes of JSON
pub const INPUTS_MAX: usize = 16 * 1024;

/// Where an intervention stands
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
pub enum InterventionStatus {
    /// It waits for a person
    Open,
    /// Somebody has decided
    Decided,
    /// The node ended without it: the operation was cancelled, or the attempt was reported to have succeeded after all
    Void,
}

impl InterventionStatus {
    /// The status as callers and the table know it
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Why a person is asked for
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InterventionCause {
    /// The plan has a manual step here
    ManualStep,
    /// The node has failed for good, and waits instead of failing
    Failed,
}

/// What a person decides
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
pub enum InterventionAction {
    /// Another attempt, as it was
    Retry,
    /// It is left undone; its verification says whether what follows may run
    Skip,
    /// A person did it; its verification says whether that is so
    MarkDone,
    /// Another attempt, with other inputs
    ReplaceInputs,
}

impl InterventionAction {
    /// The action as callers know it
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What one person decided, and on what
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InterventionDecision {
    /// What
    pub action: InterventionAction,
    /// Who
    pub actor: Actor,
    /// Why, in their words
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// When
    pub at: Time,
    /// The plan that they decided on
    pub graph_hash: Digest,
}

/// A node that a person takes by hand
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Intervention {
    /// Which intervention
    pub intervention_id: InterventionId,
    /// The operation that waits
    pub operation_id: OperationId,
    /// The number of the node that waits
    pub ordinal: u32,
    /// Its name
    pub node_id: NodeId,
    /// What it does, in words
    pub title: String,
    /// What the operation is about, for people: `shop 1.0.0 → production`
    pub subject: String,
    /// Why a person is asked for
    pub cause: InterventionCause,
    /// The attempt that failed, or the manual step's only one
    pub attempt: u32,
    /// Why it failed
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<FailureSummary>,
    /// What may be decided
    pub may: Vec<InterventionAction>,
    /// The names of the inputs that may be replaced
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaceable: Vec<String>,
    /// The inputs with which an attempt of this node runs from here on, over those of the plan
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub inputs: Map<String, Value>,
    /// Where it stands
    pub status: InterventionStatus,
    /// The environment that is changed
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Address>,
    /// Who asked for the operation
    pub requested_by: Actor,
    /// The plan that is decided on
    pub graph_hash: Digest,
    /// What was decided
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<InterventionDecision>,
    /// When it began to wait
    pub created_at: Time,
    /// When it was decided, or had become void
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Time>,
}

/// What somebody wants to decide
#[derive(Debug, Clone)]
pub struct InterventionRequest<'a> {
    /// Who
    pub actor: &'a Actor,
    /// What
    pub action: InterventionAction,
    /// Why, in their words
    pub comment: Option<&'a str>,
    /// With `replace_inputs`: what replaces what
    pub inputs: &'a Map<String, Value>,
    /// The plan that they were shown; `None` where they decide on whatever it is
    pub graph_hash: Option<&'a Digest>,
    /// When
    pub now: Millis,
}

/// Why a decision does not count
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InterventionRefusal {
    /// It is decided already
    #[error("it is decided already")]
    Decided,
    /// The node has ended without it
    #[error("the node has ended without it")]
    Void,
    /// The plan is not what they were shown
    #[error("the plan has changed since it was shown; look at it again before deciding")]
    HashChanged,
    /// The node does not allow it
    #[error("this node cannot be decided by `{}`; possible are {}", .0.as_str(), listed(.1))]
    NotPossible(InterventionAction, Vec<InterventionAction>),
    /// More words than are kept
    #[error("a comment has at most {COMMENT_MAX} characters")]
    CommentTooLong,
    /// Inputs are replaced by nothing, or given where nothing is replaced
    #[error("`inputs` are given exactly with `replace_inputs`")]
    Inputs,
    /// The contract has no such input
    #[error("`{}` is no input of this node; it has {}", .0, .1.join(", "))]
    UnknownInput(String, Vec<String>),
    /// More than a node may be given
    #[error("the inputs have {0} bytes; {INPUTS_MAX} are the most")]
    TooLarge(usize),
    /// Nobody was asked about what is there
    #[error(
        "`{0}` may be another path at the same target, and no whole address: nobody agreed to another place"
    )]
    Elsewhere(String),
    /// It could be a secret, and what is recorded here is shown to everybody
    #[error("`{0}` may hold a secret; inputs hold none")]
    Secret(String),
}

impl InterventionRefusal {
    /// The refusal as audit events know it
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Decided => "decided",
            Self::Void => "void",
            Self::HashChanged => "hash_changed",
            Self::NotPossible(..) => "not_possible",
            Self::CommentTooLong => "comment_too_long",
            Self::Inputs => "inputs",
            Self::UnknownInput(..) => "unknown_input",
            Self::TooLarge(_) => "too_large",
            Self::Elsewhere(_) => "elsewhere",
            Self::Secret(_) => "secret",
        }
    }
}

fn listed(actions: &[InterventionAction]) -> String {
    actions.iter().map(|action| format!("`{}`", action.as_str())).collect::<Vec<_>>().join(", ")
}

/// The intervention of one attempt: whoever asks derives the same id
pub fn intervention_id(operation: OperationId, ordinal: u32, attempt: u32) -> InterventionId {
    InterventionId::derived(operation.millis(), &format!("{operation}/{ordinal}/{attempt}"))
}

/// The intervention after `request`, or why it does not count
pub fn decide(
    mut intervention: Intervention,
    request: &InterventionRequest<'_>,
) -> Result<Intervention, InterventionRefusal> {
    match intervention.status {
        InterventionStatus::Open => {}
        InterventionStatus::Decided => return Err(InterventionRefusal::Decided),
        InterventionStatus::Void => return Err(InterventionRefusal::Void),
    }
    if request.graph_hash.is_some_and(|hash| *hash != intervention.graph_hash) {
        return Err(InterventionRefusal::HashChanged);
    }
    if !intervention.may.contains(&request.action) {
        return Err(InterventionRefusal::NotPossible(request.action, intervention.may));
    }
    if request.comment.is_some_and(|comment| comment.chars().count() > COMMENT_MAX) {
        return Err(InterventionRefusal::CommentTooLong);
    }
    inputs::check(&intervention, request)?;
    intervention.inputs.extend(request.inputs.clone());
    intervention.status = InterventionStatus::Decided;
    intervention.ended_at = Some(request.now.into());
    intervention.decision = Some(InterventionDecision {
        action: request.action,
        actor: request.actor.clone(),
        comment: request.comment.map(str::to_owned),
        at: request.now.into(),
        graph_hash: intervention.graph_hash.clone(),
    });
    Ok(intervention)
}

impl Intervention {
    /// How the decision moves its node, which waits; the same move whenever and by whomever it is asked for
    ///
    /// `wake` is when somebody looks whether another attempt has been handed out.
    pub fn update(&self, node: &NodeRun, wake: Millis) -> Option<NodeUpdate> {
        let decision = self.decision.as_ref()?;
        let (attempt, now) = (self.attempt, decision.at.millis());
        let result_id = self.intervention_id.to_string();
        let complete = |status, error| {
            Some(NodeUpdate::Complete {
                attempt,
                status,
                result_id: result_id.clone(),
                now,
                error,
                lease_seen: None,
            })
        };
        let replaced = (!self.inputs.is_empty()).then_some(self.intervention_id);
        let unknown = || FailureSummary::new("failed", "it failed");
        match decision.action {
            InterventionAction::MarkDone => complete(NodeStatus::Succeeded, None),
            InterventionAction::Skip => {
                let message = format!("{} skipped it", decision.actor.id);
                complete(NodeStatus::Skipped, Some(FailureSummary::new("skipped_by_hand", message)))
            }
            InterventionAction::Retry | InterventionAction::ReplaceInputs => Some(NodeUpdate::Again {
                attempt,
                now,
                wake,
                error: self.error.clone().unwrap_or_else(unknown),
                inputs_from: replaced,
                ends_by: node.terms.ends_by(now),
            }),
        }
    }

    /// `contract` as the attempts after this intervention carry it out
    pub fn applied_to(&self, contract: &JobContract) -> JobContract {
        let mut contract = contract.clone();
        contract.inputs.extend(self.inputs.clone());
        contract
    }

    /// The intervention after its node ended without it
    #[must_use]
    pub fn voided(self, now: Millis) -> Self {
        Self { status: InterventionStatus::Void, ended_at: Some(now.into()), ..self }
    }
}

#[cfg(test)]
#[path = "intervention_tests.rs"]
mod tests;
