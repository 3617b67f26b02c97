//! Resources of the definition, as they were applied last

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use weir_domain::{
    canonical::Digest,
    definition::address::{Address, Kind},
    id::OperationId,
    time::Time,
};

/// `GET /v1/resources/{address}`: one resource
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct ResourceView {
    /// Its id
    pub address: Address,
    /// Its kind
    pub kind: Kind,
    /// Whose it is: `harbor`, or `harbor/acme` for a tenant's
    pub scope: String,
    /// What it says, by its kind's schema
    pub spec: Value,
    /// The digest of kind, tenant and spec
    pub digest: Digest,
    /// The state revision that made it so
    pub revision: u64,
    /// The operation that did
    pub operation_id: OperationId,
    /// When
    pub applied_at: Time,
}
