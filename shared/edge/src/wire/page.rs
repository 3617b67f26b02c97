//! One page of a list

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Some records of a list, and where the next ones begin
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct Page<T> {
    /// The records
    pub items: Vec<T>,
    /// What to give as `cursor` for the next page; absent on the last
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
