//! What a gate answers, and why

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};

/// What a gate answers
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, IntoStaticStr, VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum VerdictResult {
    /// What waits may go on
    Allow,
    /// It may not, and will not
    Deny,
    /// It may not yet
    Pending,
}

impl VerdictResult {
    /// The answer as callers know it
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Why a gate answers as it does; part of the contract: add, never rename
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, IntoStaticStr, VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ReasonCode {
    /// Enough people approved
    Approved,
    /// Somebody rejected
    Rejected,
    /// More people have to approve
    ApprovalsMissing,
    /// The policies that hold leave nobody who could approve
    NobodyEligible,
    /// It was decided too late
    Expired,
    /// What it was asked for has ended or changed
    Void,
    /// No window holds now
    NotFrozen,
    /// A window holds, but not for who asks
    FreezeException,
    /// A window holds
    Frozen,
    /// Somebody who may has opened it by hand
    OpenedByHand,
    /// Somebody has to open it by hand
    HandMissing,
    /// It is not yet time
    TooEarly,
    /// No maintenance window is open
    OutsideWindow,
    /// It is the right time
    InWindow,
    /// There will be no right time
    NoWindow,
    /// What it waited for ended well
    DependencyMet,
    /// What it waits for has not ended
    DependencyPending,
    /// What it waits for cannot end well any more
    DependencyFailed,
    /// What it waits for does not exist
    DependencyMissing,
    /// A rule denies the plan
    RuleDenies,
    /// No rule denies the plan
    NoRuleDenies,
    /// What is brought has every attestation that is asked for
    Attested,
    /// An attestation is missing
    AttestationMissing,
    /// Somebody found that something is wrong with what is brought
    AttestationFailed,
    /// Nothing is brought that could be attested
    NothingToAttest,
}

impl ReasonCode {
    /// The code as callers know it
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A gate's answer, with its reasons
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// The answer
    pub result: VerdictResult,
    /// Why
    pub reason_codes: Vec<ReasonCode>,
}

impl Verdict {
    /// An answer for one reason
    pub fn new(result: VerdictResult, reason: ReasonCode) -> Self {
        Self { result, reason_codes: vec![reason] }
    }
}
