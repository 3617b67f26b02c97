//! Operation runs: the ledger of everything that ran, as requirement 003 names it

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use weir_domain::{
    canonical::Digest,
    failure::FailureSummary,
    id::OperationId,
    operation::{Freshness, OperationType, Repair, RunOutcome, RunStatus},
    scope::Name,
    time::Time,
};

/// One run: an operation in the run ledger's words, or a pass of housekeeping
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct OperationRun {
    /// Which run; an operation's own id
    pub id: OperationId,
    /// The workspace
    pub workspace_id: Name,
    /// The tenant; null for the workspace's own
    pub tenant_id: Option<Name>,
    /// The person behind it; null where there is none
    pub user_id: Option<String>,
    /// Who started it, as people read it
    pub initiator_name: String,
    /// What kind of run it is
    #[serde(rename = "type")]
    pub operation_type: OperationType,
    /// Where it stands
    pub status: RunStatus,
    /// How it ended
    pub outcome: RunOutcome,
    /// Whether what is said here is likely to be true still
    pub freshness: Freshness,
    /// Whether housekeeping ended it
    pub reconciled: bool,
    /// What makes two runs the same: at most one active run has it in its scope
    pub run_identity_hash: Digest,
    /// What was counted: once it has ended every key of its type's catalogue, before that none
    pub summary_counts: BTreeMap<String, u64>,
    /// Why it did not succeed: stable codes, and messages without secrets
    pub failure_summary: Vec<FailureSummary>,
    /// What it is about; never a secret
    pub context: Map<String, Value>,
    /// When it was made
    pub created_at: Time,
    /// When it moved last
    pub updated_at: Time,
    /// When its first step was allowed to run
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When it ended
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Time>,
    /// What a pass of housekeeping found due and what became of it, those that it changed first; only when one run is
    /// asked for
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repairs: Vec<Repair>,
}
