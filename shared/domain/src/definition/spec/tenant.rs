//! `tenant`: a scope inside the workspace

use super::{Finding, Ownership, Spec, Weight};
use crate::definition::{address::Kind, codes::Code};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A scope inside the workspace (requirement 000)
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tenant {
    /// Its UUID v4, by which other systems know it
    #[schemars(extend("format" = "uuid"))]
    pub external_id: String,
    /// As people read it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
}

impl Spec for Tenant {
    const KIND: Kind = Kind::Tenant;
    const OWNERSHIP: Ownership = Ownership::Workspace;
    const PROVIDER: &'static str = "weir.registry";

    fn findings(&self) -> Vec<Finding> {
        if is_uuid_v4(&self.external_id) {
            return Vec::new();
        }
        vec![Finding {
            path: "external_id".to_owned(),
            code: Code::Format,
            message: "this is not a UUID v4".to_owned(),
            help: Some("`uuidgen` makes one, such as `6b1f1b3c-52c1-4d3e-9a3b-0d9c1f6f2a10`".to_owned()),
        }]
    }

    fn weigh_update(before: &Self, after: &Self) -> Weight {
        if before.external_id == after.external_id {
            Weight::reversible()
        } else {
            Weight::irreversible("`external_id` changes: other systems know the tenant by it")
        }
    }

    fn weigh_delete(_: &Self) -> Weight {
        Weight::irreversible("the tenant's scope goes, and with it everybody's way to its records")
    }
}

/// Whether `text` is a UUID of version 4 and the usual variant, in lower case
fn is_uuid_v4(text: &str) -> bool {
    let bytes = text.as_bytes();
    let right = |(i, b): (usize, &u8)| match i {
        8 | 13 | 18 | 23 => *b == b'-',
        14 => *b == b'4',
        19 => matches!(b, b'8' | b'9' | b'a' | b'b'),
        _ => b.is_ascii_digit() || (b'a'..=b'f').contains(b),
    };
    bytes.len() == 36 && bytes.iter().enumerate().all(right)
}
