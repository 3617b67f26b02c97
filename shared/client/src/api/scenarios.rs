//! Calls about scenarios and the templates that they follow

use crate::api::{ApiError, Client};
use weir_domain::definition::address::Address;
use weir_edge::wire::{
    page::Page,
    scenario::{ScenarioView, TemplateView},
};

impl Client {
    /// The scenarios of the tenant and of its workspace
    pub async fn scenario_list(&self, query: &[(&str, &str)]) -> Result<Page<ScenarioView>, ApiError> {
        self.get("/v1/scenarios", query).await
    }

    /// One scenario
    pub async fn scenario_show(&self, id: &Address) -> Result<ScenarioView, ApiError> {
        self.get(&format!("/v1/scenarios/{id}"), &[]).await
    }

    /// One plan template
    pub async fn plan_template_show(&self, id: &Address) -> Result<TemplateView, ApiError> {
        self.get(&format!("/v1/plan-templates/{id}"), &[]).await
    }
}
