//! What was brought to an environment last

use crate::{
    definition::address::Address,
    id::{OperationId, PromotionId, ReleaseId},
    time::Time,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was brought of a service to an environment last: follows from the operation that did and its promotion
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Deployed {
    /// The service
    pub service_id: Address,
    /// Where
    pub environment_id: Address,
    /// What
    pub release_id: ReleaseId,
    /// Its version
    pub version: String,
    /// By which promotion
    pub promotion_id: PromotionId,
    /// By which operation
    pub operation_id: OperationId,
    /// When that had ended
    pub deployed_at: Time,
}

impl Deployed {
    /// Whether this was brought later than `other`
    pub fn is_after(&self, other: &Self) -> bool {
        (self.deployed_at, self.operation_id) > (other.deployed_at, other.operation_id)
    }
}
