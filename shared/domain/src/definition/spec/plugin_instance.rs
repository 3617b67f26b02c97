//! `plugin_instance`: a plugin as one tenant uses it

use super::{FreeForm, Ownership, Plugin, Ref, SecretRef, Spec, Weight};
use crate::definition::address::Kind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A plugin as one tenant uses it (requirement 004)
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PluginInstance {
    /// The plugin
    pub plugin: Ref<Plugin>,
    /// Its settings for this tenant
    #[serde(default, skip_serializing_if = "FreeForm::is_empty")]
    pub config: FreeForm,
    /// Whether it is used: a disabled one provides nothing
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The secret that it asks for
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_ref: Option<SecretRef>,
}

const fn yes() -> bool {
    true
}

impl Spec for PluginInstance {
    const KIND: Kind = Kind::PluginInstance;
    const OWNERSHIP: Ownership = Ownership::Tenant;
    const PROVIDER: &'static str = "weir.plugins";

    fn weigh_update(before: &Self, after: &Self) -> Weight {
        if before.enabled && !after.enabled {
            return Weight::narrowing("what it provides can no longer be used");
        }
        Weight::reversible()
    }

    fn weigh_delete(_: &Self) -> Weight {
        Weight::narrowing("what it provides can no longer be used")
    }
}
