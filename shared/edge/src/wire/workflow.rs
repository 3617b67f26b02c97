//! Workflows: operations, their nodes and the templates of their plans, as requirements 001 and 004 name them

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use weir_domain::{
    definition::{
        address::Address,
        spec::{InputSpec, NodeSpec},
    },
    failure::FailureSummary,
    id::OperationId,
    operation::{OperationStatus, WorkflowKind},
    plan::{NodeId, NodeStatus},
    scope::Name,
    time::Time,
    timeline::Level,
};

/// A workflow template: a template of the definition, or what a built-in planner plans
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct WorkflowTemplate {
    /// Its address
    pub id: Address,
    /// The tenant; null for the workspace's own and for built-in ones
    pub tenant_id: Option<Name>,
    /// Its name
    pub name: String,
    /// Its version: runs record which one they were planned from
    pub version: u32,
    /// Its steps
    pub nodes: Vec<NodeSpec>,
    /// Which step waits for which
    pub edges: Vec<WorkflowEdge>,
    /// What it must be given
    pub inputs: BTreeMap<String, InputSpec>,
    /// What it gives: name → `<node>.<output>`
    pub outputs: BTreeMap<String, String>,
    /// Whether it is a part of Weir
    pub is_builtin: bool,
}

/// One step waits for another
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct WorkflowEdge {
    /// What comes first
    pub from: String,
    /// What waits for it
    pub to: String,
}

/// A workflow run: an operation
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct WorkflowRun {
    /// The operation
    pub id: OperationId,
    /// What kind of run it is, if it brings a release somewhere
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<WorkflowKind>,
    /// Who started it
    pub actor: String,
    /// The template that it was planned from; absent where its plan came from none
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_id: Option<Address>,
    /// The version that it had then
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_version: Option<u32>,
    /// Where it stands
    pub status: OperationStatus,
    /// What it is about
    pub context: Map<String, Value>,
    /// What it was given
    pub inputs: Map<String, Value>,
    /// What it gave; only when one run is asked for
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub outputs: Map<String, Value>,
    /// When its first step was allowed to run; before that, when it was made
    pub started_at: Time,
    /// When it ended
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Time>,
    /// The same, as requirement 001 calls it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// What happened in it, the earliest first; only when one run is asked for
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<WorkflowLog>,
}

/// One entry of a workflow run's log
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct WorkflowLog {
    /// When
    pub ts: Time,
    /// How much it matters
    pub level: Level,
    /// In words
    pub message: String,
    /// More, for programs; never a secret
    pub meta: Map<String, Value>,
}

/// One attempt of one step of a workflow run
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct StepRun {
    /// The node run's id, a dot, and the number of the attempt
    pub id: String,
    /// Of which run
    pub workflow_run_id: OperationId,
    /// Which step
    pub node_id: NodeId,
    /// Where the attempt stands; one that another followed has failed
    pub status: NodeStatus,
    /// Which attempt it is; 0 before the first
    pub attempt_number: u32,
    /// What it was given
    pub inputs: Map<String, Value>,
    /// What it gave
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub outputs: Map<String, Value>,
    /// The end of what it printed
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logs: Option<String>,
    /// Why it failed or was skipped
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<FailureSummary>,
    /// When it began
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When it ended
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Time>,
}
