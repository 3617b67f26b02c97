//! `query`: a stored query

use super::{Graph, Ownership, Ref, Spec, Weight};
use crate::definition::address::Kind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A stored query (requirement 002, axiom 14): that it exists; who may see and run it is policy
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// The graph that it asks
    pub graph: Ref<Graph>,
    /// What it answers, for people and for agents that choose tools
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The query itself
    pub text: String,
    /// The names of what it must be given
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<String>,
}

impl Spec for Query {
    const KIND: Kind = Kind::Query;
    const OWNERSHIP: Ownership = Ownership::Workspace;
    const PROVIDER: &'static str = "weir.data";

    fn weigh_update(before: &Self, after: &Self) -> Weight {
        if before.parameters != after.parameters {
            return Weight::narrowing("callers must give it something else");
        }
        Weight::reversible()
    }

    fn weigh_delete(_: &Self) -> Weight {
        Weight::reversible()
    }
}
