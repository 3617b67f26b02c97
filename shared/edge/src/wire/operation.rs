//! Operations: plans that run, what they wait for, what happened in them

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use weir_domain::{
    actor::Actor,
    canonical::Digest,
    definition::address::Address,
    failure::FailureSummary,
    id::{
        DeploymentId, EvidenceId, GateId, IntentId, InterventionId, OperationId, PlanId, PromotionId,
        ReleaseId,
    },
    intervention::InterventionAction,
    operation::{Freshness, OperationStatus, OperationType, RunOutcome, RunStatus},
    plan::{Executor, NodeId, NodeStatus, NodeType},
    scope::Name,
    time::Time,
    timeline::TimelineEvent,
};

/// `POST /v1/operations/{operation}/cancel`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct OperationCancel {
    /// Why, in the caller's words: for timeline and audit; at most 500 characters
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `POST /v1/operations/{operation}/pause` and `…/resume`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct OperationHold {
    /// Why, in the caller's words: for timeline and audit; at most 500 characters
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `POST /v1/operations/{operation}/retry`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct OperationRetry {
    /// Why, in the caller's words: for timeline and audit; at most 500 characters
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// An operation as the API shows it; also the operation run of requirement 003
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct OperationView {
    /// Which operation
    pub operation_id: OperationId,
    /// What it is for
    #[serde(rename = "type")]
    pub operation_type: OperationType,
    /// What it is about, for people: `shop 1.0.0 → production`
    pub title: String,
    /// Where it stands
    pub status: OperationStatus,
    /// What it is at, in words: the nodes that run or wait, or how it ended
    pub current_phase: String,
    /// The plan that it executes
    pub plan_id: PlanId,
    /// Why there is that plan
    pub intent_id: IntentId,
    /// The promotion that it carries out or takes back
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion_id: Option<PromotionId>,
    /// The release that it is about
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_id: Option<ReleaseId>,
    /// The environment that it changes
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Address>,
    /// The same operation as a deployment job, if it is one
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<DeploymentId>,
    /// The operation that it takes back
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_of: Option<OperationId>,
    /// The operation whose undone part it does again
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<OperationId>,
    /// The operation that does again what this one left undone; only when one operation is asked for
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retried_by: Option<OperationId>,
    /// The operation that took it back; only when one operation is asked for
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back_by: Option<OperationId>,
    /// Who started it
    pub actor: Actor,
    /// The same, by id alone
    #[serde(default)]
    pub actor_id: String,
    /// The workspace
    pub workspace_id: Name,
    /// The tenant; absent for the workspace's own
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<Name>,
    /// The person behind it
    pub user_id: String,
    /// Who started it, as people read it
    pub initiator_name: String,
    /// What makes two operations the same: at most one active operation has it in its scope
    pub run_identity_hash: Digest,
    /// Where it stands, in the run ledger's three words
    pub run_status: RunStatus,
    /// How it ended, in the run ledger's words
    pub outcome: RunOutcome,
    /// Whether what is said here is likely to be true still
    pub freshness: Freshness,
    /// Whether somebody asked that it ends
    #[serde(default)]
    pub cancel_requested: bool,
    /// Who paused it, while it is paused
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_by: Option<String>,
    /// Since when it is paused
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_at: Option<Time>,
    /// When it was made
    pub created_at: Time,
    /// When it moved last
    pub updated_at: Time,
    /// When its first node was allowed to run
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When it ended
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Time>,
    /// Whether everything that follows from its end has been done: its evidence is written, and where it is taken back,
    /// that has begun
    #[serde(default)]
    pub settled: bool,
    /// Why it did not succeed
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_summary: Option<FailureSummary>,
    /// What was counted, by the keys of its type; written once, at the end
    pub summary_counts: BTreeMap<String, u64>,
    /// What it gave, by the names that its template gives its outputs; only when one operation is asked for that is settled
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub outputs: Map<String, Value>,
    /// Its nodes, joins left out; only when one operation is asked for
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<NodeView>,
    /// Everything that it waits for now; only when one operation is asked for
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<Wait>,
    /// The resources that it waits for before it begins, each with who has to leave it first; only when one operation
    /// is asked for
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queued_behind: Vec<QueuedBehind>,
    /// The evidence packets that were written for it; only when one operation is asked for
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence_ids: Vec<EvidenceId>,
}

/// A resource that one operation at a time may use, and that another one uses or waits for
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct QueuedBehind {
    /// The resource
    pub resource: Address,
    /// The operation right before this one; absent where it is one of another tenant
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<OperationId>,
    /// How many are before this one
    pub before: usize,
}

impl QueuedBehind {
    /// The operation right before this one, in words
    pub fn who(&self) -> String {
        self.operation_id.map_or_else(|| "an operation of another tenant".to_owned(), |id| id.to_string())
    }
}

/// One node run as the API shows it
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct NodeView {
    /// Its name, unique within the operation
    pub node_id: NodeId,
    /// Its number: `<operation>.<ordinal>` is the id of its task
    pub ordinal: u32,
    /// What kind of step it is
    #[serde(rename = "type")]
    pub node_type: NodeType,
    /// What it does, in words
    pub title: String,
    /// Where it stands
    pub status: NodeStatus,
    /// The nodes that have to be done before; where a join stands between, the nodes behind it
    pub depends_on: Vec<NodeId>,
    /// Who does it: `decide`, `job`, `agent:<target>`
    pub runs: Executor,
    /// Which attempt this is; 0 before the first
    pub attempt: u32,
    /// How many there are at most
    pub attempts_max: u32,
    /// The batch of a deployment that it belongs to, from 1
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<u32>,
    /// The target that it is about
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Address>,
    /// Who does the attempt: an agent's id, or a function
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// When the attempt, or the waiting, began
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When the node ended
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// Why it failed or was skipped; while it is tried again, why the last attempt failed
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<FailureSummary>,
    /// What it waits for now, if it waits for anything but other nodes
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<Wait>,
}

/// Something that is waited for: what, who can end it, since when
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct Wait {
    /// The node that waits
    pub node_id: NodeId,
    /// What for
    pub kind: WaitKind,
    /// The same in words: `approvals 1 of 2`
    pub what: String,
    /// Who can end it, in words: `anyone of release-managers but alice`
    pub who: String,
    /// Since when
    pub since: Time,
    /// When it ends by itself, where that is known
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// The gate that can be decided
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate_id: Option<GateId>,
    /// The intervention that can be decided
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intervention_id: Option<InterventionId>,
    /// What may be decided there
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub may: Vec<InterventionAction>,
    /// The operation that has to end
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<OperationId>,
}

impl Wait {
    /// What a person can say at the command line to end it, or to learn who can
    pub fn command(&self) -> Option<String> {
        if let Some(intervention) = self.intervention_id {
            let may: Vec<_> = self.may.iter().map(|action| action.as_str()).collect();
            return Some(format!("weir intervention decide {intervention} {}", may.join("|")));
        }
        if let Some(operation) = self.operation_id {
            return Some(format!("weir explain {operation}"));
        }
        let gate = self.gate_id.filter(|_| matches!(self.kind, WaitKind::Approval | WaitKind::Manual));
        gate.map(|gate| format!("weir approve {gate}"))
    }
}

/// What kind of thing is waited for
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WaitKind {
    /// People have to agree
    Approval,
    /// A freeze window has to end
    FreezeWindow,
    /// Somebody has to open a gate by hand
    Manual,
    /// It is not yet time
    Schedule,
    /// Something else has to end well
    Dependency,
    /// What is brought has to be attested
    Security,
    /// Rules are looked at
    Policy,
    /// An agent of the target has to claim the task
    Agent,
    /// A worker has to take the job
    Worker,
    /// The next attempt waits for its backoff
    Retry,
    /// Somebody has to do something by hand
    Intervention,
    /// Another operation has to end
    SubOperation,
}

/// The most events of one page of a timeline
pub const TIMELINE_PAGE_MAX: u32 = 5_000;

/// `GET /v1/operations/{operation}/timeline`: what happened, page by page; each page the earliest first
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct Timeline {
    /// The operation
    pub operation_id: OperationId,
    /// What happened to it, and what its node runs tell; the ids are the same whenever they are asked for
    pub events: Vec<TimelineEvent>,
    /// What to give as `cursor` for the next page; absent on the last
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
