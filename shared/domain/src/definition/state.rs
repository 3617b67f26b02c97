//! The ledger: what has been applied
//!
//! One JSON document, `state.json`. That there is none is the caller's fact (`None`); one that is empty, cut off or
//! altered is refused, and never read as "nothing has been applied": that would make a plan that creates everything anew.

use super::address::{Address, Kind};
use crate::{
    canonical::{Digest, NotCanonical, to_vec},
    id::OperationId,
    scope::Name,
    time::Millis,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The version of the document that is written
pub const VERSION: u32 = 1;

/// What has been applied
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// The version of the document's form
    pub version: u32,
    /// The workspace that it is the ledger of
    pub workspace: Name,
    /// Counts writes, from 1: a plan is made against one of them
    pub state_revision: u64,
    /// What is true now
    pub applied_revision: AppliedRevision,
    /// How each resource stands
    pub resource_statuses: BTreeMap<Address, ResourceStatus>,
    /// The ids of the approvals that let irreversible changes through; the records are in the ledger
    #[serde(default)]
    pub approval_records: BTreeSet<String>,
    /// The ids of side effects that were begun and are not in the state yet
    #[serde(default)]
    pub recovery_records: BTreeSet<String>,
}

/// What is true now
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AppliedRevision {
    /// The definition that was applied last in whole; none before the first one was
    pub config_digest: Option<Digest>,
    /// Every resource
    pub resources: BTreeMap<Address, AppliedResource>,
}

/// A resource as it was applied
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AppliedResource {
    /// Its kind, tenant and fields, as one digest
    pub digest: Digest,
    /// Its kind
    pub kind: Kind,
    /// Whose it is; the workspace's when absent
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Name>,
    /// The resources that it refers to
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub dependencies: BTreeSet<Address>,
    /// What made it so; absent where it was applied before this was recorded
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<AppliedBy>,
}

/// What made a resource as it is: with it, everything that projections say follows from the ledger
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AppliedBy {
    /// The operation
    pub operation_id: OperationId,
    /// The definition that says what the resource is
    pub definition: Digest,
    /// The revision of this state that it came with
    pub revision: u64,
    /// When, in milliseconds since the epoch
    pub at: Millis,
}

/// How a resource stands
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourceStatus {
    /// In a word
    pub status: ResourceState,
    /// Since when, in milliseconds since the epoch
    pub since: Millis,
}

/// How a resource stands, in a word
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::Display, strum::EnumIter,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ResourceState {
    /// Declared, and in no plan yet
    Pending,
    /// In a plan
    Planned,
    /// In an apply that has begun
    Applying,
    /// As the definition says
    Applied,
    /// The world is no longer as it was applied
    Drifted,
    /// Waits for something else
    Blocked,
    /// Could not be applied
    Error,
}

/// Why a ledger cannot be read. None of these means that nothing has been applied
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// No bytes
    #[error("the state is empty: it was cut off, and is not read as \"nothing is applied\"")]
    Empty,
    /// Not JSON, or not this document
    #[error("the state cannot be read: it is cut off or altered")]
    Unreadable(#[source] serde_json::Error),
    /// Made by a later version
    #[error("the state has version {0}; this program reads version {VERSION}")]
    Version(u32),
    /// What it says does not have the checksum that it says
    #[error("the state does not match its checksum: it was altered")]
    Checksum,
    /// It contradicts itself
    #[error("the state contradicts itself: `{0}` refers to `{1}`, which is not applied")]
    Dangling(Address, Address),
    /// It cannot be hashed
    #[error(transparent)]
    NotCanonical(#[from] NotCanonical),
}

/// The document as it is stored: the state and the digest of its canonical form
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    checksum: Digest,
    state: State,
}

/// The one field that every version has
#[derive(Deserialize)]
struct Versioned {
    state: Version,
}
#[derive(Deserialize)]
struct Version {
    version: u32,
}

