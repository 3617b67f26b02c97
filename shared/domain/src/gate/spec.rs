//! What a gate asks for

use crate::definition::{
    address::Address,
    spec::{ApprovalRule, FreezeWindow},
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
}

impl GateSpec {
    /// The kind as callers know it
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Approval(_) => "approval",
            Self::FreezeWindow(_) => "freeze_window",
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
}
