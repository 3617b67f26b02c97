//! `embedding`: vectors made from a graph's text

use super::{Graph, Ownership, Provider, Ref, SecretRef, Spec, Weight};
use crate::definition::address::Kind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Vectors made from a graph's text (requirement 002)
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Embedding {
    /// The graph
    pub graph: Ref<Graph>,
    /// What makes the vectors
    pub provider: Ref<Provider>,
    /// Its model
    pub model: String,
    /// How many numbers a vector has
    #[schemars(range(min = 1, max = 65536))]
    pub dimensions: u32,
    /// The fields that are read, as `Type.field`
    #[schemars(length(min = 1, max = 100))]
    pub fields: Vec<String>,
    /// The secret that the provider asks for
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_ref: Option<SecretRef>,
}

impl Spec for Embedding {
    const KIND: Kind = Kind::Embedding;
    const OWNERSHIP: Ownership = Ownership::Workspace;
    const PROVIDER: &'static str = "weir.data";

    fn weigh_update(before: &Self, after: &Self) -> Weight {
        if before.model != after.model || before.dimensions != after.dimensions {
            return Weight::irreversible("every vector is made again by another model");
        }
        Weight::reversible()
    }

    fn weigh_delete(_: &Self) -> Weight {
        Weight::irreversible("the vectors are dropped")
    }
}
