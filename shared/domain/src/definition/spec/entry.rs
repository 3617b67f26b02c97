//! The registry: what is known of a kind without knowing its type

use super::{Finding, Ownership, Spec, Weight};
use crate::definition::{address::Kind, codes::Code};
use schemars::generate::SchemaSettings;
use serde_json::Value;

/// What is registered of a kind
#[derive(Clone, Copy)]
pub struct Entry {
    /// Which kind
    pub kind: Kind,
    /// Whose its resources are
    pub ownership: Ownership,
    /// What converges it
    pub provider: &'static str,
    schema: fn() -> Value,
    findings: fn(&Value) -> Vec<Finding>,
    weigh: fn(Option<&Value>, Option<&Value>) -> Weight,
    weigh_unknown: fn() -> Weight,
}

impl Entry {
    /// What the type `S` says of its kind
    pub const fn of<S: Spec>() -> Self {
        Self {
            kind: S::KIND,
            ownership: S::OWNERSHIP,
            provider: S::PROVIDER,
            schema: schema::<S>,
            findings: findings::<S>,
            weigh: weigh::<S>,
            weigh_unknown: S::weigh_unknown_delete,
        }
    }

    /// The JSON Schema (2020-12) of its fields
    pub fn schema(&self) -> Value {
        (self.schema)()
    }

    /// What is wrong with a normalised spec although it fits the schema
    pub fn findings(&self, spec: &Value) -> Vec<Finding> {
        (self.findings)(spec)
    }

    /// How a change between two normalised specs weighs: `None` before is a create, after a delete
    pub fn weigh(&self, before: Option<&Value>, after: Option<&Value>) -> Weight {
        (self.weigh)(before, after)
    }

    /// How it weighs when the former spec is not known: as the heaviest that it could be
    pub fn weigh_unknown(&self) -> Weight {
        (self.weigh_unknown)()
    }
}

fn schema<S: Spec>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<S>().to_value()
}

fn findings<S: Spec>(spec: &Value) -> Vec<Finding> {
    match serde_path_to_error::deserialize::<_, S>(spec) {
        Ok(spec) => spec.findings(),
        Err(error) => {
            let path = match error.path().to_string() {
                path if path == "." => String::new(),
                path => path.replace('[', ".").replace(']', ""),
            };
            vec![Finding { path, code: Code::Format, message: error.into_inner().to_string(), help: None }]
        }
    }
}

fn weigh<S: Spec>(before: Option<&Value>, after: Option<&Value>) -> Weight {
    let read = |value: &Value| S::deserialize(value).ok();
    match (before.map(read), after.map(read)) {
        (None, None) => Weight::reversible(),
        (None, Some(Some(after))) => S::weigh_create(&after),
        (Some(Some(before)), Some(Some(after))) => S::weigh_update(&before, &after),
        (Some(Some(before)), None) => S::weigh_delete(&before),
        // A spec of another version of Weir, which can no longer be read: as heavy as it could be.
        (Some(None), _) | (_, Some(None)) => S::weigh_unknown_delete(),
    }
}
