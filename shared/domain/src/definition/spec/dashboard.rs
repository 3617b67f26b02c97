//! `dashboard`: a page made of queries

use super::{FreeForm, Ownership, Query, Ref, Spec, Weight};
use crate::definition::address::Kind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A page made of queries (requirement 002)
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dashboard {
    /// As people read it
    pub title: String,
    /// What is on it
    #[schemars(length(max = 100))]
    pub panels: Vec<Panel>,
}

/// One part of a dashboard
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Panel {
    /// As people read it
    pub title: String,
    /// The query that it shows
    pub query: Ref<Query>,
    /// What it gives to the query
    #[serde(default, skip_serializing_if = "FreeForm::is_empty")]
    pub with: FreeForm,
}

impl Spec for Dashboard {
    const KIND: Kind = Kind::Dashboard;
    const OWNERSHIP: Ownership = Ownership::Workspace;
    const PROVIDER: &'static str = "weir.console";

    fn weigh_update(_: &Self, _: &Self) -> Weight {
        Weight::reversible()
    }

    fn weigh_delete(_: &Self) -> Weight {
        Weight::reversible()
    }
}
