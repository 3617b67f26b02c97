//! Calls about operations, their plans and intents

use crate::api::{ApiError, Client, IdempotencyKey};
use weir_domain::{
    id::{DeploymentId, IntentId, OperationId, PatchId, PlanId},
    plan::{PlanPatch, patch::PatchRecord},
};
use weir_edge::wire::{
    deployment::DeploymentView,
    explain::Explanation,
    intent::{IntentCancel, IntentCreate, IntentPlanned, IntentView},
    operation::{OperationCancel, OperationHold, OperationRetry, OperationView, TIMELINE_PAGE_MAX, Timeline},
    page::Page,
    patch::{PatchCreate, Patches},
    plan::{PlanRecord, PlanView},
};

impl Client {
    /// Asks for a plan
    pub async fn intent_create(
        &self,
        body: &IntentCreate,
        key: &IdempotencyKey,
    ) -> Result<IntentView, ApiError> {
        self.post("/v1/intents", body, key).await
    }

    /// What an intent would lead to; nothing is recorded
    pub async fn intent_preview(&self, body: &IntentCreate) -> Result<IntentPlanned, ApiError> {
        self.post("/v1/intents?dry_run=true", body, &IdempotencyKey::random()).await
    }

    /// Intents, the latest first
    pub async fn intent_list(&self, query: &[(&str, &str)]) -> Result<Page<IntentView>, ApiError> {
        self.get("/v1/intents", query).await
    }

    /// One intent
    pub async fn intent_show(&self, id: IntentId) -> Result<IntentView, ApiError> {
        self.get(&format!("/v1/intents/{id}"), &[]).await
    }

    /// Plans an intent again: the plan before is superseded
    pub async fn intent_plan(&self, id: IntentId, key: &IdempotencyKey) -> Result<IntentView, ApiError> {
        self.post(&format!("/v1/intents/{id}/plan"), &serde_json::json!({}), key).await
    }

    /// Takes an intent back that nothing runs yet
    pub async fn intent_cancel(
        &self,
        id: IntentId,
        body: &IntentCancel,
        key: &IdempotencyKey,
    ) -> Result<IntentView, ApiError> {
        self.post(&format!("/v1/intents/{id}/cancel"), body, key).await
    }

    /// Plans without their graphs, the latest first
    pub async fn plan_list(&self, query: &[(&str, &str)]) -> Result<Page<PlanRecord>, ApiError> {
        self.get("/v1/plans", query).await
    }

    /// A plan and its graph
    pub async fn plan_show(&self, id: PlanId) -> Result<PlanView, ApiError> {
        self.get(&format!("/v1/plans/{id}"), &[]).await
    }

    /// Runs a plan
    pub async fn plan_run(&self, id: PlanId, key: &IdempotencyKey) -> Result<OperationView, ApiError> {
        self.post(&format!("/v1/plans/{id}/operations"), &serde_json::json!({}), key).await
    }

    /// Operations, the latest first
    pub async fn operation_list(&self, query: &[(&str, &str)]) -> Result<Page<OperationView>, ApiError> {
        self.get("/v1/operations", query).await
    }

    /// One operation with its nodes and what it waits for
    pub async fn operation_show(&self, id: OperationId) -> Result<OperationView, ApiError> {
        self.get(&format!("/v1/operations/{id}"), &[]).await
    }

    /// Why an operation is not further, and when it could be
    pub async fn operation_explain(&self, id: OperationId) -> Result<Explanation, ApiError> {
        self.get(&format!("/v1/operations/{id}/explain"), &[]).await
    }

    /// What happened in an operation, the earliest first: all of it, whatever the number of pages
    pub async fn operation_timeline(&self, id: OperationId) -> Result<Timeline, ApiError> {
        let (path, limit) = (format!("/v1/operations/{id}/timeline"), TIMELINE_PAGE_MAX.to_string());
        let mut timeline: Timeline = self.get(&path, &[("limit", &limit)]).await?;
        while let Some(cursor) = timeline.next_cursor.take() {
            let page: Timeline = self.get(&path, &[("limit", &limit), ("cursor", &cursor)]).await?;
            timeline.events.extend(page.events);
            timeline.next_cursor = page.next_cursor;
        }
        timeline.events.sort_by_key(|event| (event.ts, event.id));
        Ok(timeline)
    }

    /// Asks that an operation ends; what it does already may take its time to stop
    pub async fn operation_cancel(
        &self,
        id: OperationId,
        body: &OperationCancel,
        key: &IdempotencyKey,
    ) -> Result<OperationView, ApiError> {
        self.post(&format!("/v1/operations/{id}/cancel"), body, key).await
    }

    /// Holds an operation, and those that its nodes run: what was handed out goes on, nothing further is
    pub async fn operation_pause(
        &self,
        id: OperationId,
        body: &OperationHold,
        key: &IdempotencyKey,
    ) -> Result<OperationView, ApiError> {
        self.post(&format!("/v1/operations/{id}/pause"), body, key).await
    }

    /// Lets a paused operation go on
    pub async fn operation_resume(
        &self,
        id: OperationId,
        body: &OperationHold,
        key: &IdempotencyKey,
    ) -> Result<OperationView, ApiError> {
        self.post(&format!("/v1/operations/{id}/resume"), body, key).await
    }

    /// Does again what an operation has left undone
    pub async fn operation_retry(
        &self,
        id: OperationId,
        body: &OperationRetry,
        key: &IdempotencyKey,
    ) -> Result<OperationView, ApiError> {
        self.post(&format!("/v1/operations/{id}/retry"), body, key).await
    }

    /// Changes what an operation runs, as far as it has not started
    pub async fn patch_create(
        &self,
        id: OperationId,
        body: &PatchCreate,
        key: &IdempotencyKey,
    ) -> Result<PatchRecord, ApiError> {
        self.post(&format!("/v1/operations/{id}/patches"), body, key).await
    }

    /// The chain of an operation's patches
    pub async fn patch_chain(&self, id: OperationId) -> Result<Patches, ApiError> {
        self.get(&format!("/v1/operations/{id}/patches"), &[]).await
    }

    /// One patch, whole
    pub async fn patch_show(&self, id: OperationId, patch: PatchId) -> Result<PlanPatch, ApiError> {
        self.get(&format!("/v1/operations/{id}/patches/{patch}"), &[]).await
    }

    /// An operation as a deployment job
    pub async fn deployment_show(&self, id: DeploymentId) -> Result<DeploymentView, ApiError> {
        self.get(&format!("/v1/deployments/{id}"), &[]).await
    }
}
