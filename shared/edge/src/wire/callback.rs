//! What whoever was called by a job says later

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `POST /v1/callbacks/{token}`: how it ended
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct CallbackReport {
    /// How
    pub status: CallbackStatus,
    /// Where the job's `outputs` are looked for
    #[serde(default)]
    pub result: Value,
    /// Why it failed, for people
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Whether another attempt may help, if it failed
    #[serde(default)]
    pub retryable: bool,
}

/// How it ended
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CallbackStatus {
    /// Well
    Succeeded,
    /// Badly
    Failed,
}

/// The answer to a callback
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct CallbackAck {
    /// True when this callback, or the same one before it, ended the attempt
    pub accepted: bool,
}
