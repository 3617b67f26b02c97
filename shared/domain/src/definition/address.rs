//! Typed addresses: `environment.production` is an environment and can be nothing else

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, fmt, str::FromStr};
use strum::{Display, EnumIter, EnumString, IntoStaticStr};

/// Longest address, in bytes: it stands in keys of the table
pub const MAX_ADDRESS: usize = 255;
/// Most names after the kind
pub const MAX_NAMES: usize = 4;

/// Every kind of resource that a definition can hold
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
    Display,
    EnumIter,
    EnumString,
    IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Kind {
    /// A scope inside the workspace
    Tenant,
    /// Where releases are brought, in order
    Environment,
    /// One place in an environment that is deployed to
    Target,
    /// What is deployed: it has versions
    Component,
    /// Components that are released together
    Service,
    /// A recipe: what is done when somebody wants an action
    Scenario,
    /// The graph that a recipe follows
    Template,
    /// A job that templates share
    Job,
    /// Who must agree, and to what
    Policy,
    /// Source, transform and targets of data
    Pipeline,
    /// A connection to a system of others
    Integration,
    /// Code from outside that offers capabilities
    Plugin,
    /// A plugin as one tenant uses it
    PluginInstance,
    /// Where data or capabilities come from
    Provider,
    /// A graph of data
    Graph,
    /// The shape of a graph's data
    Schema,
    /// A stored query
    Query,
    /// A page made of queries
    Dashboard,
    /// A capability, resolved to what provides it
    Binding,
    /// A second name of a resource
    Alias,
    /// Vectors made from a graph's text
    Embedding,
}

impl Kind {
    /// Every kind
    pub fn all() -> impl Iterator<Item = Self> {
        <Self as strum::IntoEnumIterator>::iter()
    }

    /// The kind as it is written in addresses and files
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// `kind.name[.name…]`: a resource's address, which is its id
///
/// Names are `[a-z][a-z0-9_-]*`, so an address can stand in keys, paths and URLs as it is.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    kind: Kind,
    text: String,
}

/// A text that is not an address
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// The first part is no kind
    #[error("`{0}` is not an address: it does not begin with a kind, such as `environment.`")]
    Kind(String),
    /// A name is malformed
    #[error(
        "`{0}` is not an address: after the kind come 1 to 4 names of lower-case letters, digits, `-` and `_`"
    )]
    Names(String),
}

impl Address {
    /// The address of the resource of `kind` that is called `names`, such as `staging.stg-1`
    pub fn new(kind: Kind, names: &str) -> Result<Self, AddressError> {
        let text = format!("{kind}.{names}");
        if are_names(names) && text.len() <= MAX_ADDRESS {
            Ok(Self { kind, text })
        } else {
            Err(AddressError::Names(clip(&text)))
        }
    }

    /// What kind of resource it is
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The whole address
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What follows the kind: `staging.stg-1`
    pub fn names(&self) -> &str {
        self.text.split_once('.').map_or("", |(_, names)| names)
    }

    /// The last name: `stg-1`
    pub fn name(&self) -> &str {
        self.text.rsplit_once('.').map_or("", |(_, name)| name)
    }
}

/// Whether `text` is 1 to 4 names with dots between
pub fn are_names(text: &str) -> bool {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.len() <= 63
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
    };
    text.split('.').count() <= MAX_NAMES && text.split('.').all(is_name)
}

/// What a message repeats of a caller's text: never more than a line
fn clip(text: &str) -> String {
    text.chars().take(80).filter(|c| !c.is_control()).collect()
}

impl FromStr for Address {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (kind, names) = text.split_once('.').ok_or_else(|| AddressError::Kind(clip(text)))?;
        Self::new(kind.parse().map_err(|_| AddressError::Kind(clip(text)))?, names)
    }
}
impl TryFrom<String> for Address {
    type Error = AddressError;
    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}
impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.text
    }
}
/// Addresses sort as their texts do, so that every listing and digest has one order
impl Ord for Address {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.text.cmp(&other.text)
    }
}
impl PartialOrd for Address {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
impl JsonSchema for Address {
    fn schema_name() -> Cow<'static, str> {
        "Address".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "The typed address of a resource, such as `environment.production`",
            "pattern": r"^[a-z_]+(\.[a-z][a-z0-9_-]{0,62}){1,4}$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strum::IntoEnumIterator as _;

    #[test]
    fn an_address_reads_back_as_itself() {
        for text in [
            "environment.production",
            "target.staging.stg-1",
            "query.knowledge.find_experts",
            "plugin_instance.a",
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        let target: Address = "target.staging.stg-1".parse().unwrap();
        assert_eq!((target.kind(), target.names(), target.name()), (Kind::Target, "staging.stg-1", "stg-1"));
    }

    #[test]
    fn what_could_forge_a_key_is_no_address() {
        let long = format!("environment.{}", "a".repeat(64));
        for text in [
            "",
            "environment",
            "environment.",
            "nothing.a",
            "environment.A",
            "environment.a/b",
            "environment.a#b",
            "environment.a.b.c.d.e",
            "environment.1a",
            &long,
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }

    #[test]
    fn there_are_the_21_kinds_of_the_domain() {
        assert_eq!(Kind::iter().count(), 21);
        assert!(Kind::iter().all(|kind| kind.as_str().parse::<Kind>() == Ok(kind)));
    }
}
