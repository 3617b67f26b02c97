//! `alias`: a second name of a resource

use super::{Kinds, Ownership, RefOf, Spec, Weight};
use crate::definition::address::Kind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A second name of a resource (requirement 002)
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Alias {
    /// The resource that it names
    pub of: RefOf<AliasKinds>,
}

/// The kinds that can have a second name: all but aliases
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AliasKinds;

impl Kinds for AliasKinds {
    const KINDS: &'static [Kind] = &[
        Kind::Tenant,
        Kind::Environment,
        Kind::Target,
        Kind::Component,
        Kind::Service,
        Kind::Scenario,
        Kind::Template,
        Kind::Job,
        Kind::Policy,
        Kind::Pipeline,
        Kind::Integration,
        Kind::Plugin,
        Kind::PluginInstance,
        Kind::Provider,
        Kind::Graph,
        Kind::Schema,
        Kind::Query,
        Kind::Dashboard,
        Kind::Binding,
        Kind::Embedding,
    ];
}

impl Spec for Alias {
    const KIND: Kind = Kind::Alias;
    const OWNERSHIP: Ownership = Ownership::Either;
    const PROVIDER: &'static str = "weir.registry";

    fn weigh_update(before: &Self, after: &Self) -> Weight {
        if before.of == after.of {
            Weight::reversible()
        } else {
            Weight::narrowing("whoever uses the name reaches something else")
        }
    }

    fn weigh_delete(_: &Self) -> Weight {
        Weight::narrowing("whoever uses the name reaches nothing")
    }
}
