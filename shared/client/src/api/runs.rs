//! Calls about the ledger of operation runs

use crate::api::{ApiError, Client, IdempotencyKey};
use weir_domain::id::OperationId;
use weir_edge::wire::{operation_run::OperationRun, page::Page};

impl Client {
    /// Operation runs, the latest first
    pub async fn operation_run_list(&self, query: &[(&str, &str)]) -> Result<Page<OperationRun>, ApiError> {
        self.get("/v1/operation-runs", query).await
    }

    /// One operation run
    pub async fn operation_run_show(&self, id: OperationId) -> Result<OperationRun, ApiError> {
        self.get(&format!("/v1/operation-runs/{id}"), &[]).await
    }

    /// Has what stands still found and driven; the pass that did, or that is under way already
    pub async fn operation_run_reconcile(&self, key: &IdempotencyKey) -> Result<OperationRun, ApiError> {
        self.post("/v1/operation-runs/reconcile", &serde_json::json!({}), key).await
    }
}
