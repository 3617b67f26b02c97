//! Calls about assignments of external directories

use crate::api::{ApiError, Client, IdempotencyKey};
use weir_domain::assignment::AssignmentSnapshot;
use weir_edge::wire::{assignment::AssignmentRunCreate, operation::OperationView, page::Page};

impl Client {
    /// Reads assignments into a snapshot, or puts some back
    pub async fn assignment_run_create(
        &self,
        body: &AssignmentRunCreate,
        key: &IdempotencyKey,
    ) -> Result<OperationView, ApiError> {
        self.post("/v1/assignment-runs", body, key).await
    }

    /// Snapshots of assignments, the newest first
    pub async fn assignment_snapshot_list(
        &self,
        query: &[(&str, &str)],
    ) -> Result<Page<AssignmentSnapshot>, ApiError> {
        self.get("/v1/assignment-snapshots", query).await
    }
}
