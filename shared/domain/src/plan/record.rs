//! A plan as it is stored: its record in the table, its graph in a snapshot

use super::{graph::Graph, node::NodeId, status::PlanStatus};
use crate::{
    actor::Actor,
    canonical::{Digest, NotCanonical},
    definition::{
        address::Address,
        spec::{Delivery, Risk},
    },
    id::{DeploymentId, IntentId, PlanId, PromotionId, ReleaseId},
    operation::OperationType,
    time::Time,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The recipe that a plan was made by
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScenarioRef {
    /// Which scenario
    pub scenario: Address,
    /// Its version; absent in plans of before this was recorded
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// The version of its template
    pub template_version: u32,
    /// The template; absent in plans of before this was recorded
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Address>,
}

/// One edit of a template at one of its editable points
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Customization {
    /// The node that was edited
    pub node_id: NodeId,
    /// The point at which it was
    pub point: String,
    /// What stands there now
    pub value: serde_json::Value,
}

/// Whether a requirement found who provides it
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BindingStatus {
    /// A resource provides it
    Bound,
    /// Another operation will
    SubOperation,
    /// Nothing does
    Unbound,
}

/// A capability that the plan requires, resolved to what provides it
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResourceBinding {
    /// The requirement: the node and what it requires
    pub requirement_id: String,
    /// The capability that is required
    pub capability_key: String,
    /// What the provider has to fulfil
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub constraints: serde_json::Map<String, serde_json::Value>,
    /// Whether a provider was found
    pub binding_status: BindingStatus,
    /// The provider
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selected_resource_id: Option<String>,
    /// The plan that will provide it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub_operation_plan_id: Option<PlanId>,
    /// Why this provider, or why none
    pub resolution_reason: String,
}

/// What a plan is about, beyond its graph
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "subject", rename_all = "snake_case")]
pub enum PlanContext {
    /// A release comes onto targets
    Delivery(DeliveryContext),
    /// The definition becomes true
    Definition(DefinitionContext),
    /// A scenario runs
    Scenario(ScenarioContext),
    /// Nothing more is to be said
    None {},
}

/// What a deployment is about
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeliveryContext {
    /// The promotion that it fulfils; a rollback names the one that it undoes
    pub promotion_id: PromotionId,
    /// The release that is promoted; a rollback names the one that is taken back
    pub release_id: ReleaseId,
    /// The service that the release is of
    pub service: Address,
    /// Where it is brought
    pub environment: Address,
    /// In which order, and what happens when it fails
    pub delivery: Delivery,
    /// The deployment that it undoes
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_of: Option<DeploymentId>,
}

/// What an apply of the definition is about
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DefinitionContext {
    /// The definition as uploaded
    pub definition_digest: Digest,
    /// The plan of changes that was shown and accepted
    pub change_plan_digest: Digest,
    /// The revision of the state that the changes were planned on
    pub base_revision: u64,
}

/// What a run of a scenario is about
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScenarioContext {
    /// What is done
    pub action: String,
    /// To which resource
    pub resource: Address,
    /// The environment that it changes
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Address>,
    /// What the template was given, with its defaults
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub inputs: serde_json::Map<String, serde_json::Value>,
    /// What the scenario gives: name → `<node>.<output>`
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, String>,
    /// The plan whose operation runs this one: it cannot be started by itself
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_of: Option<PlanId>,
    /// How risky it is: as its riskiest part, the operations that it runs included
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<Risk>,
}

/// The concrete graph for one intent, immutable once hashed
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// Which plan
    pub plan_id: PlanId,
    /// The intent that it fulfils
    pub intent_id: IntentId,
    /// The type of operation that runs it
    pub operation_type: OperationType,
    /// The recipe that it was made by; built-in planners have none
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario_ref: Option<ScenarioRef>,
    /// Where it stands
    pub status: PlanStatus,
    /// 1, and one more for every patch of its operation: as it is recorded it is 1, and whoever shows the plan adds them
    pub effective_version: u32,
    /// The digest of its graph: the name of its snapshot
    pub graph_hash: Digest,
    /// How many nodes it has, joins not counted
    pub node_count: u32,
    /// Where it differs from its template
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub customizations: Vec<Customization>,
    /// What provides what it requires
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bindings: Vec<ResourceBinding>,
    /// The resources that one operation at a time may use, and that this one uses
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub exclusive: BTreeSet<Address>,
    /// What it is about
    pub context: PlanContext,
    /// Who asked for it
    pub created_by: Actor,
    /// When it was made
    pub created_at: Time,
    /// After this it may not be started any more: what it was made from has changed too much
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
}

/// A plan's graph as it lies in S3, at `plans/<graph_hash>.json`
///
/// Content-addressed, so it holds the graph and nothing else: two promotions of one release may share it. What differs
/// between them ([`PlanContext`]) is in the plan's record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanSnapshot {
    /// The form of this document
    pub format: u32,
    /// The digest of the graph
    pub graph_hash: Digest,
    /// The graph
    pub nodes: Graph,
}

/// A snapshot that can not be trusted
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// It is not a snapshot
    #[error("the plan snapshot cannot be read")]
    Unreadable(#[source] serde_json::Error),
    /// It is of a later version
    #[error("the plan snapshot has form {0}, which this version does not know")]
    Format(u32),
    /// It is not the plan that was asked for
    #[error("the plan snapshot holds `{found}`, not `{expected}`")]
    Mismatch {
        /// What was asked for
        expected: Digest,
        /// What it holds
        found: Digest,
    },
    /// It cannot be hashed
    #[error(transparent)]
    NotCanonical(#[from] NotCanonical),
}

impl PlanSnapshot {
    /// The form that this version writes
    pub const FORMAT: u32 = 1;

    /// The snapshot of `graph`
    pub fn new(graph: Graph) -> Result<Self, NotCanonical> {
        Ok(Self { format: Self::FORMAT, graph_hash: graph.graph_hash()?, nodes: graph })
    }

    /// The graph in `bytes`, which has to be the one called `expected`
    pub fn read(bytes: &[u8], expected: &Digest) -> Result<Graph, SnapshotError> {
        let snapshot: Self = serde_json::from_slice(bytes).map_err(SnapshotError::Unreadable)?;
        if snapshot.format != Self::FORMAT {
            return Err(SnapshotError::Format(snapshot.format));
        }
        let found = snapshot.nodes.graph_hash()?;
        if found == *expected {
            Ok(snapshot.nodes)
        } else {
            Err(SnapshotError::Mismatch { expected: expected.clone(), found })
        }
    }
}
