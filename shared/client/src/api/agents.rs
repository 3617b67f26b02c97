//! Calls about agents and their tasks

use crate::api::{ApiError, Client, IdempotencyKey};
use std::time::Duration;
use weir_domain::{
    canonical::Digest,
    id::{AgentId, TaskId},
};
use weir_edge::wire::{
    agent::{
        AgentRegister, AgentRegistered, AgentToken, AgentTokenCreate, AgentView, Heartbeat, HeartbeatAck,
    },
    page::Page,
    task::{Claim, Claimed, Report, ReportAck},
};

/// How much longer than the server waits the client does
const CLAIM_SLACK: Duration = Duration::from_secs(10);

impl Client {
    /// Makes a token that registers one agent for `body.targets`
    pub async fn agent_token_create(
        &self,
        body: &AgentTokenCreate,
        key: &IdempotencyKey,
    ) -> Result<AgentToken, ApiError> {
        self.post("/v1/agents/tokens", body, key).await
    }

    /// The agents of the workspace, a page at a time
    pub async fn agent_list(&self, query: &[(&str, &str)]) -> Result<Page<AgentView>, ApiError> {
        self.get("/v1/agents", query).await
    }

    /// Spends a token; the key is derived from it, so that a lost answer can be asked for again
    pub async fn agent_register(&self, body: &AgentRegister) -> Result<AgentRegistered, ApiError> {
        let hash = Digest::of_bytes(body.token.expose().as_bytes());
        let key = IdempotencyKey::derived(format!("register-{}", hash.hex()));
        self.post("/v1/agents", body, &key).await
    }

    /// Says that the agent is there, and renews the leases of what it works on
    pub async fn agent_heartbeat(
        &self,
        agent: AgentId,
        body: &Heartbeat,
        timeout: Duration,
    ) -> Result<HeartbeatAck, ApiError> {
        self.post_once(&format!("/v1/agents/{agent}/heartbeat"), body, timeout).await
    }

    /// Asks for something to do
    pub async fn task_claim(&self, agent: AgentId, body: &Claim) -> Result<Claimed, ApiError> {
        let wait = Duration::from_secs(body.wait_seconds.unwrap_or(0).into());
        self.post_once(&format!("/v1/agents/{agent}/claims"), body, wait + CLAIM_SLACK).await
    }

    /// Says how an attempt ended
    pub async fn task_report(&self, task: TaskId, body: &Report) -> Result<ReportAck, ApiError> {
        self.post_again(&format!("/v1/tasks/{task}/reports"), body).await
    }
}
