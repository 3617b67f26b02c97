//! Rules over a plan: what it may not be

use super::super::{Environment, Finding, Principal, Ref, Risk};
use crate::{actor::ActorKind, definition::codes::Code, operation::OperationType};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Rules over a plan and who asked for it: any that holds denies it, whatever the others say
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyGate {
    /// The rules, in the order in which they are looked at
    #[schemars(length(min = 1, max = 50))]
    pub rules: Vec<Rule>,
}

/// One rule: what it denies, and why
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Why, for whoever is denied
    pub deny: String,
    /// What it denies: plans of which all that is said here is so
    pub when: Condition,
    /// What it does not deny all the same
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unless: Option<Condition>,
}

/// What may be said of a plan: of a list one has to fit, of the fields all
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// It is an operation of one of these types
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operation_types: Vec<OperationType>,
    /// It changes one of these environments
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<Ref<Environment>>,
    /// Whether it changes what serves users
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub production: Option<bool>,
    /// One of these asked for it, or somebody for them
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requested_by: Vec<Principal>,
    /// An actor of one of these kinds asked for it
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actor_kinds: Vec<ActorKind>,
    /// It changes more targets than this
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets_above: Option<u32>,
    /// It has more nodes than this
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes_above: Option<u32>,
    /// Its scenario is said to be at least as risky
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk_at_least: Option<Risk>,
    /// Whether what it brings is a pre-release, such as `2.0.0-rc.1`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prerelease: Option<bool>,
}

impl PolicyGate {
    /// What is wrong with it, for the field at `path`
    pub(super) fn findings(&self, path: &str) -> Vec<Finding> {
        let everything = |(i, rule): (usize, &Rule)| {
            (rule.when == Condition::default() && rule.unless.is_none()).then(|| Finding {
                path: format!("{path}.rules.{i}.when"),
                code: Code::Contradiction,
                message: "this rule denies every plan".to_owned(),
                help: Some("say in `when` what it denies, or in `unless` what it does not".to_owned()),
            })
        };
        self.rules.iter().enumerate().filter_map(everything).collect()
    }
}
