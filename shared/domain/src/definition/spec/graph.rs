//! `graph`: a graph of data

use super::{Ownership, Ref, Schema, Spec, Weight};
use crate::definition::address::Kind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A graph of data: a resource within the workspace (requirement 002, axiom 1)
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Graph {
    /// As people read it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The shape of its data
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Ref<Schema>>,
}

impl Spec for Graph {
    const KIND: Kind = Kind::Graph;
    const OWNERSHIP: Ownership = Ownership::Workspace;
    const PROVIDER: &'static str = "weir.data";

    fn weigh_update(before: &Self, after: &Self) -> Weight {
        if before.schema.is_some() && before.schema != after.schema {
            return Weight::narrowing("its data must fit another schema");
        }
        Weight::reversible()
    }

    fn weigh_delete(_: &Self) -> Weight {
        Weight::irreversible("the graph is dropped with all its data")
    }
}
