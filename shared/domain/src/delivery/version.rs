//! The version map: which digest a tag or semantic version of a component is (requirement 004)

use crate::{canonical::Digest, definition::address::Address, id::VersionId, time::Time};
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
}

impl Version {
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
        }
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
