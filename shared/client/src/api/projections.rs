//! Calls about projections

use crate::api::{ApiError, Client, IdempotencyKey};
use weir_edge::wire::{operation::OperationView, page::Page, projection::ProjectionView};

impl Client {
    /// Every projection, with how far behind it is
    pub async fn projection_list(&self, query: &[(&str, &str)]) -> Result<Page<ProjectionView>, ApiError> {
        self.get("/v1/projections", query).await
    }

    /// Has the rows of the definition made again from the ledger
    pub async fn projection_rebuild(&self, key: &IdempotencyKey) -> Result<OperationView, ApiError> {
        self.post("/v1/projections/rebuild", &serde_json::json!({}), key).await
    }
}