impl State {
    /// The ledger of a workspace in which nothing has been applied yet
    pub const fn new(workspace: Name) -> Self {
        Self {
            version: VERSION,
            workspace,
            state_revision: 0,
            applied_revision: AppliedRevision { config_digest: None, resources: BTreeMap::new() },
            resource_statuses: BTreeMap::new(),
            approval_records: BTreeSet::new(),
            recovery_records: BTreeSet::new(),
        }
    }

    /// Reads the document
    pub fn from_slice(bytes: &[u8]) -> Result<Self, StateError> {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(StateError::Empty);
        }
        let versioned: Versioned = serde_json::from_slice(bytes).map_err(StateError::Unreadable)?;
        if versioned.state.version != VERSION {
            return Err(StateError::Version(versioned.state.version));
        }
        let Stored { checksum, state } = serde_json::from_slice(bytes).map_err(StateError::Unreadable)?;
        if Digest::of(&state)? != checksum {
            return Err(StateError::Checksum);
        }
        let resources = &state.applied_revision.resources;
        for (address, resource) in resources {
            if let Some(missing) = resource.dependencies.iter().find(|needed| !resources.contains_key(needed))
            {
                return Err(StateError::Dangling(address.clone(), missing.clone()));
            }
        }
        Ok(state)
    }

    /// The document's bytes, the same for the same state
    pub fn to_vec(&self) -> Result<Vec<u8>, StateError> {
        Ok(to_vec(&Stored { checksum: Digest::of(self)?, state: self.clone() })?)
    }

    /// The same, with `by` as what made `members` as they are
    #[must_use]
    pub fn signed(mut self, members: &[Address], by: &AppliedBy) -> Self {
        for address in members {
            if let Some(resource) = self.applied_revision.resources.get_mut(address) {
                resource.by = Some(by.clone());
            }
        }
        self
    }

    /// Every resource that is applied
    pub const fn resources(&self) -> &BTreeMap<Address, AppliedResource> {
        &self.applied_revision.resources
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        let mut state = State::new("harbor".parse().unwrap());
        let resource = |kind, needs: &[&str]| AppliedResource {
            digest: Digest::of_bytes(b"x"),
            kind,
            tenant: None,
            dependencies: needs.iter().map(|a| a.parse().unwrap()).collect(),
            by: None,
        };
        state.state_revision = 3;
        state
            .applied_revision
            .resources
            .insert("graph.knowledge".parse().unwrap(), resource(Kind::Graph, &[]));
        state
            .applied_revision
            .resources
            .insert("query.all".parse().unwrap(), resource(Kind::Query, &["graph.knowledge"]));
        state
    }

    #[test]
    fn a_state_reads_back_as_itself() {
        let bytes = state().to_vec().unwrap();
        assert_eq!(State::from_slice(&bytes).unwrap(), state());
    }

    #[test]
    fn wherever_it_is_cut_off_it_is_refused() {
        let bytes = state().to_vec().unwrap();
        for end in 0..bytes.len() {
            assert!(State::from_slice(&bytes[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn whatever_is_altered_is_noticed() {
        let text = String::from_utf8(state().to_vec().unwrap()).unwrap();
        for (from, to) in [
            ("\"state_revision\":3", "\"state_revision\":4"),
            ("graph.knowledge", "graph.knowledgf"),
            ("query.all", "query.any"),
        ] {
            assert!(
                matches!(State::from_slice(text.replace(from, to).as_bytes()), Err(StateError::Checksum)),
                "{from}"
            );
        }
        assert!(matches!(State::from_slice(b"{}"), Err(StateError::Unreadable(_))));
        assert!(matches!(State::from_slice(b" \n"), Err(StateError::Empty)));
        let later = text.replace("\"version\":1", "\"version\":2");
        assert!(matches!(State::from_slice(later.as_bytes()), Err(StateError::Version(2))));
        let mut dangling = state();
        dangling.applied_revision.resources.remove(&"graph.knowledge".parse().unwrap());
        assert!(matches!(State::from_slice(&dangling.to_vec().unwrap()), Err(StateError::Dangling(..))));
    }
}
