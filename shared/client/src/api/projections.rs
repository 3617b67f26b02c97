//! Calls about projections

use crate::api::{ApiError, Client, IdempotencyKey};
use weir_domain::id::ReleaseId;
use weir_edge::wire::{
    operation::OperationView,
    page::Page,
    projection::ProjectionView,
    service::{ReleaseTimeline, ServiceView},
};

impl Client {
    /// Every projection, with how far behind it is
    pub async fn projection_list(&self, query: &[(&str, &str)]) -> Result<Page<ProjectionView>, ApiError> {
        self.get("/v1/projections", query).await
    }

    /// Services, each with the latest release of each of its environments
    pub async fn service_list(&self, query: &[(&str, &str)]) -> Result<Page<ServiceView>, ApiError> {
        self.get("/v1/services", query).await
    }

    /// Everything that ran for a release
    pub async fn release_timeline(&self, id: ReleaseId) -> Result<ReleaseTimeline, ApiError> {
        self.get(&format!("/v1/releases/{id}/timeline"), &[]).await
    }

    /// Has the rows of the definition made again from the ledger
    pub async fn projection_rebuild(&self, key: &IdempotencyKey) -> Result<OperationView, ApiError> {
        self.post("/v1/projections/rebuild", &serde_json::json!({}), key).await
    }
}
