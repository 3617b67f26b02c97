//! The queue of jobs, seen without Weir: a message that is gone when its worker asks is a dispatch that was lost

use crate::rig::Rig;
use serde_json::Value;
use std::time::Duration;
use weir_domain::id::TaskId;
use weir_local::story::wait::until;

const LIMIT: Duration = Duration::from_secs(120);

/// The queue, and what hands its messages to the worker
pub struct Jobs {
    sqs: aws_sdk_sqs::Client,
    lambda: aws_sdk_lambda::Client,
    url: String,
    mapping: String,
}

impl Jobs {
    pub async fn of(rig: &Rig) -> Self {
        let config = rig.stack.endpoint().config();
        let (sqs, lambda) = (aws_sdk_sqs::Client::new(config), aws_sdk_lambda::Client::new(config));
        let mappings = lambda.list_event_source_mappings().function_name("weir-local-job_run").send().await;
        let mapping = mappings.unwrap().event_source_mappings().first().unwrap().clone();
        let queue = mapping.event_source_arn().unwrap().rsplit(':').next().unwrap();
        let url = sqs.get_queue_url().queue_name(queue).send().await.unwrap().queue_url.unwrap();
        Self { sqs, lambda, url, mapping: mapping.uuid.unwrap() }
    }

    /// Whether the worker is given messages
    pub async fn deliver(&self, yes: bool) {
        self.lambda.update_event_source_mapping().uuid(&self.mapping).enabled(yes).send().await.unwrap();
        let wanted = if yes { "Enabled" } else { "Disabled" };
        let look = || async {
            let mapping = self.lambda.get_event_source_mapping().uuid(&self.mapping).send().await.unwrap();
            Ok(mapping.state().is_some_and(|state| state == wanted).then_some(()))
        };
        until("the worker's event source", LIMIT, look).await.unwrap();
    }

    /// Takes the dispatch of `task` out of the queue
    pub async fn lose(&self, task: TaskId) {
        let look = || async {
            let asked = self.sqs.receive_message().queue_url(&self.url).max_number_of_messages(1);
            let received = asked.send().await.unwrap();
            let Some(message) = received.messages().first() else { return Ok(None) };
            let job: Value = serde_json::from_str(message.body().unwrap()).unwrap();
            assert_eq!(job["operation"], task.operation.to_string(), "nothing else was dispatched: {job}");
            assert_eq!(job["ordinal"], task.ordinal, "nothing else was dispatched: {job}");
            let handle = message.receipt_handle().unwrap();
            self.sqs.delete_message().queue_url(&self.url).receipt_handle(handle).send().await.unwrap();
            Ok(Some(()))
        };
        until("the dispatch in the queue", LIMIT, look).await.unwrap();
    }
}
