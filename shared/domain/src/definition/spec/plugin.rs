//! `plugin`: code from outside that offers capabilities

use super::{FreeForm, Ownership, Spec, Weight};
use crate::definition::address::Kind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Code from outside that offers capabilities (requirement 004)
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plugin {
    /// The identifier that its vendor gave it
    pub plugin_id: String,
    /// Its version
    pub version: String,
    /// Who makes it
    pub vendor: String,
    /// Where it is entered: a path in its archive
    pub entrypoint: String,
    /// The capabilities that it offers
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
    /// What else its vendor says of it
    #[serde(default, skip_serializing_if = "FreeForm::is_empty")]
    pub manifest: FreeForm,
}

impl Spec for Plugin {
    const KIND: Kind = Kind::Plugin;
    const OWNERSHIP: Ownership = Ownership::Workspace;
    const PROVIDER: &'static str = "weir.plugins";

    fn weigh_update(before: &Self, after: &Self) -> Weight {
        if before.capabilities.iter().any(|capability| !after.capabilities.contains(capability)) {
            return Weight::narrowing("it no longer offers one of its capabilities");
        }
        if before.plugin_id != after.plugin_id
            || before.vendor != after.vendor
            || before.entrypoint != after.entrypoint
        {
            return Weight::narrowing("other code runs under its name");
        }
        Weight::reversible()
    }

    fn weigh_delete(_: &Self) -> Weight {
        Weight::narrowing("its capabilities are gone for every tenant")
    }
}
