//! `component`: what is deployed

use super::{Ownership, SecretRef, Spec, Weight};
use crate::definition::address::Kind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is deployed: it has versions (requirement 004)
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// As people read it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Where its images or archives come from; this deployment's bucket when left out
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_repository: Option<String>,
    /// How its versions are told apart
    #[serde(default)]
    pub versioning_strategy: VersioningStrategy,
    /// The channel of versions that name none
    #[serde(default = "stable")]
    pub default_channel: String,
    /// How it is run on a target
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
}

/// How versions are told apart
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VersioningStrategy {
    /// By what
    #[serde(default)]
    pub kind: VersioningKind,
    /// The tags that are versions, as a prefix such as `v`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag_prefix: Option<String>,
}

/// By what versions are told apart
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VersioningKind {
    /// Semantic versions
    #[default]
    Semver,
    /// Versions that are dates
    Calver,
    /// By their digest alone
    Digest,
}

/// How a component is run on a target
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The program and its arguments, in the unpacked archive's folder; no shell
    #[schemars(length(min = 1, max = 100))]
    pub command: Vec<String>,
    /// Its environment, besides `PORT`
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// The secrets in its environment
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secret_env: BTreeMap<String, SecretRef>,
    /// How one sees that it works
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
}

/// How one sees that a component works
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// The path that is asked for, under the target's address
    #[schemars(extend("pattern" = super::PATH_PATTERN))]
    pub path: String,
    /// The answer that is expected
    #[serde(default = "ok")]
    #[schemars(range(min = 100, max = 599))]
    pub expect_status: u16,
    /// How often it is asked before it has failed
    #[serde(default = "three")]
    #[schemars(range(min = 1, max = 100))]
    pub attempts: u32,
    /// Seconds between two of them
    #[serde(default = "two")]
    #[schemars(range(min = 1, max = 3600))]
    pub interval_s: u32,
    /// Seconds that one may take
    #[serde(default = "five")]
    #[schemars(range(min = 1, max = 300))]
    pub timeout_s: u32,
}

fn stable() -> String {
    "stable".to_owned()
}
const fn ok() -> u16 {
    200
}
const fn two() -> u32 {
    2
}
const fn three() -> u32 {
    3
}
const fn five() -> u32 {
    5
}

impl Spec for Component {
    const KIND: Kind = Kind::Component;
    const OWNERSHIP: Ownership = Ownership::Tenant;
    const PROVIDER: &'static str = "weir.delivery";

    fn weigh_update(before: &Self, after: &Self) -> Weight {
        let health = |it: &Self| it.run.as_ref().and_then(|run| run.health.clone());
        if health(before).is_some() && health(after).is_none() {
            return Weight::narrowing("deployments of it are no longer verified");
        }
        Weight::reversible()
    }

    fn weigh_delete(_: &Self) -> Weight {
        Weight::narrowing("its versions can no longer be released")
    }
}
