//! Releases: a set of component digests that moves through environments together (requirement 004)

use super::NotAllowed;
use crate::{
    canonical::{Digest, NotCanonical},
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
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    EnumString,
    IntoStaticStr,
    VariantArray,
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

    /// Whether its components never change again
    pub const fn is_frozen(self) -> bool {
        match self {
            Self::Draft => false,
            Self::Ready | Self::Deployed | Self::Deprecated => true,
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

/// What a release does not allow, besides what its status does not
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseError {
    /// Not in its status
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// Its components are frozen
    #[error("release `{0}` is frozen: its components can no longer change; make another release")]
    Frozen(ReleaseId),
    /// There is nothing in it
    #[error("release `{0}` has no components")]
    Empty(ReleaseId),
}

impl Release {
    /// What identifies its bytes: the commit it was built from, else the digest of its components' digests
    pub fn sha(&self) -> Result<String, NotCanonical> {
        match &self.source_ref {
            Some(source) => Ok(source.sha.clone()),
            None => {
                let digests: BTreeMap<_, _> =
                    self.components.iter().map(|(name, component)| (name, &component.digest)).collect();
                Ok(Digest::of(&digests)?.hex().to_owned())
            }
        }
    }

    /// The release, frozen; one without components cannot be
    pub fn freeze(self) -> Result<Self, ReleaseError> {
        if self.components.is_empty() {
            return Err(ReleaseError::Empty(self.id));
        }
        Ok(self.after(ReleaseCommand::Freeze)?)
    }

    /// The release, made of `components`; refused once it is frozen
    pub fn with_components(
        self,
        components: BTreeMap<Address, ReleaseComponent>,
    ) -> Result<Self, ReleaseError> {
        if self.components == components {
            Ok(self)
        } else if self.status.is_frozen() {
            Err(ReleaseError::Frozen(self.id))
        } else {
            Ok(Self { components, ..self })
        }
    }

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
    use crate::{id::Id as _, time::Millis};
    use proptest::prelude::*;

    fn draft() -> Release {
        Release {
            id: ReleaseId::new(1, 1),
            service_id: "service.shop".parse().unwrap(),
            name: "shop-1".to_owned(),
            version: "1.0.0".to_owned(),
            display_name: None,
            components: BTreeMap::new(),
            source_ref: None,
            status: ReleaseStatus::Draft,
            created_by: "ann".to_owned(),
            created_at: Millis(0).into(),
        }
    }

    fn components(byte: u8) -> BTreeMap<Address, ReleaseComponent> {
        let component = ReleaseComponent {
            version_id: VersionId::new(1, u128::from(byte)),
            version: format!("v{byte}"),
            digest: Digest::of_bytes(&[byte]),
            size: 1,
        };
        BTreeMap::from([("component.web".parse().unwrap(), component)])
    }

    #[test]
    fn transitions_are_these() {
        crate::golden::matrix("release-transitions.txt", ReleaseStatus::after);
    }

    #[test]
    fn an_empty_release_is_never_ready() {
        assert_eq!(draft().freeze(), Err(ReleaseError::Empty(ReleaseId::new(1, 1))));
    }

    proptest! {
        #[test]
        fn once_frozen_a_release_never_changes_what_it_consists_of(
            acts in prop::collection::vec((0usize..4, 0u8..3), 0..20),
        ) {
            let mut release = draft();
            let mut frozen = None;
            for (act, byte) in acts {
                let after = match ReleaseCommand::VARIANTS.get(act) {
                    Some(ReleaseCommand::Freeze) => release.clone().freeze(),
                    Some(command) => release.clone().after(*command).map_err(ReleaseError::from),
                    None => release.clone().with_components(components(byte)),
                };
                release = after.unwrap_or(release);
                if release.status.is_frozen() {
                    let sha = release.sha().unwrap();
                    prop_assert_eq!(&sha, frozen.get_or_insert_with(|| sha.clone()));
                }
            }
        }
    }
}
