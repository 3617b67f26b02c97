//! `scenario`: a recipe

use super::{Ownership, PackRef, Ref, Spec, Template, Weight};
use crate::definition::address::Kind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A recipe: what is done when somebody wants an action (requirement 000)
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its version: plans record which one they were made from
    #[schemars(range(min = 1))]
    pub version: u32,
    /// Where it comes from
    #[serde(default)]
    pub source: ScenarioSource,
    /// The kind of resource that it acts on
    pub target_resource_type: Kind,
    /// The actions that it serves, such as `deploy`
    #[schemars(length(min = 1, max = 50))]
    pub actions: Vec<String>,
    /// The capabilities that it needs, such as `deploy.host`
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<String>,
    /// The capabilities that it gives
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub provides: Vec<String>,
    /// What can go wrong
    #[serde(default)]
    pub risk_metadata: RiskMetadata,
    /// The graph that it follows
    pub template: Ref<Template>,
    /// The pack that it comes from, if others have written it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pack: Option<PackRef>,
}

/// Where a scenario comes from
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScenarioSource {
    /// From a scenario pack of others
    Marketplace,
    /// Written here
    #[default]
    Internal,
}

/// What can go wrong with a scenario
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RiskMetadata {
    /// How bad it can get
    #[serde(default)]
    pub level: Risk,
    /// In words, for whoever approves
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
}

/// How bad it can get
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    /// Nobody notices
    Low,
    /// Some notice
    #[default]
    Medium,
    /// Many notice
    High,
    /// The business notices
    Critical,
}

impl Spec for Scenario {
    const KIND: Kind = Kind::Scenario;
    const OWNERSHIP: Ownership = Ownership::Either;
    const PROVIDER: &'static str = "weir.planner";

    fn weigh_create(after: &Self) -> Weight {
        let level = after.risk_metadata.level;
        match &after.pack {
            Some(pack) if level >= Risk::High => Weight::narrowing(format!(
                "a recipe of `{}` may be run, and it says that many notice",
                pack.vendor
            )),
            Some(_) | None => Weight::reversible(),
        }
    }

    fn weigh_update(before: &Self, after: &Self) -> Weight {
        let mut weight = Weight::reversible();
        if before.actions.iter().any(|action| !after.actions.contains(action)) {
            weight = weight.and(Weight::narrowing("it no longer serves one of its actions"));
        }
        if after.risk_metadata.level < before.risk_metadata.level {
            weight = weight.and(Weight::narrowing("it is said to be less risky than before"));
        }
        weight
    }

    fn weigh_delete(_: &Self) -> Weight {
        Weight::narrowing("its actions can no longer be planned")
    }
}
