//! What can be said of each kind of resource
//!
//! A kind is one file here and one line in `kinds!`: its fields with their documentation (from which its JSON
//! Schema is made, and validation and editors' help from that), the fields that refer to others (by type),
//! whose it is, what converges it, and what a change of it destroys.
//!
//! Fields that have a default may be left out in files, and are left out in normalised specs too: a later
//! version with another default then changes no digest of a definition that nobody has touched.

mod alias;
mod binding;
mod component;
mod contract;
mod dashboard;
mod embedding;
mod entry;
pub mod environment;
pub mod gate;
mod graph;
mod integration;
mod job;
mod pack;
mod pipeline;
mod plugin;
mod plugin_instance;
mod policy;
mod provider;
mod query;
mod refs;
mod scenario;
mod schema;
mod service;
mod step;
mod target;
pub mod template;
mod tenant;

pub use alias::{Alias, AliasKinds};
pub use binding::{Binding, BindingKinds};
pub use component::{Component, Health, Run, VersioningKind, VersioningStrategy};
pub use dashboard::{Dashboard, Panel};
pub use embedding::Embedding;
pub use entry::Entry;
pub use environment::{Delivery, Environment, FreezeWindow, OnFailure, Strategy};
pub use gate::{
    ApprovalConfig, AttestationKind, Condition, DependencyConfig, FreezeConfig, GateConfig, ManualGate,
    OnFreeze, PolicyGate, ReleaseDependency, Rule, Schedule, SecurityGate, Weekday, Window,
};
pub use graph::Graph;
pub use integration::{Integration, IntegrationConfig, IntegrationType, IntegrationUser};
pub use job::Job;
pub use pack::{PACK_FIELD, PackRef};
pub use pipeline::{Pipeline, PipelineTarget, WriteMode};
pub use plugin::Plugin;
pub use plugin_instance::PluginInstance;
pub use policy::{ApprovalRule, Policy, PolicyKind};
pub use provider::Provider;
pub use query::Query;
pub use refs::{
    KINDS_KEYWORD, Kinds, NAME_PATTERN, PATH_PATTERN, PRINCIPAL_PATTERN, Principal, PrincipalError, Ref,
    RefOf, SECRET_KEYWORD, SecretRef, SecretRefError,
};
pub use scenario::{Risk, RiskMetadata, Scenario, ScenarioSource};
pub use schema::{Field, FieldType, ObjectType, Schema};
pub use service::{Adapters, Service};
pub use step::{Constraints, ForEach, InputType};
pub(super) use step::{too_short, unknown};
pub use target::{Connection, Target, TargetType};
pub use template::{Backoff, InputSpec, NodeFailure, NodeSpec, NodeType, Template};
pub use tenant::Tenant;

use super::address::Kind;
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// Free fields, whose meaning belongs to an adapter
pub type FreeForm = Map<String, Value>;

/// Whose the resources of a kind are
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// The workspace's
    Workspace,
    /// A tenant's: the one that it names, or the only one there is
    Tenant,
    /// The workspace's, unless it names a tenant
    Either,
}

/// What can be got back after a change
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Reversibility {
    /// Applying the former definition brings everything back
    Reversible,
    /// A safeguard gets weaker, or something that worked is refused from then on
    Narrowing,
    /// Something is gone for good
    Irreversible,
}

/// How a change weighs, and why
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weight {
    /// What can be got back
    pub reversibility: Reversibility,
    /// Why, in a person's words; empty when it is reversible
    pub reason: String,
}

impl Weight {
    /// Nothing is lost
    pub const fn reversible() -> Self {
        Self { reversibility: Reversibility::Reversible, reason: String::new() }
    }

    /// A safeguard gets weaker, because of `reason`
    pub fn narrowing(reason: impl Into<String>) -> Self {
        Self { reversibility: Reversibility::Narrowing, reason: reason.into() }
    }

    /// Something is lost, because of `reason`
    pub fn irreversible(reason: impl Into<String>) -> Self {
        Self { reversibility: Reversibility::Irreversible, reason: reason.into() }
    }

    /// The heavier of two; of equals, both reasons
    pub fn and(self, other: Self) -> Self {
        match self.reversibility.cmp(&other.reversibility) {
            std::cmp::Ordering::Less => other,
            std::cmp::Ordering::Greater => self,
            std::cmp::Ordering::Equal if self.reason.is_empty() => other,
            std::cmp::Ordering::Equal if other.reason.is_empty() => self,
            std::cmp::Ordering::Equal => Self {
                reversibility: self.reversibility,
                reason: format!("{}; {}", self.reason, other.reason),
            },
        }
    }
}

/// What a resource says that its schema cannot refuse: where, and why it is wrong
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The field, such as `nodes.2.depends_on`
    pub path: String,
    /// The diagnostic's code
    pub code: super::codes::Code,
    /// What is wrong
    pub message: String,
    /// What would be right
    pub help: Option<String>,
}

/// One kind of resource
pub trait Spec: Serialize + DeserializeOwned + JsonSchema + Sized + 'static {
    /// Which kind
    const KIND: Kind;
    /// Whose its resources are
    const OWNERSHIP: Ownership;
    /// What converges it
    const PROVIDER: &'static str;

    /// What is wrong although every field for itself is right
    fn findings(&self) -> Vec<Finding> {
        Vec::new()
    }

    /// How it weighs that `after` is created
    fn weigh_create(_: &Self) -> Weight {
        Weight::reversible()
    }

    /// How a change from `before` to `after` weighs
    fn weigh_update(before: &Self, after: &Self) -> Weight;

    /// How it weighs that `before` is deleted
    fn weigh_delete(before: &Self) -> Weight;

    /// How it weighs that one is deleted of which only the digest is known: never lighter than it may be
    fn weigh_unknown_delete() -> Weight {
        Weight::irreversible(format!("a {} is deleted, and what it said is not known", Self::KIND))
    }
}

macro_rules! kinds {
    ($($name:ident)+) => {
        /// What is registered of a kind
        pub fn entry(kind: Kind) -> Entry {
            match kind { $(Kind::$name => Entry::of::<$name>(),)+ }
        }
    };
}

kinds! {
    Tenant Environment Target Component Service Scenario Template Job Policy Pipeline Integration
    Plugin PluginInstance Provider Graph Schema Query Dashboard Binding Alias Embedding
}
