//! An agent that the test is: what it says, it says as often as it likes

use super::definition::HAND;
use crate::rig::Rig;
use std::time::Duration;
use weir_client::api::{ApiError, Client, IdempotencyKey};
use weir_domain::{definition::address::Address, id::AgentId};
use weir_edge::wire::{
    agent::{AgentRegister, AgentTarget, AgentTokenCreate},
    task::{COMMAND_RUN, Claim, Report, ReportAck, ReportError, ReportStatus, Task},
};
use weir_local::story::wait::until;

/// The agent
pub struct Hand {
    id: AgentId,
    client: Client,
}

impl Hand {
    pub async fn register(rig: &Rig, operator: &Client) -> Self {
        let target: Address = format!("target.fleet.{HAND}").parse().unwrap();
        let body = AgentTokenCreate { targets: vec![target.clone()] };
        let token = operator.agent_token_create(&body, &IdempotencyKey::random()).await.unwrap().token;
        let body = AgentRegister {
            token,
            name: HAND.to_owned(),
            version: "0.0.0".to_owned(),
            capabilities: vec![COMMAND_RUN.to_owned()],
            targets: vec![AgentTarget { target, base_url: None }],
        };
        let registered = operator.agent_register(&body).await.unwrap();
        Self { id: registered.agent.id, client: rig.holder(registered.credential) }
    }

    /// The next task
    pub async fn claim(&self, limit: Duration) -> Task {
        let claim = Claim { max: 1, wait_seconds: None };
        let look = || async { Ok(self.client.task_claim(self.id, &claim).await.unwrap().tasks.pop()) };
        until("a task for the test's own agent", limit, look).await.unwrap()
    }

    /// Says how the attempt ended
    pub async fn report(&self, task: &Task, error: Option<&str>) -> Result<ReportAck, ApiError> {
        let (code, retryable) = ("by_hand".to_owned(), false);
        let error = error.map(|message| ReportError { code, message: message.to_owned(), retryable });
        let report = Report {
            attempt: task.attempt,
            status: if error.is_none() { ReportStatus::Succeeded } else { ReportStatus::Failed },
            error,
            logs: "done by hand".to_owned(),
            previous_digest: None,
            current_digest: None,
            sticker: None,
            // Told again, it is the same report to the last byte.
            started_at: task.lease_until,
            finished_at: task.lease_until,
        };
        self.client.task_report(task.task, &report).await
    }
}
