//! `binding`: a capability, resolved to what provides it

use super::{Kinds, Ownership, RefOf, Spec, Weight};
use crate::definition::address::Kind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A capability, resolved to what provides it (requirement 000: resource binding)
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    /// The capability, such as `deploy.host`
    pub capability: String,
    /// What provides it
    pub provider: RefOf<BindingKinds>,
    /// Why this one, for whoever reads a plan
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The kinds that provide capabilities
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BindingKinds;

impl Kinds for BindingKinds {
    const KINDS: &'static [Kind] = &[Kind::Provider, Kind::PluginInstance, Kind::Integration];
}

impl Spec for Binding {
    const KIND: Kind = Kind::Binding;
    const OWNERSHIP: Ownership = Ownership::Either;
    const PROVIDER: &'static str = "weir.planner";

    fn weigh_update(_: &Self, _: &Self) -> Weight {
        Weight::reversible()
    }

    fn weigh_delete(_: &Self) -> Weight {
        Weight::reversible()
    }
}
