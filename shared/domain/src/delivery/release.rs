//! Releases: a set of component digests that moves through environments together (requirement 004)

use super::NotAllowed;
use crate::{
    canonical::Digest,
    definition::address::Address,
    id::{ReleaseId, VersionId},
    time::Time,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use strum::{EnumString, IntoStaticStr, VariantArray};

/// Where a release stands
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
    EnumString, IntoStaticStr, VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ReleaseStatus {
    /// Being put together; its components may still change
    Draft,
    /// Frozen: its components never change again
    Ready,
    /// It runs, or has run, somewhere
    Deployed,
    /// Nobody may promote it any more
    Deprecated,
}

/// What moves a release
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum ReleaseCommand {
    /// Freeze its components
    Freeze,
    /// It was deployed somewhere
    Deploy,
    /// Take it out of use
    Deprecate,
}

impl ReleaseStatus {
    /// The status as callers and the table know it
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The status after `command`, or `None` where the command is not allowed
    pub const fn after(self, command: ReleaseCommand) -> Option<Self> {
        use ReleaseCommand as C;
        match (self, command) {
            (Self::Draft, C::Freeze) => Some(Self::Ready),
            (Self::Ready | Self::Deployed, C::Deploy) => Some(Self::Deployed),
            (Self::Draft | Self::Ready | Self::Deployed, C::Deprecate) => Some(Self::Deprecated),
            (Self::Draft | Self::Ready | Self::Deployed | Self::Deprecated, _) => None,
        }
    }

    /// Whether it may be promoted
    pub const fn is_promotable(self) -> bool {
        match self {
            Self::Ready | Self::Deployed => true,
            Self::Draft | Self::Deprecated => false,
        }
    }
}

/// One component of a release
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReleaseComponent {
    /// Which row of the version map
    pub version_id: VersionId,
    /// What people call it
    pub version: String,
    /// The bytes
    pub digest: Digest,
    /// How many there are
    pub size: u64,
}

/// What the release was built from
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceRef {
    /// The repository
    pub repo: String,
    /// The commit; never changes
    pub sha: String,
}

/// A release
///
/// INVARIANT: `components` and `source_ref` never change once it is `ready`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Release {
    /// What it is called everywhere
    pub id: ReleaseId,
    /// The service, as an address
    pub service_id: Address,
    /// What people call it
    pub name: String,
    /// Its version
    pub version: String,
    /// As people are shown it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Component → what of it
    pub components: BTreeMap<Address, ReleaseComponent>,
    /// What it was built from
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ref: Option<SourceRef>,
    /// Where it stands
    pub status: ReleaseStatus,
    /// Who made it
    pub created_by: String,
    /// When
    pub created_at: Time,
}

impl Release {
    /// The release after `command`
    pub fn after(mut self, command: ReleaseCommand) -> Result<Self, NotAllowed> {
        let status = self.status.after(command).ok_or_else(|| NotAllowed {
            kind: "release",
            id: self.id.to_string(),
            status: self.status.as_str(),
            command: command.into(),
        })?;
        self.status = status;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transitions_are_these() {
        crate::golden::matrix("release-transitions.txt", ReleaseStatus::after);
    }
}
