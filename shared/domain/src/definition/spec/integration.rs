//! `integration`: a connection to a system of others

use super::{FreeForm, Ownership, SecretRef, Spec, Weight};
use crate::definition::address::Kind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A connection to a system of others (requirement 004)
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Integration {
    /// Which system
    pub type_id: IntegrationType,
    /// As people read it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// How it is used
    #[serde(default, skip_serializing_if = "IntegrationConfig::is_empty")]
    pub config: IntegrationConfig,
    /// The secret that it asks for
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_ref: Option<SecretRef>,
}

/// Which system
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IntegrationType {
    /// Messages and approvals in Slack
    Slack,
    /// Incidents of PagerDuty
    Pagerduty,
    /// Incidents of Opsgenie
    Opsgenie,
    /// Calls to a URL
    Webhook,
    /// Pull requests and commits of GitHub
    Github,
}

/// How an integration is used
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IntegrationConfig {
    /// Where it writes to
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Who its users are here: their id there → the actor that they are
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub users: BTreeMap<String, IntegrationUser>,
    /// What else its adapter reads
    #[serde(default, skip_serializing_if = "FreeForm::is_empty")]
    pub settings: FreeForm,
}

/// The actor that a user of another system is
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IntegrationUser {
    /// The actor's id
    pub actor: String,
    /// The groups that they are of when they act from there
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// The roles that they have when they act from there
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
}

impl IntegrationConfig {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Spec for Integration {
    const KIND: Kind = Kind::Integration;
    const OWNERSHIP: Ownership = Ownership::Tenant;
    const PROVIDER: &'static str = "weir.integrations";

    fn weigh_update(before: &Self, after: &Self) -> Weight {
        let gains = |id: &String, user: &IntegrationUser| {
            before.config.users.get(id).is_none_or(|was| {
                was.actor != user.actor
                    || user.groups.iter().any(|group| !was.groups.contains(group))
                    || user.roles.iter().any(|role| !was.roles.contains(role))
            })
        };
        match after.config.users.iter().find(|(id, user)| gains(id, user)) {
            Some((_, user)) => {
                Weight::narrowing(format!("`{}` may act from there with more rights than before", user.actor))
            }
            None => Weight::reversible(),
        }
    }

    fn weigh_delete(_: &Self) -> Weight {
        Weight::reversible()
    }
}
