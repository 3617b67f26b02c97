//! `provider`: where data or capabilities come from

use super::{FreeForm, Ownership, SecretRef, Spec, Weight};
use crate::definition::address::Kind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where data or capabilities come from (requirement 002, axiom 9)
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Which system, such as `github` or `postgres`
    pub provider_type: String,
    /// The capabilities that it gives, such as `assignments.fetch`
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub provides: Vec<String>,
    /// Its settings
    #[serde(default, skip_serializing_if = "FreeForm::is_empty")]
    pub config: FreeForm,
    /// The secret that it asks for
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_ref: Option<SecretRef>,
    /// Whether one operation at a time may use it: others wait in the order in which they were started
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exclusive: bool,
}

impl Spec for Provider {
    const KIND: Kind = Kind::Provider;
    const OWNERSHIP: Ownership = Ownership::Workspace;
    const PROVIDER: &'static str = "weir.providers";

    fn weigh_update(before: &Self, after: &Self) -> Weight {
        if before.provides.iter().any(|capability| !after.provides.contains(capability)) {
            return Weight::narrowing("it no longer gives one of its capabilities");
        }
        if before.exclusive && !after.exclusive {
            return Weight::narrowing("several operations at a time may use it");
        }
        Weight::reversible()
    }

    fn weigh_delete(_: &Self) -> Weight {
        Weight::narrowing("what it gives can no longer be used")
    }
}
