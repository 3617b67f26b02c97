//! Assignments: a policy or configuration of an external directory that is given to a group (requirement 003)

use crate::{
    canonical::Digest,
    definition::address::Address,
    id::{OperationId, SnapshotId},
    time::Time,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Longest id of an assignment, in bytes
pub const ASSIGNMENT_ID_MAX: usize = 200;

/// The most assignments of one snapshot
pub const ASSIGNMENTS_MAX: usize = 100_000;

/// One assignment, as its directory has it
///
/// What else a directory says of it is not kept: nobody has said what that is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Assignment {
    /// What its directory calls it
    pub id: String,
    /// The policy or configuration
    pub policy: String,
    /// The group that has it
    pub group: String,
    /// How it has it
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub settings: Map<String, Value>,
}

/// What a directory answered that is none
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the directory has an assignment whose {0}")]
pub struct BadAssignment(&'static str);

impl Assignment {
    /// Reads what a directory answered
    pub fn read(value: &Value) -> Result<Self, BadAssignment> {
        let read = Self::deserialize(value)
            .map_err(|_| BadAssignment("fields are not `id`, `policy`, `group` and `settings`"))?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-:@~".contains(&b);
        let fits = !read.id.is_empty() && read.id.len() <= ASSIGNMENT_ID_MAX && !read.id.starts_with('.');
        if fits && read.id.bytes().all(plain) {
            Ok(read)
        } else {
            Err(BadAssignment("id has other than letters, digits and `._-:@~`, or more than 200 of them"))
        }
    }
}

/// What a snapshot holds: named by its digest, never changed
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SnapshotContent {
    /// Where they were read
    pub provider: Address,
    /// All that there were, by id
    pub assignments: Vec<Assignment>,
}

/// All assignments of one directory, as they were at one time
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AssignmentSnapshot {
    /// What it is called everywhere
    pub id: SnapshotId,
    /// What people call it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where they were read
    pub provider: Address,
    /// The digest of its content
    pub digest: Digest,
    /// How many there are
    pub assignments: u64,
    /// The operation that read them
    pub operation_id: OperationId,
    /// Who wanted that
    pub created_by: String,
    /// When
    pub created_at: Time,
}

/// What became of one assignment of a restore
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RestoreResult {
    /// It was put back
    Restored,
    /// It was so already
    Unchanged,
    /// It was not put back, and trying again is of no use
    Failed,
    /// It was not put back yet: another attempt may
    Open,
}

/// One assignment of a restore
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Restored {
    /// Which
    pub id: String,
    /// What became of it
    pub result: RestoreResult,
    /// Why it was not put back: sanitised
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What became of one batch of a restore, with the counts of the operation's catalogue
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreReport {
    /// How many were put back
    pub assignments_restored: u64,
    /// How many could not be
    pub assignments_failed: u64,
    /// How many were so already
    pub assignments_unchanged: u64,
    /// Each of them
    pub results: Vec<Restored>,
}

impl RestoreReport {
    /// The report over `results`
    pub fn new(results: Vec<Restored>) -> Self {
        let count = |wanted: &[RestoreResult]| {
            let n = results.iter().filter(|it| wanted.contains(&it.result)).count();
            u64::try_from(n).unwrap_or(u64::MAX)
        };
        Self {
            assignments_restored: count(&[RestoreResult::Restored]),
            assignments_failed: count(&[RestoreResult::Failed, RestoreResult::Open]),
            assignments_unchanged: count(&[RestoreResult::Unchanged]),
            results,
        }
    }

    /// How many there are
    pub const fn total(&self) -> u64 {
        self.assignments_restored + self.assignments_failed + self.assignments_unchanged
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_directory_answers_is_read_strictly_where_it_matters() {
        let whole =
            json!({ "id": "a:1", "policy": "p", "group": "g", "settings": { "mode": "on" }, "etag": "x" });
        let read = Assignment::read(&whole).unwrap();
        assert_eq!((read.id.as_str(), read.settings["mode"].as_str()), ("a:1", Some("on")));
        assert!(!serde_json::to_string(&read).unwrap().contains("etag"));
        for id in ["", "..", ".a", "a/b", "a b", "a?b", &"x".repeat(201)] {
            let bad = json!({ "id": id, "policy": "p", "group": "g" });
            assert!(Assignment::read(&bad).is_err(), "{id}");
        }
        assert!(Assignment::read(&json!({ "id": "a" })).is_err());
    }

    #[test]
    fn a_report_counts_what_is_not_done_as_failed() {
        let result = |result| Restored { id: "a".to_owned(), result, message: None };
        use RestoreResult::{Failed, Open, Restored as Back, Unchanged};
        let report = RestoreReport::new([Back, Back, Unchanged, Failed, Open].map(result).into());
        assert_eq!(
            (
                report.assignments_restored,
                report.assignments_unchanged,
                report.assignments_failed,
                report.total()
            ),
            (2, 1, 2, 5)
        );
    }
}
