//! Texts that must not appear in a log, a message or a debug print

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A token, a credential or a presigned URL: whoever holds it may use it
///
/// It is written out where it travels (JSON) and nowhere else.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text that is secret from here on
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that sends or compares it
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_travels_and_does_not_print() {
        let secret = Secret::new("s3cr3t");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"s3cr3t\"");
        assert_eq!(format!("{secret:?}"), "[secret]");
    }
}
