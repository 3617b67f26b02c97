//! Versions and releases. Both are answered as they are stored: [`weir_domain::delivery`]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use weir_domain::{
    canonical::Digest,
    definition::{address::Address, spec::AttestationKind},
    delivery::{AttestationStatus, SourceRef},
    id::VersionId,
};

/// The most attestations of one version
pub const ATTESTATIONS_MAX: usize = 50;
/// The most components of one release
pub const COMPONENTS_MAX: usize = 100;

/// `POST /v1/versions`: registers uploaded bytes as a version of a component
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct VersionCreate {
    /// The component
    pub component_id: Address,
    /// What people tagged it; a tag never moves
    pub tag: String,
    /// The bytes, which have been uploaded
    pub digest: Digest,
    /// The semantic version; taken from the tag where that is one
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub semver: Option<String>,
    /// The channel; the component's default if absent
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// What was found out about the bytes; added to what is known where the version is registered already
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attestations: Vec<AttestationCreate>,
}

/// What somebody has found out about the bytes of a version; of several of one kind the latest counts
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct AttestationCreate {
    /// What kind of thing
    pub kind: AttestationKind,
    /// The statement that says so: a signature, a report, a list
    pub digest: Digest,
    /// How it came out
    pub status: AttestationStatus,
}

/// `POST /v1/releases`: puts versions together; the release is `ready` and frozen at once
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct ReleaseCreate {
    /// The service
    pub service_id: Address,
    /// The release's own version
    pub version: String,
    /// What people call it; the service's name and the version if absent
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// As people are shown it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Component → which version of it; at least one, each a component of the service
    pub components: BTreeMap<Address, VersionId>,
    /// What it was built from
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ref: Option<SourceRef>,
}
