//! The version map: which digest a tag or semantic version of a component is (requirement 004)

use crate::{
    canonical::Digest,
    definition::{address::Address, spec::AttestationKind},
    id::VersionId,
    time::Time,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longest tag, in bytes
pub const TAG_MAX: usize = 128;

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
    /// What was found out about the bytes, the latest last
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attestations: Vec<Attestation>,
}

/// What somebody has found out about the bytes of a version
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attestation {
    /// What kind of thing
    pub kind: AttestationKind,
    /// The statement that says so: a signature, a report, a list
    pub digest: Digest,
    /// How it came out
    pub status: AttestationStatus,
    /// Who registered it
    pub by: String,
    /// When
    pub at: Time,
}

/// How an attestation came out
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttestationStatus {
    /// Well
    Passed,
    /// Badly
    Failed,
}

impl Version {
    /// The version with those of `more` that it has not yet; none where it has them all
    pub fn attested(&self, more: &[Attestation]) -> Option<Self> {
        let mut after = self.clone();
        for new in more {
            // Only the latest of a kind counts: an earlier one like it does not make the new one a repetition.
            let last = after.attestations.iter().rev().find(|it| it.kind == new.kind);
            if !last.is_some_and(|last| last.digest == new.digest && last.status == new.status) {
                after.attestations.push(new.clone());
            }
        }
        (after.attestations.len() > self.attestations.len()).then_some(after)
    }

    /// The version as people call it
    pub fn label(&self) -> &str {
        self.semver.as_deref().unwrap_or(&self.tag)
    }
}

/// Why a version is not registered
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionRefusal {
    /// The tag cannot be one
    #[error(
        "`{0}` is not a tag: at most {TAG_MAX} letters, digits, `.`, `-`, `_` or `+`, beginning with a letter or digit"
    )]
    Tag(String),
    /// The semantic version is none
    #[error("`{0}` is not a semantic version, such as `1.4.0` or `2.0.0-rc.1`")]
    Semver(String),
    /// The tag is another version already
    #[error("`{component}` has a version `{tag}` already, with digest `{digest}`; a tag never moves")]
    TagTaken {
        /// Which component
        component: Address,
        /// Which tag
        tag: String,
        /// What it stands for
        digest: Digest,
    },
}

/// Decides whether `version` is registered: `false` where it already is, since registering may be repeated
pub fn register(existing: Option<&Version>, version: &Version) -> Result<bool, VersionRefusal> {
    let clip = |text: &str| text.chars().take(80).filter(|c| !c.is_control()).collect::<String>();
    if !is_tag(&version.tag) {
        return Err(VersionRefusal::Tag(clip(&version.tag)));
    }
    if let Some(semver) = version.semver.as_deref().filter(|semver| !is_semver(semver)) {
        return Err(VersionRefusal::Semver(clip(semver)));
    }
    match existing {
        None => Ok(true),
        Some(same) if same.digest == version.digest => Ok(false),
        Some(other) => Err(VersionRefusal::TagTaken {
            component: other.component_id.clone(),
            tag: other.tag.clone(),
            digest: other.digest.clone(),
        }),
    }
}

/// Whether `text` can stand in keys as a tag
pub fn is_tag(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'+');
    text.len() <= TAG_MAX
        && text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
        && text.bytes().all(allowed)
}

/// Whether `text` is a semantic version (semver.org, 2.0.0)
pub fn is_semver(text: &str) -> bool {
    let number = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_digit())
            && (part == "0" || !part.starts_with('0'))
    };
    let word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let (rest, build) = text.split_once('+').map_or((text, None), |(rest, build)| (rest, Some(build)));
    let (core, pre) = rest.split_once('-').map_or((rest, None), |(core, pre)| (core, Some(pre)));
    core.split('.').count() == 3
        && core.split('.').all(number)
        && pre.is_none_or(|pre| pre.split('.').all(|part| word(part) && (!digits(part) || number(part))))
        && build.is_none_or(|build| build.split('.').all(word))
        && text.len() <= TAG_MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{id::Id as _, time::Millis};

    fn version(tag: &str, semver: Option<&str>, bytes: &[u8]) -> Version {
        Version {
            id: VersionId::new(1, 1),
            component_id: "component.web".parse().unwrap(),
            tag: tag.to_owned(),
            digest: Digest::of_bytes(bytes),
            size: 3,
            semver: semver.map(str::to_owned),
            channel: "stable".to_owned(),
            created_by: "ann".to_owned(),
            created_at: Millis(0).into(),
            attestations: Vec::new(),
        }
    }

    #[test]
    fn what_was_found_out_is_added_and_a_repetition_adds_nothing() {
        let found = |status| Attestation {
            kind: AttestationKind::Scan,
            digest: Digest::of_bytes(b"report"),
            status,
            by: "ci".to_owned(),
            at: Time::default(),
        };
        let (passed, failed) = (found(AttestationStatus::Passed), found(AttestationStatus::Failed));
        let plain = version("v1", None, b"one");
        let one = plain.attested(std::slice::from_ref(&passed)).unwrap();
        assert_eq!(one.attested(std::slice::from_ref(&passed)), None);
        let both = one.attested(std::slice::from_ref(&failed)).unwrap();
        assert_eq!(both.attested(std::slice::from_ref(&passed)).unwrap().attestations.len(), 3);
    }

    #[test]
    fn a_tag_never_moves_and_registering_may_be_repeated() {
        let first = version("v1", Some("1.0.0"), b"one");
        assert_eq!(register(None, &first), Ok(true));
        assert_eq!(register(Some(&first), &first), Ok(false));
        let refused = register(Some(&first), &version("v1", None, b"two")).unwrap_err();
        assert!(refused.to_string().contains("a tag never moves"));
    }

    #[test]
    fn tags_and_semantic_versions_are_checked() {
        for tag in ["", "-a", "a b", "a#b", "a/b", &"a".repeat(129)] {
            assert!(matches!(register(None, &version(tag, None, b"")), Err(VersionRefusal::Tag(_))), "{tag}");
        }
        for good in ["0.0.0", "1.2.3", "1.0.0-rc.1", "1.0.0-0a.b-c+build.5", "1.0.0+001"] {
            assert!(is_semver(good), "{good}");
        }
        for bad in ["", "1", "1.2", "1.2.3.4", "01.2.3", "1.2.3-", "1.2.3-01", "1.2.3+", "v1.2.3", "1.2.x"] {
            assert!(!is_semver(bad), "{bad}");
        }
    }
}
