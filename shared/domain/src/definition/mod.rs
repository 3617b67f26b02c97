//! The definition: the folder of files that says what should be
//!
//! Files come in as a [`Bundle`](bundle::Bundle), become resources with typed addresses ([`read`](document::read)), are
//! compared with the ledger of what has been applied ([`diff`](plan::diff)), and become true in it group by group
//! ([`apply_group`](apply::apply_group)). Requirement 002.
//!
//! # The form of a definition
//!
//! `weir.yaml` at the folder's root names the workspace and the files; every file maps kinds to names to fields:
//!
//! ```yaml
//! environment:
//!   production:
//!     order_index: 2
//! ```
//!
//! is `environment.production`. A resource of a tenant says `tenant: <name>` among its fields; with one tenant in the
//! definition it may be left out, and with none everything is the workspace's.

pub mod address;
pub mod apply;
pub mod bundle;
mod check;
pub mod codes;
mod cycle;
mod declared;
pub mod diagnostic;
pub mod document;
pub mod expression;
mod groups;
mod marks;
pub mod nearest;
pub mod pack;
pub mod plan;
mod recipes;
mod resolve;
pub mod secrets;
mod shape;
pub mod spec;
pub mod state;
mod yaml;

#[cfg(test)]
mod tests;

use serde_json::{Value, json};
use std::collections::BTreeMap;
use strum::IntoEnumIterator as _;

/// The JSON Schemas, by file name without `.json`: one for each kind of resource, and `definition` for a file of a
/// definition, by which editors complete and check
pub fn schemas() -> BTreeMap<String, Value> {
    let mut schemas: BTreeMap<String, Value> =
        address::Kind::iter().map(|kind| (kind.as_str().to_owned(), kind_schema(kind))).collect();
    schemas.insert("definition".to_owned(), file_schema());
    schemas
}

fn kind_schema(kind: address::Kind) -> Value {
    let entry = spec::entry(kind);
    let mut schema = entry.schema();
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("$id".to_owned(), json!(schema_id(kind.as_str())));
    }
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    if let Some(properties) = properties.filter(|_| entry.ownership != spec::Ownership::Workspace) {
        let tenant =
            json!({ "description": "Whose it is", "type": "string", spec::KINDS_KEYWORD: ["tenant"] });
        properties.insert("tenant".to_owned(), tenant);
    }
    schema
}

fn schema_id(name: &str) -> String {
    format!("https://weir.dev/schemas/{name}.json")
}

fn file_schema() -> Value {
    let mut properties: serde_json::Map<String, Value> = [
        ("version", json!({ "description": "The version of the form of definitions (`weir.yaml` only)", "const": 1 })),
        ("workspace", json!({ "description": "The workspace that is defined (`weir.yaml` only)", "type": "string", "pattern": "^[a-z][a-z0-9-]{0,62}$" })),
        ("files", json!({ "description": "The other files, as paths or patterns (`weir.yaml` only)", "type": "array", "items": { "type": "string" } })),
    ]
    .map(|(name, schema)| (name.to_owned(), schema))
    .into_iter()
    .collect();
    for kind in address::Kind::iter() {
        let resources =
            json!({ "type": "object", "additionalProperties": { "$ref": schema_id(kind.as_str()) } });
        properties.insert(kind.as_str().to_owned(), resources);
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": schema_id("definition"),
        "title": "A file of a definition",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    })
}
