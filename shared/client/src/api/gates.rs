//! Calls about promotions, the gates on their way, and interventions

use crate::api::{ApiError, Client, IdempotencyKey};
use weir_domain::{
    id::{GateId, InterventionId},
    intervention::Intervention,
};
use weir_edge::wire::{
    gate::{GateDecide, GateView},
    intervention::InterventionDecide,
    page::Page,
    promotion::{PromotionCreate, PromotionView},
};

impl Client {
    /// Asks that a release be brought into an environment, and starts the operation that does it
    pub async fn promotion_create(
        &self,
        body: &PromotionCreate,
        key: &IdempotencyKey,
    ) -> Result<PromotionView, ApiError> {
        self.post("/v1/promotions", body, key).await
    }

    /// Promotions, the latest first
    pub async fn promotion_list(&self, query: &[(&str, &str)]) -> Result<Page<PromotionView>, ApiError> {
        self.get("/v1/promotions", query).await
    }

    /// Gates; with `status=open` those that wait for somebody
    pub async fn gate_list(&self, query: &[(&str, &str)]) -> Result<Page<GateView>, ApiError> {
        self.get("/v1/gates", query).await
    }

    /// One gate, with what it answers now and when it could open at the earliest
    pub async fn gate_get(&self, id: GateId) -> Result<GateView, ApiError> {
        self.get(&format!("/v1/gates/{id}"), &[]).await
    }

    /// Says something at a gate; answers with the gate as it is then
    pub async fn gate_decide(
        &self,
        id: GateId,
        body: &GateDecide,
        key: &IdempotencyKey,
    ) -> Result<GateView, ApiError> {
        self.post(&format!("/v1/gates/{id}/decisions"), body, key).await
    }

    /// Nodes that wait for a person; with `status=decided` those that were taken by hand
    pub async fn intervention_list(&self, query: &[(&str, &str)]) -> Result<Page<Intervention>, ApiError> {
        self.get("/v1/interventions", query).await
    }

    /// Decides what becomes of a node that waits for a person
    pub async fn intervention_decide(
        &self,
        id: InterventionId,
        body: &InterventionDecide,
        key: &IdempotencyKey,
    ) -> Result<Intervention, ApiError> {
        self.post(&format!("/v1/interventions/{id}/decisions"), body, key).await
    }
}
