//! Whose data it is: the first part of every key
//!
//! A workspace is the outer wall; a tenant is a scope inside it. A record belongs to the workspace
//! (tenant absent) or to one tenant of it.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, fmt};

/// A name that can stand in a key, a path and an address
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = "^[a-z][a-z0-9-]{0,62}$"))]
pub struct Name(String);

/// A text that is not a name
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a name: a lower-case letter, then at most 62 lower-case letters, digits or `-`")]
pub struct NameError(pub String);

impl Name {
    /// The name as written
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Name {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let bytes = text.as_bytes();
        let starts = bytes.first().is_some_and(u8::is_ascii_lowercase);
        let rest = bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-');
        if starts && rest && bytes.len() <= 63 {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError(text.chars().take(64).filter(|c| !c.is_control()).collect()))
        }
    }
}
impl TryFrom<String> for Name {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}
impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A workspace, or one tenant of it: written `harbor` or `harbor/acme`
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scope {
    /// The outer wall
    pub workspace: Name,
    /// The tenant, or none for what belongs to the whole workspace
    pub tenant: Option<Name>,
}

impl Scope {
    /// The scope of the whole workspace
    pub const fn workspace(workspace: Name) -> Self {
        Self { workspace, tenant: None }
    }

    /// The scope of one tenant
    pub const fn tenant(workspace: Name, tenant: Name) -> Self {
        Self { workspace, tenant: Some(tenant) }
    }

    /// The workspace that this scope lies in, as a scope
    pub fn outer(&self) -> Self {
        Self::workspace(self.workspace.clone())
    }
}

impl JsonSchema for Scope {
    fn schema_name() -> Cow<'static, str> {
        "Scope".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A workspace, or a workspace, a slash and one tenant of it",
            "pattern": "^[a-z][a-z0-9-]{0,62}(/[a-z][a-z0-9-]{0,62})?$",
        })
    }
}
impl std::str::FromStr for Scope {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.split_once('/') {
            None => Ok(Self::workspace(text.parse()?)),
            Some((workspace, tenant)) => Ok(Self::tenant(workspace.parse()?, tenant.parse()?)),
        }
    }
}
impl TryFrom<String> for Scope {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}
impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tenant {
            None => write!(f, "{}", self.workspace),
            Some(tenant) => write!(f, "{}/{tenant}", self.workspace),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_reads_back_as_itself() {
        for text in ["harbor", "harbor/acme"] {
            assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_could_forge_a_key_is_no_name() {
        for text in ["", "Acme", "a#b", "a/b/c", "1a", "a.b", &"a".repeat(64)] {
            assert!(text.parse::<Scope>().is_err(), "{text}");
        }
    }
}
