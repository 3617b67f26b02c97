//! Every refusal of the API: a problem document (RFC 9457) with a stable code

mod kind;

pub use kind::Kind;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weir_domain::definition::codes::Code;

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
    /// Where in the definition that stands there
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub place: Option<DefinitionPlace>,
}

/// What a diagnostic of a definition is about
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct DefinitionPlace {
    /// What it is: `weir help W0207` tells more
    pub code: Code,
    /// The file, from the definition's folder
    pub file: String,
    /// From 1
    pub line: u32,
    /// In characters, from 1
    pub column: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_place_in_a_definition_is_read_where_there_is_one() {
        let error = |value| serde_json::from_value::<FieldError>(value).unwrap().place;
        let body = json!({"pointer": "/a", "message": "m"});
        assert_eq!(error(body.clone()), None);
        let known = json!({"pointer": "/definition", "message": "m", "code": "W0207", "file": "a.yaml",
            "line": 3, "column": 5});
        assert_eq!(error(known.clone()).map(|it| (it.code, it.line)), Some((Code::MissingReference, 3)));
        let newer =
            json!({"pointer": "/definition", "message": "m", "code": "W0299", "file": "a", "line": 1});
        assert_eq!(error(newer), None, "a code of a newer server does not hide the message");
        assert_eq!(
            serde_json::to_value(serde_json::from_value::<FieldError>(known.clone()).unwrap()).unwrap(),
            known
        );
    }

    #[test]
    fn a_problem_reads_with_what_newer_servers_add_and_without_what_is_optional() {
        let problem: Problem = serde_json::from_value(
            json!({"type": "t", "title": "No", "status": 403, "code": "W0412", "new": 1}),
        )
        .unwrap();
        assert_eq!((problem.code.as_str(), problem.detail, problem.errors), ("W0412", None, vec![]));
    }
}
