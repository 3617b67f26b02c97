//! What an evidence packet says

use crate::{
    actor::Actor,
    canonical::{Digest, NotCanonical},
    id::{EvidenceId, OperationId, PromotionId, ReleaseId},
    operation::{OperationStatus, OperationType},
    plan::NodeStatus,
    scope::Scope,
    time::Time,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use strum::{EnumString, IntoStaticStr, VariantArray};

/// What a packet is evidence of
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum PacketType {
    /// What stands before a change was decided, such as a promotion's gates
    ReleaseDecision,
    /// A deployment ended
    Deployment,
    /// A deployment was taken back
    Rollback,
    /// A change of the definition was applied
    DefinitionApply,
    /// A scenario was run
    ScenarioRun,
}

impl PacketType {
    /// The type as callers know it
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The in-toto predicate type that a statement about it must have
    pub fn predicate_type(self) -> String {
        format!("https://weir.dev/evidence/{}/v1", self.as_str().replace('_', "-"))
    }
}

/// The release that the packet is about
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReleaseRef {
    /// Which
    pub release_id: ReleaseId,
    /// Its service, as an address
    pub service: String,
    /// Its version
    pub version: String,
    /// Which digest each component has
    pub components: BTreeMap<String, Digest>,
}

/// One gate, as it was decided
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GateRecord {
    /// The node that waited for it
    pub node_id: String,
    /// What kind of gate it is
    pub kind: String,
    /// What it said: `allow` or `deny`
    pub result: String,
    /// Why, by stable codes
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reason_codes: Vec<String>,
    /// What it was decided on
    pub inputs: serde_json::Value,
    /// Whose act decided it, by the actor's id
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Time>,
    /// The part of the plan that it was decided on
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closure_hash: Option<Digest>,
    /// Who decided, when, and what they said
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<serde_json::Value>,
}

/// What was decided
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// `allow` or `deny`
    pub result: String,
    /// Every gate, in the order of the plan
    pub gates: Vec<GateRecord>,
}

/// One node that ran
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExecutionNode {
    /// Its name in the plan
    pub node_id: String,
    /// How it ended
    pub status: NodeStatus,
    /// How many attempts it took
    pub attempts: u32,
    /// When its last attempt began
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When it ended
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// The code of its failure
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What it gave, as its contract names it
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub outputs: serde_json::Map<String, serde_json::Value>,
}

/// What was done
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Execution {
    /// How the operation ended
    pub status: OperationStatus,
    /// When it began
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When it ended
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Time>,
    /// Every node but joins
    pub nodes: Vec<ExecutionNode>,
    /// What each target was left with
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub targets: BTreeMap<String, Digest>,
}

/// What the packet states
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EvidenceContent {
    /// The operation that it is about
    pub operation_id: OperationId,
    /// What kind of operation that is
    pub operation_type: OperationType,
    /// The hash of the plan that was executed
    pub graph_hash: Digest,
    /// The release, if it is about one
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseRef>,
    /// The environment, as an address
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Who asked for it, and who decided, by their part in it
    pub actors: BTreeMap<String, Actor>,
    /// What was decided
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// What was done; in a statement that a node of a scenario makes, up to then
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<Execution>,
    /// What the node that makes the statement was given to say
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub statement: serde_json::Map<String, serde_json::Value>,
    /// The operation that this one takes back
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<OperationId>,
}

/// An evidence packet: the fields of requirement 004 but the signature, which is the envelope's
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EvidencePacket {
    /// What it is called everywhere
    pub id: EvidenceId,
    /// Whose it is
    pub scope: Scope,
    /// The promotion, if it is about one
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion_id: Option<PromotionId>,
    /// What it is evidence of
    pub packet_type: PacketType,
    /// What it states
    pub content: EvidenceContent,
    /// The digest of `content` as canonical JSON
    pub content_hash: Digest,
    /// The key that signs it
    pub signer_key_ref: String,
    /// When it was made; there is no time of a change
    pub created_at: Time,
}

impl EvidencePacket {
    /// A packet that states `content`
    pub fn new(
        id: EvidenceId,
        scope: Scope,
        promotion_id: Option<PromotionId>,
        packet_type: PacketType,
        content: EvidenceContent,
        signer_key_ref: String,
        created_at: Time,
    ) -> Result<Self, NotCanonical> {
        let content_hash = Digest::of(&content)?;
        Ok(Self { id, scope, promotion_id, packet_type, content, content_hash, signer_key_ref, created_at })
    }
}
