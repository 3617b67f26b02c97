//! References between resources, and references to secrets

use super::Spec;
use crate::definition::address::{Address, Kind};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{borrow::Cow, fmt, marker::PhantomData};

/// The schema keyword that names the kinds a field may refer to
pub const KINDS_KEYWORD: &str = "x-weir-kinds";
/// The schema keyword of a field that holds the name of a secret
pub const SECRET_KEYWORD: &str = "x-weir-secret";

/// The pattern of a path, as schemas say it
pub const PATH_PATTERN: &str = "^/";
/// The pattern of a single name
pub const NAME_PATTERN: &str = "^[a-z][a-z0-9_-]{0,62}$";
/// The pattern of a principal
pub const PRINCIPAL_PATTERN: &str = "^(user|group):.+$";

/// A reference to a resource of the kind of `S`
///
/// In files the bare name will do (`staging`); in a normalised spec it is always the typed address.
pub struct Ref<S> {
    address: Address,
    kind: PhantomData<fn() -> S>,
}

impl<S: Spec> Ref<S> {
    /// A reference to the resource called `names`
    pub fn new(names: &str) -> Result<Self, crate::definition::address::AddressError> {
        Ok(Self { address: Address::new(S::KIND, names)?, kind: PhantomData })
    }
}

impl<S> Ref<S> {
    /// The address that it refers to
    pub const fn address(&self) -> &Address {
        &self.address
    }
}

impl<S> Clone for Ref<S> {
    fn clone(&self) -> Self {
        Self { address: self.address.clone(), kind: PhantomData }
    }
}
impl<S> PartialEq for Ref<S> {
    fn eq(&self, other: &Self) -> bool {
        self.address == other.address
    }
}
impl<S> Eq for Ref<S> {}
impl<S> fmt::Debug for Ref<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.address, f)
    }
}
impl<S> fmt::Display for Ref<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.address, f)
    }
}
impl<S> Serialize for Ref<S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        self.address.serialize(serializer)
    }
}
impl<'de, S: Spec> Deserialize<'de> for Ref<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let address = Address::deserialize(deserializer)?;
        if address.kind() == S::KIND {
            Ok(Self { address, kind: PhantomData })
        } else {
            Err(D::Error::custom(format!("`{address}` is no {}", S::KIND)))
        }
    }
}
impl<S: Spec> JsonSchema for Ref<S> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Ref_{}", S::KIND).into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", KINDS_KEYWORD: [S::KIND] })
    }
}

/// The kinds that a field may refer to, where it may refer to several
pub trait Kinds {
    /// The kinds
    const KINDS: &'static [Kind];
}

/// A reference to a resource of one of several kinds: a bare name would be ambiguous and is refused
pub struct RefOf<K> {
    address: Address,
    kinds: PhantomData<fn() -> K>,
}

impl<K> RefOf<K> {
    /// The address that it refers to
    pub const fn address(&self) -> &Address {
        &self.address
    }
}

impl<K> Clone for RefOf<K> {
    fn clone(&self) -> Self {
        Self { address: self.address.clone(), kinds: PhantomData }
    }
}
impl<K> PartialEq for RefOf<K> {
    fn eq(&self, other: &Self) -> bool {
        self.address == other.address
    }
}
impl<K> Eq for RefOf<K> {}
impl<K> fmt::Debug for RefOf<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.address, f)
    }
}
impl<K> Serialize for RefOf<K> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        self.address.serialize(serializer)
    }
}
impl<'de, K: Kinds> Deserialize<'de> for RefOf<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let address = Address::deserialize(deserializer)?;
        if K::KINDS.contains(&address.kind()) {
            Ok(Self { address, kinds: PhantomData })
        } else {
            Err(D::Error::custom(format!("`{address}` is of a kind that does not fit here")))
        }
    }
}
impl<K: Kinds> JsonSchema for RefOf<K> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "RefOf".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", KINDS_KEYWORD: K::KINDS })
    }
}

/// The name of a secret: `${NAME}`
///
/// The value lives in a git-ignored `.env` file on the operator's machine and in the secret store, and is
/// never read here: there is nothing in a definition, plan or state that could leak it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SecretRef(String);

/// A text that is no `${NAME}`. It does not say which: it may be the secret itself
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected the name of a secret, `${{NAME}}`, of capital letters, digits and `_`")]
pub struct SecretRefError;

impl SecretRef {
    /// The secret's name, without `${` and `}`
    pub fn name(&self) -> &str {
        self.0.get(2..self.0.len().saturating_sub(1)).unwrap_or("")
    }
}

impl std::str::FromStr for SecretRef {
    type Err = SecretRefError;
    fn from_str(text: &str) -> Result<Self, SecretRefError> {
        let name = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).ok_or(SecretRefError)?;
        let ok = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        if name.starts_with(|c: char| c.is_ascii_uppercase()) && name.len() <= 128 && name.bytes().all(ok) {
            Ok(Self(text.to_owned()))
        } else {
            Err(SecretRefError)
        }
    }
}
impl TryFrom<String> for SecretRef {
    type Error = SecretRefError;
    fn try_from(text: String) -> Result<Self, SecretRefError> {
        text.parse()
    }
}
impl From<SecretRef> for String {
    fn from(secret: SecretRef) -> Self {
        secret.0
    }
}
impl JsonSchema for SecretRef {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "SecretRef".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": r"^\$\{[A-Z][A-Z0-9_]*\}$", SECRET_KEYWORD: true })
    }
}

/// A person or a group, as freeze windows name them: `user:bob`, `group:incident-response`
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Principal {
    /// One person, by the actor's id
    User(String),
    /// Everybody of a group
    Group(String),
}

/// A text that is no principal
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names nobody: expected `user:<id>` or `group:<name>`")]
pub struct PrincipalError(String);

impl std::str::FromStr for Principal {
    type Err = PrincipalError;
    fn from_str(text: &str) -> Result<Self, PrincipalError> {
        match text.split_once(':') {
            Some(("user", id)) if !id.is_empty() => Ok(Self::User(id.to_owned())),
            Some(("group", name)) if !name.is_empty() => Ok(Self::Group(name.to_owned())),
            _ => Err(PrincipalError(text.chars().take(64).filter(|c| !c.is_control()).collect())),
        }
    }
}
impl TryFrom<String> for Principal {
    type Error = PrincipalError;
    fn try_from(text: String) -> Result<Self, PrincipalError> {
        text.parse()
    }
}
impl From<Principal> for String {
    fn from(principal: Principal) -> Self {
        principal.to_string()
    }
}
impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => write!(f, "user:{id}"),
            Self::Group(name) => write!(f, "group:{name}"),
        }
    }
}
impl JsonSchema for Principal {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Principal".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": PRINCIPAL_PATTERN })
    }
}
