//! Calls about evidence and the audit trail

use crate::api::{ApiError, Client};
use weir_domain::{audit::AuditEvent, id::EvidenceId};
use weir_edge::wire::{evidence::EvidenceView, page::Page};

impl Client {
    /// One evidence packet, with all that is needed to verify it without Weir
    pub async fn evidence_show(&self, id: EvidenceId) -> Result<EvidenceView, ApiError> {
        self.get(&format!("/v1/evidence/{id}"), &[]).await
    }

    /// Audit events, the newest first
    pub async fn audit_list(&self, query: &[(&str, &str)]) -> Result<Page<AuditEvent>, ApiError> {
        self.get("/v1/audit", query).await
    }
}
