//! Every refusal of the API: a problem document (RFC 9457) with a stable code

mod kind;

pub use kind::Kind;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The media type of a problem document
pub const MEDIA_TYPE: &str = "application/problem+json";

/// What went wrong, for programs (`code`) and for people (`title`, `detail`)
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct Problem {
    /// A URI that names the kind of problem
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem in a few words, the same for every occurrence
    pub title: String,
    /// The HTTP status
    pub status: u16,
    /// What happened this time, and what would satisfy the rule that refused
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The path that was asked for
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// A stable code, such as `W0412`: what a program may compare
    pub code: String,
    /// The request, as logs and audit know it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Every place of the body that was wrong
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

/// One place of a request body that was wrong
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct FieldError {
    /// Where, as a JSON pointer (RFC 6901)
    pub pointer: String,
    /// What was wrong there
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_problem_reads_with_what_newer_servers_add_and_without_what_is_optional() {
        let problem: Problem = serde_json::from_value(
            json!({"type": "t", "title": "No", "status": 403, "code": "W0412", "new": 1}),
        )
        .unwrap();
        assert_eq!((problem.code.as_str(), problem.detail, problem.errors), ("W0412", None, vec![]));
    }
}
