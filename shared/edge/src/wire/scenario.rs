//! Scenarios and the templates they follow, as requirement 000 names them: views of the definition as it was applied last

use super::workflow::WorkflowEdge;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use weir_domain::{
    definition::{
        address::{Address, Kind},
        spec::{InputSpec, Job, NodeSpec, PackRef, RiskMetadata, ScenarioSource},
    },
    scope::Name,
    time::Time,
};

/// A scenario, with everything that its file leaves to defaults
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct ScenarioView {
    /// Its address
    pub id: Address,
    /// The tenant; absent for the workspace's own
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<Name>,
    /// Its version: plans record which one they were made from
    pub version: u32,
    /// Where it comes from
    pub source: ScenarioSource,
    /// The kind of resource that it acts on
    pub target_resource_type: Kind,
    /// The actions that it serves
    pub actions: Vec<String>,
    /// The capabilities that it needs
    pub requires: Vec<String>,
    /// The capabilities that it gives
    pub provides: Vec<String>,
    /// What can go wrong
    pub risk_metadata: RiskMetadata,
    /// The template that it follows
    pub template: Address,
    /// The pack that it comes from, if others have written it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pack: Option<PackRef>,
    /// When it was applied as it is
    pub created_at: Time,
}

/// A plan template or a job template
///
/// A job template is one step alone: its graph has one node, and its one contract is the job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct TemplateView {
    /// Its address
    pub id: Address,
    /// The tenant; absent for the workspace's own and for built-in ones
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<Name>,
    /// The scenario that follows it, the first by its address where several do; absent where none does
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario_id: Option<Address>,
    /// Every scenario that follows it
    pub scenario_ids: Vec<Address>,
    /// Its version
    pub template_version: u32,
    /// Its steps, and which waits for which
    pub graph_definition: GraphDefinition,
    /// What each step that is work asks of whoever does it, by the step, with what its shared job says
    pub job_contracts: BTreeMap<String, Job>,
    /// What a person may change in a plan made from it, as `<node>.<field>`
    pub editable_points: Vec<String>,
    /// What it must be given
    pub inputs: BTreeMap<String, InputSpec>,
    /// What it gives: name → `<node>.<output>`
    pub outputs: BTreeMap<String, String>,
    /// Whether it is a part of Weir
    pub is_builtin: bool,
    /// When it was applied as it is; absent for built-in ones
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Time>,
}

/// The graph of a template
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct GraphDefinition {
    /// Its steps
    pub nodes: Vec<NodeSpec>,
    /// Which step waits for which
    pub edges: Vec<WorkflowEdge>,
}
