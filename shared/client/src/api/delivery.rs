//! Calls about artifacts, versions and releases

use crate::api::{ApiError, Client, IdempotencyKey};
use weir_domain::delivery::{Release, Version};
use weir_edge::wire::{
    artifact::{UploadCreate, UploadTicket},
    page::Page,
    release::{ReleaseCreate, VersionCreate},
};

impl Client {
    /// Announces an artifact; answers how its bytes are uploaded, or that they are there
    pub async fn artifact_create(
        &self,
        body: &UploadCreate,
        key: &IdempotencyKey,
    ) -> Result<UploadTicket, ApiError> {
        self.post("/v1/artifacts", body, key).await
    }

    /// Registers uploaded bytes as a version of a component
    pub async fn version_create(
        &self,
        body: &VersionCreate,
        key: &IdempotencyKey,
    ) -> Result<Version, ApiError> {
        self.post("/v1/versions", body, key).await
    }

    /// Versions, the newest first; with `component=…` those of one component
    pub async fn version_list(&self, query: &[(&str, &str)]) -> Result<Page<Version>, ApiError> {
        self.get("/v1/versions", query).await
    }

    /// Puts versions together
    pub async fn release_create(
        &self,
        body: &ReleaseCreate,
        key: &IdempotencyKey,
    ) -> Result<Release, ApiError> {
        self.post("/v1/releases", body, key).await
    }

    /// Releases, the newest first; with `status=…` those that are so
    pub async fn release_list(&self, query: &[(&str, &str)]) -> Result<Page<Release>, ApiError> {
        self.get("/v1/releases", query).await
    }
}
