//! Gates: what waits for a decision, and the decisions

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weir_domain::{
    actor::Actor,
    canonical::Digest,
    definition::address::Address,
    gate::{DecisionAction, Earliest, GateDecision, GateResult, GateSpec, GateStatus, Verdict},
    id::{GateId, OperationId, PromotionId},
    plan::NodeId,
    time::Time,
};

/// `POST /v1/gates/{gate}/decisions`: what somebody says at a gate
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct GateDecide {
    /// What
    pub action: DecisionAction,
    /// Why, in their words; at most 2,000 characters
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The `closure_hash` of the gate that they were shown: refused where the plan has changed since
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closure_hash: Option<Digest>,
}

/// A gate as the API shows it
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct GateView {
    /// Which gate
    pub gate_id: GateId,
    /// `approval`, `manual`, `freeze_window`, `schedule`, `dependency`, `policy` or `security`
    pub kind: String,
    /// Where it stands
    pub status: GateStatus,
    /// What it is about, for people: `shop 1.0.0 → production`
    pub subject: String,
    /// What it asks for
    pub spec: GateSpec,
    /// What it answers now, and why
    pub verdict: Verdict,
    /// How many approvals there are and how many there have to be; absent where people do not decide
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tally: Option<Tally>,
    /// The groups whose members may decide; absent where anyone may who may decide at all
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eligible_groups: Option<Vec<String>>,
    /// The people who may decide besides, by the actor's id
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub eligible_people: Vec<String>,
    /// Whether whoever asked for it may not decide on it
    pub require_sod: bool,
    /// What it waits for, in words
    pub waits_for: String,
    /// Who or what can end the wait, in words: `anyone of group:release-managers but alice`
    pub who: String,
    /// When it could open at the earliest; shown for one gate alone
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earliest: Option<Earliest>,
    /// What it would be decided on now; shown for one gate alone
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<serde_json::Value>,
    /// Who asked for what waits
    pub requested_by: Actor,
    /// What was said so far
    pub decisions: Vec<GateDecision>,
    /// What is decided on: the gate, and everything before and after it in the plan
    pub closure_hash: Digest,
    /// The operation that waits
    pub operation_id: OperationId,
    /// Its node that waits
    pub node_id: NodeId,
    /// The promotion that waits
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion_id: Option<PromotionId>,
    /// The environment that would be changed
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Address>,
    /// Since when it waits
    pub waits_since: Time,
    /// When it expires
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// When it ended
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<Time>,
    /// What it answered for good, on what
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Box<GateResult>>,
}

/// How many approvals there are, and how many there have to be
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct Tally {
    /// Different people who approved, as far as it still counts
    pub have: u32,
    /// How many have to
    pub need: u32,
}
