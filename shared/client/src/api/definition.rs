//! Calls about the definition, and what was applied of it

use crate::api::{ApiError, Client, IdempotencyKey};
use weir_domain::definition::address::Address;
use weir_edge::wire::{
    artifact::{UploadCreate, UploadTicket},
    definition::{DefinitionApplyCreate, DefinitionPlanCreate, DefinitionPlanView},
    operation::OperationView,
    page::Page,
    resource::ResourceView,
};

impl Client {
    /// Announces a definition; answers how its bytes are uploaded, or that they are there
    pub async fn definition_upload_create(
        &self,
        body: &UploadCreate,
        key: &IdempotencyKey,
    ) -> Result<UploadTicket, ApiError> {
        self.post("/v1/definition/uploads", body, key).await
    }

    /// What an uploaded definition would change
    pub async fn definition_plan_create(
        &self,
        body: &DefinitionPlanCreate,
        key: &IdempotencyKey,
    ) -> Result<DefinitionPlanView, ApiError> {
        self.post("/v1/definition/plans", body, key).await
    }

    /// Starts the operation that makes a plan of changes true
    pub async fn definition_apply_create(
        &self,
        body: &DefinitionApplyCreate,
        key: &IdempotencyKey,
    ) -> Result<OperationView, ApiError> {
        self.post("/v1/definition/applies", body, key).await
    }

    /// Resources as they were applied last; with `kind=…` those of one kind
    pub async fn resource_list(&self, query: &[(&str, &str)]) -> Result<Page<ResourceView>, ApiError> {
        self.get("/v1/resources", query).await
    }

    /// One resource
    pub async fn resource_show(&self, address: &Address) -> Result<ResourceView, ApiError> {
        self.get(&format!("/v1/resources/{address}"), &[]).await
    }
}
