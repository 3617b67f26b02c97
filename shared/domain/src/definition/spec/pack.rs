//! Where a resource comes from that somebody else has written

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The pack that a resource comes from: written when the pack is read, never by hand
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PackRef {
    /// What the pack is called
    pub name: String,
    /// Its version
    pub version: String,
    /// Who makes it
    pub vendor: String,
    /// Whose key has signed it, as the policy calls them that trusts it
    pub signer: String,
    /// The digest of what was signed
    pub digest: String,
}

/// The field of a resource that holds it
pub const PACK_FIELD: &str = "pack";

impl PackRef {
    /// The pack that a resource which says `spec` comes from
    pub fn of(spec: &Value) -> Option<Self> {
        Self::deserialize(spec.get(PACK_FIELD)?).ok()
    }
}
