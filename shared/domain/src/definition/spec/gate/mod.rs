//! What a policy, or a node of a template, may ask to be waited for
//!
//! One field a kind, of which exactly one is said. The same types stand in plans, where nothing is left to be looked
//! up but what changes until the gate is asked.

mod rules;
mod schedule;

pub use rules::{Condition, PolicyGate, Rule};
pub use schedule::{ClockTime, ClockTimeError, Schedule, Weekday, Window, ZoneName, ZoneNameError};

use super::{Environment, Finding, Ref, Service};
use crate::definition::codes::Code;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};

/// What is waited for: exactly one of these
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateConfig {
    /// Enough people have to agree
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalConfig>,
    /// No freeze window of the operation's environment may hold
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freeze_window: Option<FreezeConfig>,
    /// One named person, or one of a named group, has to open it by hand
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manual: Option<ManualGate>,
    /// It has to be the right time
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// Something else has to have ended well
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dependency: Option<DependencyConfig>,
    /// No rule may deny the plan
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyGate>,
    /// What is brought has to be attested
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security: Option<SecurityGate>,
}

/// Who has to agree
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalConfig {
    /// How many distinct people must approve
    #[schemars(range(min = 1, max = 20))]
    pub required_approvals: u32,
    /// Whose approval counts, as names of groups; anybody's who may approve when left out
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub eligible_groups: Vec<String>,
    /// Separation of duties: whoever requested it may not approve it, nor may an agent acting for them
    #[serde(default)]
    pub require_sod: bool,
    /// Seconds after which an approval that was not used counts no more; never when left out
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 60, max = 31536000))]
    pub expires_after_s: Option<u32>,
}

/// What happens while a freeze window holds
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FreezeConfig {
    /// Whether it is waited for the window's end, or what was asked for is refused
    #[serde(default)]
    pub on_freeze: OnFreeze,
}

/// What happens to a change that meets a freeze window
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFreeze {
    /// It waits until the window ends
    #[default]
    Wait,
    /// It is refused; whoever wants it asks again
    Refuse,
}

impl OnFreeze {
    /// Whether it is what happens when nothing is said
    pub const fn is_wait(&self) -> bool {
        matches!(self, Self::Wait)
    }
}

/// Who opens it by hand
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ManualGate {
    /// What they have to see to before they open it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    /// The groups of which one member is enough
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// The people of whom one is enough, by the actor's id
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<String>,
    /// Separation of duties: whoever requested it may not open it, nor may an agent acting for them
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub require_sod: bool,
    /// Seconds after which it is refused; with the operation's own deadline when left out
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 60, max = 31536000))]
    pub expires_after_s: Option<u32>,
}

/// What has to have ended well: an operation, or the way of a release into an environment
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DependencyConfig {
    /// The operation, by its id, or `inputs.<name>` for the one that the intent names
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The release that has to run somewhere
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseDependency>,
    /// Seconds after which it is refused; with the operation's own deadline when left out
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 60, max = 31536000))]
    pub expires_after_s: Option<u32>,
}

/// A release that has to run on every target of an environment
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseDependency {
    /// Whose release
    pub service: Ref<Service>,
    /// Where
    pub environment: Ref<Environment>,
    /// Which version; any when left out
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// What every component that is brought must have been found to be
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecurityGate {
    /// The attestations that each of its versions must have, all of them passed
    #[schemars(length(min = 1, max = 10))]
    pub require: Vec<AttestationKind>,
    /// Seconds that it waits for one that is missing; refused at once when left out
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 60, max = 31536000))]
    pub expires_after_s: Option<u32>,
}

/// What somebody has found out about the bytes of a version
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
pub enum AttestationKind {
    /// They are signed by who may sign
    Signature,
    /// They were looked through for known vulnerabilities
    Scan,
    /// What they are made of is written down
    Sbom,
    /// How they were built is written down
    Provenance,
    /// They were tested
    Test,
}

impl AttestationKind {
    /// The kind as callers and files know it
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl GateConfig {
    /// What is wrong with it, for the field at `path`
    pub fn findings(&self, path: &str) -> Vec<Finding> {
        let mut found = Vec::new();
        let said = [
            self.approval.is_some(),
            self.freeze_window.is_some(),
            self.manual.is_some(),
            self.schedule.is_some(),
            self.dependency.is_some(),
            self.policy.is_some(),
            self.security.is_some(),
        ];
        let count = said.into_iter().filter(|said| *said).count();
        if count != 1 {
            let kinds =
                "`approval`, `freeze_window`, `manual`, `schedule`, `dependency`, `policy` or `security`";
            found.push(Finding {
                path: path.to_owned(),
                code: Code::Contradiction,
                message: format!("a gate asks for one thing, and this one asks for {count}"),
                help: Some(format!("say one of {kinds}; further gates are further nodes or policies")),
            });
        }
        if let Some(manual) = &self.manual {
            found.extend(manual.findings(&format!("{path}.manual")));
        }
        if let Some(schedule) = &self.schedule {
            found.extend(schedule.findings(&format!("{path}.schedule")));
        }
        if let Some(dependency) = &self.dependency {
            found.extend(dependency.findings(&format!("{path}.dependency")));
        }
        if let Some(policy) = &self.policy {
            found.extend(policy.findings(&format!("{path}.policy")));
        }
        found
    }
}

impl ManualGate {
    fn findings(&self, path: &str) -> Vec<Finding> {
        if !self.groups.is_empty() || !self.people.is_empty() {
            return Vec::new();
        }
        vec![Finding {
            path: path.to_owned(),
            code: Code::MissingField,
            message: "nobody is named who could open it".to_owned(),
            help: Some("say `groups` or `people`; for anyone's agreement ask for an `approval`".to_owned()),
        }]
    }
}

impl DependencyConfig {
    fn findings(&self, path: &str) -> Vec<Finding> {
        let finding = |path: String, code, message: &str, help: &str| Finding {
            path,
            code,
            message: message.to_owned(),
            help: Some(help.to_owned()),
        };
        let mut found = Vec::new();
        if self.operation.is_some() == self.release.is_some() {
            let message = "a dependency is either an operation or a release";
            found.push(finding(
                path.to_owned(),
                Code::Contradiction,
                message,
                "say `operation` or `release`, and not both",
            ));
        }
        if let Some(operation) = &self.operation
            && !is_input(operation)
            && operation.parse::<crate::id::OperationId>().is_err()
        {
            let message = "this is neither the id of an operation nor an input";
            let help = "write an id such as `op_01J…`, or `inputs.<name>` for the one that the intent names";
            found.push(finding(format!("{path}.operation"), Code::Format, message, help));
        }
        found
    }
}

/// Whether `text` is `inputs.<name>`
pub(crate) fn is_input(text: &str) -> bool {
    text.strip_prefix("inputs.").is_some_and(|name| !name.is_empty())
}
