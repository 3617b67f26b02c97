//! `schema`: the shape of a graph's data

use super::{Ownership, Spec, Weight};
use crate::definition::address::Kind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The shape of a graph's data (requirement 002): changing it conforms rows that exist
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// Its types, by name
    #[schemars(length(min = 1, max = 1000))]
    pub types: BTreeMap<String, ObjectType>,
}

/// One type of a schema
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObjectType {
    /// Its fields, by name
    pub fields: BTreeMap<String, Field>,
}

/// One field of a type
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// What it holds
    #[serde(rename = "type")]
    pub field_type: FieldType,
    /// Whether every row has it
    #[serde(default)]
    pub required: bool,
    /// The values that it may have; any when left out
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// What a field holds
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    /// Text
    String,
    /// A whole number
    Integer,
    /// A number
    Number,
    /// True or false
    Boolean,
    /// A point in time
    Timestamp,
    /// Vectors for search
    Vector,
    /// An edge to another row
    Edge,
}

impl Spec for Schema {
    const KIND: Kind = Kind::Schema;
    const OWNERSHIP: Ownership = Ownership::Workspace;
    const PROVIDER: &'static str = "weir.data";

    fn weigh_update(before: &Self, after: &Self) -> Weight {
        let mut weight = Weight::reversible();
        for (name, was) in &before.types {
            weight = weight.and(match after.types.get(name) {
                Some(is) => weigh_type(name, was, is),
                None => Weight::irreversible(format!("drop `{name}` and its rows")),
            });
        }
        weight
    }

    fn weigh_delete(_: &Self) -> Weight {
        Weight::irreversible("the shape of its data is dropped")
    }
}

fn weigh_type(name: &str, before: &ObjectType, after: &ObjectType) -> Weight {
    let mut weight = Weight::reversible();
    for (field, was) in &before.fields {
        weight = weight.and(match after.fields.get(field) {
            None => Weight::irreversible(format!("drop `{name}.{field}`")),
            Some(is) if is.field_type != was.field_type => {
                Weight::irreversible(format!("`{name}.{field}` holds something else"))
            }
            Some(is) if narrows(was, is) => {
                Weight::narrowing(format!("rows that were right for `{name}.{field}` may be refused"))
            }
            Some(_) => Weight::reversible(),
        });
    }
    let demanded = after.fields.iter().find(|(field, is)| is.required && !before.fields.contains_key(*field));
    match demanded {
        Some((field, _)) => {
            weight.and(Weight::narrowing(format!("rows without `{name}.{field}` are refused")))
        }
        None => weight,
    }
}

fn narrows(before: &Field, after: &Field) -> bool {
    let fewer = !after.values.is_empty()
        && (before.values.is_empty() || before.values.iter().any(|v| !after.values.contains(v)));
    (after.required && !before.required) || fewer
}
