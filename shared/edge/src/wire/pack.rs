//! Scenario packs: recipes of others that the definition holds

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use weir_domain::{
    definition::{
        address::{Address, Kind},
        spec::{Risk, RiskMetadata, ScenarioSource},
    },
    time::Time,
};

/// `GET /v1/packs`: one pack, as it was applied last
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct PackView {
    /// What it is called
    pub id: String,
    /// Its version
    pub version: String,
    /// Where it comes from
    pub source: ScenarioSource,
    /// Who makes it
    pub vendor: String,
    /// Whose key has signed it, as the policy calls them that trusts it
    pub signer: String,
    /// The digest of what was signed
    pub digest: String,
    /// How bad it can get: the riskiest of its scenarios
    pub risk: Risk,
    /// The kinds of resource that its scenarios act on
    #[serde(default)]
    pub target_resource_type: BTreeSet<Kind>,
    /// The actions that its scenarios serve
    #[serde(default)]
    pub actions: Vec<String>,
    /// The capabilities that its scenarios need
    #[serde(default)]
    pub requires: Vec<String>,
    /// The capabilities that its scenarios give
    #[serde(default)]
    pub provides: Vec<String>,
    /// What can go wrong: what the riskiest of its scenarios says
    #[serde(default)]
    pub risk_metadata: RiskMetadata,
    /// Its scenarios
    pub scenarios: Vec<PackScenario>,
    /// Its templates and jobs
    pub parts: Vec<Address>,
    /// When the first of its resources was applied as it is
    pub created_at: Time,
}

/// One scenario of a pack
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct PackScenario {
    /// Its address
    pub id: Address,
    /// Its version
    pub version: u32,
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
}
