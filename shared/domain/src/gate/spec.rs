//! What a gate asks for

use crate::{definition::address::Address, time::Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a gate asks for
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum GateSpec {
    /// People have to agree
    Approval(ApprovalRule),
    /// It must not be a time in which nothing may be changed
    FreezeWindow(FreezeRule),
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

/// Who has to agree
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalRule {
    /// How many different people have to
    pub required: u32,
    /// The groups that they may belong to; anyone may decide when there is none
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Whether who asked for it, and any agent acting for them, may not decide
    pub require_sod: bool,
    /// The policies that ask for it
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<Address>,
    /// Why it is asked for, in words: shown to those who decide
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// Seconds after which the gate, still undecided, expires
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after_s: Option<u32>,
}

/// Where, and in which windows, nothing may be changed
///
/// `windows` is what the definition said when the plan was made, so that the plan can be read on its own. The
/// decision is made over the environment's windows at the time of the decision: one that was added since holds too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FreezeRule {
    /// The environment whose windows count
    pub environment: Address,
    /// Its windows as they were when the plan was made
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<FreezeWindow>,
}

/// A time in which nothing may be changed: from `start`, up to but not including `end`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FreezeWindow {
    /// Its name within its environment
    pub id: String,
    /// When it begins
    pub start: Time,
    /// When it is over
    pub end: Time,
    /// Why it is there
    pub reason: String,
    /// People and groups (`group:<name>`) that it does not hold
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<String>,
}
