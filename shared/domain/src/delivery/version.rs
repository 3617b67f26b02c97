//! The version map: which digest a tag or semantic version of a component is (requirement 004)

use crate::{canonical::Digest, definition::address::Address, id::VersionId, time::Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One version of one component: its digest never changes
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Version {
    /// What it is called everywhere
    pub id: VersionId,
    /// The component, as an address
    pub component_id: Address,
    /// What people tagged it
    pub tag: String,
    /// The bytes
    pub digest: Digest,
    /// How many there are
    pub size: u64,
    /// The semantic version, where the component has one
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub semver: Option<String>,
    /// The channel that it was published in
    pub channel: String,
    /// Who registered it
    pub created_by: String,
    /// When
    pub created_at: Time,
}

impl Version {
    /// The version as people call it
    pub fn label(&self) -> &str {
        self.semver.as_deref().unwrap_or(&self.tag)
    }
}
