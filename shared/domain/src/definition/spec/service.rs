//! `service`: components that are released together

use super::{Component, Environment, Ownership, Ref, Spec, Weight};
use crate::definition::address::Kind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Components that are released together (requirements 001 and 004)
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// As people read it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Where its source is
    pub repo: String,
    /// Its deployable parts
    #[schemars(length(min = 1, max = 100))]
    pub components: Vec<Ref<Component>>,
    /// What deploys it
    #[serde(default)]
    pub adapters: Adapters,
    /// Where it may be brought
    pub environments: Vec<Ref<Environment>>,
}

/// What deploys a service
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Adapters {
    /// The deployment adapters: `host`, `docker_host`, `compose_host`, `http`, `lambda`, `aws`, `fly`, `gcp`,
    /// `k8s`, `render`, and those of enabled plugins
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deployments: Vec<String>,
}

impl Spec for Service {
    const KIND: Kind = Kind::Service;
    const OWNERSHIP: Ownership = Ownership::Tenant;
    const PROVIDER: &'static str = "weir.delivery";

    fn weigh_update(before: &Self, after: &Self) -> Weight {
        let loses = |before: &[String], after: &[String]| before.iter().any(|item| !after.contains(item));
        let names =
            |refs: &[Ref<Environment>]| refs.iter().map(|r| r.address().to_string()).collect::<Vec<_>>();
        let parts =
            |refs: &[Ref<Component>]| refs.iter().map(|r| r.address().to_string()).collect::<Vec<_>>();
        let mut weight = Weight::reversible();
        if loses(&names(&before.environments), &names(&after.environments)) {
            weight = weight
                .and(Weight::narrowing("it can no longer be brought to an environment where it may run"));
        }
        if loses(&parts(&before.components), &parts(&after.components)) {
            weight = weight.and(Weight::narrowing("releases of it no longer hold one of its components"));
        }
        weight
    }

    fn weigh_delete(_: &Self) -> Weight {
        Weight::narrowing("its releases can no longer be promoted")
    }
}
