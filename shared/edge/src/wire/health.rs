//! Whether the API answers, and as what

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `GET /v1/health`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct Health {
    /// `ok`: this endpoint answers only when it is, and the table does too
    pub status: String,
    /// The version of the functions
    pub version: String,
    /// The stage
    pub stage: String,
    /// The workspace
    pub workspace: String,
}
