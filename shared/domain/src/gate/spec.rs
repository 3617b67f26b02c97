//! What a gate asks for

use crate::{
    definition::{
        address::Address,
        spec::{
            ApprovalRule, Environment, FreezeWindow, ManualGate, OnFreeze, PolicyGate, ReleaseDependency,
            Schedule, SecurityGate,
        },
    },
    id::OperationId,
    time::Millis,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a gate asks for
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum GateSpec {
    /// People have to agree
    Approval(ApprovalGate),
    /// It must not be a time in which nothing may be changed
    FreezeWindow(FreezeGate),
    /// One named person has to open it by hand
    Manual(ManualGate),
    /// It has to be the right time
    Schedule(ScheduleGate),
    /// Something else has to have ended well
    Dependency(DependencyGate),
    /// No rule may deny the plan
    Policy(PolicyGate),
    /// What is brought has to be attested
    Security(SecurityGate),
}

impl GateSpec {
    /// The kind as callers know it
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Approval(_) => "approval",
            Self::FreezeWindow(_) => "freeze_window",
            Self::Manual(_) => "manual",
            Self::Schedule(_) => "schedule",
            Self::Dependency(_) => "dependency",
            Self::Policy(_) => "policy",
            Self::Security(_) => "security",
        }
    }

    /// How long it waits; as long as its operation may take where it does not say
    pub fn patience(&self) -> Option<Millis> {
        let seconds = match self {
            Self::Approval(gate) => gate.rule.expires_after_s,
            Self::FreezeWindow(_) | Self::Policy(_) => None,
            Self::Manual(gate) => gate.expires_after_s,
            Self::Schedule(gate) => gate.schedule.expires_after_s,
            Self::Dependency(gate) => gate.expires_after_s,
            Self::Security(gate) => gate.expires_after_s,
        };
        seconds.map(|seconds| Millis::from_secs(i64::from(seconds)))
    }

    /// Whether people decide it
    pub const fn is_for_people(&self) -> bool {
        match self {
            Self::Approval(_) | Self::Manual(_) => true,
            Self::FreezeWindow(_)
            | Self::Schedule(_)
            | Self::Dependency(_)
            | Self::Policy(_)
            | Self::Security(_) => false,
        }
    }
}

/// Who has to agree, and why
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalGate {
    /// Who has to
    pub rule: ApprovalRule,
    /// The policies that ask for it, besides the environment itself
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<Address>,
    /// Why it is asked for, in words: shown to those who decide
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

/// Where, and in which windows, nothing may be changed
///
/// `windows` is what the definition said when the plan was made, so that the plan can be read on its own. The
/// decision is made over the environment's windows at the time of the decision: one that was added since holds too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FreezeGate {
    /// The environment whose windows count
    pub environment: Address,
    /// Its windows as they were when the plan was made
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<FreezeWindow>,
    /// Whether it waits for the window's end, or refuses
    #[serde(default, skip_serializing_if = "OnFreeze::is_wait")]
    pub on_freeze: OnFreeze,
}

impl FreezeGate {
    /// The gate over the windows of `environment`
    pub fn of(environment: &Address, spec: &Environment, on_freeze: OnFreeze) -> Self {
        Self { environment: environment.clone(), windows: spec.freeze_windows.clone(), on_freeze }
    }
}

/// When something may be changed
///
/// A time at which a freeze window of `environment` holds is none, so that what waits for one to end and then for a
/// maintenance window to begin cannot slip past the other of the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScheduleGate {
    /// The times
    pub schedule: Schedule,
    /// The environment whose freeze windows count too
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Address>,
}

/// What has to have ended well
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DependencyGate {
    /// Which thing
    pub on: Dependency,
    /// Seconds after which it is refused
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after_s: Option<u32>,
}

/// Something that has to have ended well
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Dependency {
    /// This operation has to succeed
    Operation(OperationId),
    /// This release has to run on every target of an environment
    Release(ReleaseDependency),
}
