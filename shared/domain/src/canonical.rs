//! Canonical JSON (RFC 8785) and its SHA-256: what every hash of the system is made over
//!
//! The same value gives the same bytes in every process and version, whatever order its maps were built in.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// A value that cannot be written as canonical JSON, such as a number that is not finite
#[derive(Debug, thiserror::Error)]
#[error("the value cannot be written as canonical JSON")]
pub struct NotCanonical(#[source] serde_json::Error);

/// A SHA-256 digest, written `sha256:` and 64 lower-case hexadecimal digits
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = "^sha256:[0-9a-f]{64}$"))]
pub struct Digest(String);

/// A text that is not a digest
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a digest: expected `sha256:` and 64 lower-case hexadecimal digits")]
pub struct DigestError(pub String);

impl Digest {
    /// The digest of `bytes`
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(format!("sha256:{}", hex::encode(Sha256::digest(bytes))))
    }

    /// The digest of `value` as canonical JSON
    pub fn of(value: &impl Serialize) -> Result<Self, NotCanonical> {
        Ok(Self::of_bytes(&to_vec(value)?))
    }

    /// The digest as written, with its `sha256:`
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The 64 digits alone, as they stand in object keys and file names
    pub fn hex(&self) -> &str {
        self.0.strip_prefix("sha256:").unwrap_or(&self.0)
    }

    /// As people are shown it: enough to tell two apart
    pub fn short(&self) -> &str {
        self.hex().get(..12).unwrap_or(&self.0)
    }
}

impl std::str::FromStr for Digest {
    type Err = DigestError;
    fn from_str(text: &str) -> Result<Self, DigestError> {
        let wrong = || DigestError(text.chars().take(80).filter(|c| !c.is_control()).collect());
        let digits = text.strip_prefix("sha256:").ok_or_else(wrong)?;
        let lower_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if digits.len() == 64 && digits.bytes().all(lower_hex) {
            Ok(Self(text.to_owned()))
        } else {
            Err(wrong())
        }
    }
}
impl TryFrom<String> for Digest {
    type Error = DigestError;
    fn try_from(text: String) -> Result<Self, DigestError> {
        text.parse()
    }
}
impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.0
    }
}
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `value` as canonical JSON
pub fn to_vec(value: &impl Serialize) -> Result<Vec<u8>, NotCanonical> {
    serde_jcs::to_vec(value).map_err(NotCanonical)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_order_of_keys_does_not_matter_and_the_bytes_never_change() {
        let digest = Digest::of(&json!({"b": [1, 2.5, "é"], "a": null})).unwrap();
        assert_eq!(digest, Digest::of(&json!({"a": null, "b": [1, 2.5, "é"]})).unwrap());
        assert_eq!(
            String::from_utf8(to_vec(&json!({"b": [1, 2.5, "é"], "a": null})).unwrap()).unwrap(),
            r#"{"a":null,"b":[1,2.5,"é"]}"#
        );
    }

    #[test]
    fn only_a_whole_lower_case_digest_is_one() {
        let digest = Digest::of_bytes(b"");
        assert_eq!(
            digest.as_str(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(digest.as_str().parse::<Digest>().unwrap(), digest);
        for text in ["", "sha256:", "sha256:E3", &digest.as_str().to_uppercase(), digest.hex()] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
    }
}
