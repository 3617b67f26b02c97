//! Calls about workflows: operations as requirements 001 and 004 name them

use crate::api::{ApiError, Client};
use weir_domain::{definition::address::Address, id::OperationId};
use weir_edge::wire::{
    page::Page,
    workflow::{StepRun, WorkflowRun, WorkflowTemplate},
};

impl Client {
    /// Workflow templates, the built-in ones first
    pub async fn workflow_template_list(
        &self,
        query: &[(&str, &str)],
    ) -> Result<Page<WorkflowTemplate>, ApiError> {
        self.get("/v1/workflow-templates", query).await
    }

    /// One workflow template
    pub async fn workflow_template_show(&self, id: &Address) -> Result<WorkflowTemplate, ApiError> {
        self.get(&format!("/v1/workflow-templates/{id}"), &[]).await
    }

    /// Workflow runs, the latest first
    pub async fn workflow_run_list(&self, query: &[(&str, &str)]) -> Result<Page<WorkflowRun>, ApiError> {
        self.get("/v1/workflow-runs", query).await
    }

    /// One workflow run with its log
    pub async fn workflow_run_show(&self, id: OperationId) -> Result<WorkflowRun, ApiError> {
        self.get(&format!("/v1/workflow-runs/{id}"), &[]).await
    }

    /// Every attempt of every step of a workflow run
    pub async fn workflow_step_list(
        &self,
        id: OperationId,
        query: &[(&str, &str)],
    ) -> Result<Page<StepRun>, ApiError> {
        self.get(&format!("/v1/workflow-runs/{id}/steps"), query).await
    }
}
