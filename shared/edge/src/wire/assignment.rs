//! Assignments of external directories

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weir_domain::{definition::address::Address, id::SnapshotId};

/// `POST /v1/assignment-runs`: what is to be done with assignments
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", deny_unknown_fields)]
pub enum AssignmentRunCreate {
    /// Read all that a provider has, into a snapshot
    #[serde(rename = "assignments.fetch")]
    Fetch {
        /// The provider
        provider: Address,
        /// What people will call the snapshot
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// Put a snapshot back, assignment by assignment
    #[serde(rename = "assignments.restore")]
    Restore {
        /// The snapshot
        snapshot: SnapshotId,
        /// Only these of its assignments; all where there is none
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        only: Vec<String>,
    },
}
