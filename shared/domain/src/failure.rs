//! Why something did not succeed, in words that may be shown to anyone

use crate::sanitise::sanitise;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The code of a node that was skipped since one that it waited for did not succeed
pub const DEPENDENCY_NOT_SATISFIED: &str = "dependency_not_satisfied";

/// A stable code and a message without secrets, tokens or personal data (requirement 003)
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailureSummary {
    /// Stable, in `snake_case`: for programs
    pub code: String,
    /// For people
    pub message: String,
    /// Whether housekeeping found it, and nobody reported it
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reconciled: bool,
}

impl FailureSummary {
    /// A failure of Weir's own making: `message` must hold nothing that came from outside
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), reconciled: false }
    }

    /// A failure that an adapter, an agent or a platform described: what may be secret is taken out of `text`
    pub fn from_outside(code: &str, text: &str) -> Self {
        Self { code: code.to_owned(), message: sanitise(text), reconciled: false }
    }

    /// A failure that nobody reported: whoever looked after it found it
    pub fn found(code: &str, message: impl Into<String>) -> Self {
        Self { reconciled: true, ..Self::new(code, message) }
    }

    /// The operation was cancelled before or while the node ran
    pub fn cancelled() -> Self {
        Self::new("cancelled", "the operation was cancelled")
    }

    /// A node that this one waited for did not succeed
    pub fn dependency(ordinal: u32) -> Self {
        Self::new(DEPENDENCY_NOT_SATISFIED, format!("node {ordinal}, which it waits for, did not succeed"))
    }
}
