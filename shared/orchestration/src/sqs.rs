//! The queues on AWS: the only caller of SQS

use crate::queues::{Job, Notice, QueueError, Queues};
use async_trait::async_trait;
use aws_sdk_sqs::Client;
use serde::Serialize;
use weir_domain::{engine::QUEUE_DELAY_MAX, time::Millis};

/// The two queues, by their URLs
#[derive(Debug)]
pub struct Sqs {
    client: Client,
    jobs: String,
    notices: String,
}

impl Sqs {
    /// The queues `jobs` and `notices`, both URLs
    pub const fn new(client: Client, jobs: String, notices: String) -> Self {
        Self { client, jobs, notices }
    }

    async fn send(&self, queue: &str, message: &impl Serialize, delay: Millis) -> Result<(), QueueError> {
        let body = serde_json::to_string(message).map_err(failed)?;
        let seconds = i32::try_from((delay.0.clamp(0, QUEUE_DELAY_MAX.0) + 999) / 1000).unwrap_or(0);
        let send = self.client.send_message().queue_url(queue).message_body(body).delay_seconds(seconds);
        send.send().await.map(|_| ()).map_err(failed)
    }
}

#[async_trait]
impl Queues for Sqs {
    async fn send_job(&self, job: &Job, delay: Millis) -> Result<(), QueueError> {
        self.send(&self.jobs, job, delay).await
    }

    async fn send_notice(&self, notice: &Notice) -> Result<(), QueueError> {
        self.send(&self.notices, notice, Millis(0)).await
    }
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> QueueError {
    QueueError(Box::new(error))
}
