//! `target`: one place in an environment that is deployed to

use super::{Environment, Ownership, Ref, SecretRef, Spec, Weight};
use crate::definition::address::Kind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One place in an environment that is deployed to (requirement 004)
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The environment that it is part of
    pub environment: Ref<Environment>,
    /// What kind of platform it is
    pub target_type: TargetType,
    /// How it is reached
    #[serde(default, skip_serializing_if = "Connection::is_empty")]
    pub connection: Connection,
    /// Labels, by which targets are chosen
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Whether one operation at a time may use it: others wait in the order in which they were started
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exclusive: bool,
}

/// What kind of platform a target is
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum TargetType {
    /// A machine with an agent that runs processes
    Host,
    /// A machine with an agent that runs containers
    DockerHost,
    /// A machine with an agent that runs Compose projects
    ComposeHost,
    /// An HTTP endpoint that deploys
    Http,
    /// An AWS Lambda function
    Lambda,
}

/// How a target is reached; for a `host`, its agent reports what is left out here
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// Where what is deployed answers; what the agent reports when left out
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "uri"))]
    pub base_url: Option<String>,
    /// The folder of the Compose project (`compose_host`)
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The function's name or ARN (`lambda`)
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// The secret that the platform asks for
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_ref: Option<SecretRef>,
}

impl Connection {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Spec for Target {
    const KIND: Kind = Kind::Target;
    const OWNERSHIP: Ownership = Ownership::Tenant;
    const PROVIDER: &'static str = "weir.delivery";

    fn weigh_update(before: &Self, after: &Self) -> Weight {
        let mut weight = Weight::reversible();
        if before.environment != after.environment {
            weight =
                weight.and(Weight::narrowing("the target moves to another environment, under other gates"));
        }
        if before.exclusive && !after.exclusive {
            weight = weight.and(Weight::narrowing("several operations at a time may change it"));
        }
        if before.target_type != after.target_type {
            weight = weight.and(Weight::irreversible(
                "what runs on it was put there by another adapter and cannot be rolled back",
            ));
        }
        weight
    }

    fn weigh_delete(_: &Self) -> Weight {
        Weight::narrowing("what runs on it is no longer watched, rolled back or checked for drift")
    }
}
