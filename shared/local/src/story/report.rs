//! What the story found, for whoever plays it and has to know how it went

use std::collections::BTreeMap;
use std::time::Duration;

use weir_domain::delivery::PromotionStatus;
use weir_domain::id::{EvidenceId, GateId, OperationId};
use weir_edge::wire::operation::OperationView;

/// How the story went; everything in it was read from the stack or the servers
#[derive(Debug, Clone)]
pub struct StoryReport {
    /// The operation that applied the definition; none where it was applied already
    pub definition: Option<OperationView>,
    /// 1.0.0 into staging
    pub staging: OperationView,
    /// 1.0.0 into production, through its approval
    pub production: OperationView,
    /// 1.1.0 into staging, which fails
    pub failed: OperationView,
    /// The operation that took it back
    pub rollback: OperationView,
    /// Where the promotion of 1.1.0 ended
    pub failed_promotion: PromotionStatus,
    /// How the requester's own approval was refused
    pub refusal: Refusal,
    /// What the root of each server answers at the end, by the target's name
    pub answers: BTreeMap<String, String>,
    /// The packets, each verified with the key that KMS gave
    pub evidence: Vec<EvidenceId>,
    /// How many audit events there are
    pub audit_events: usize,
    /// How long each part took, in order
    pub took: Vec<(&'static str, Duration)>,
}

/// An approval that did not count
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The gate
    pub gate: GateId,
    /// The status of the answer
    pub status: u16,
    /// Its stable code
    pub code: String,
    /// The rule, as the audit event says it
    pub audited: String,
}

impl StoryReport {
    /// Every operation of the story, in order
    pub fn operations(&self) -> impl Iterator<Item = &OperationView> {
        let delivered = [&self.staging, &self.production, &self.failed, &self.rollback];
        self.definition.iter().chain(delivered)
    }

    /// The ids of the operations, in order
    pub fn operation_ids(&self) -> Vec<OperationId> {
        self.operations().map(|operation| operation.operation_id).collect()
    }
}
