//! Jobs: attempts that a function runs, and those whose messages nobody could handle

use crate::{
    ReactorError,
    queue::{Failures, Message, messages},
};
use serde_json::Value;
use weir_edge::Cx;
use weir_orchestration::queues::Job;
use weir_store::NodeKey;

/// Runs each message's attempt
pub(crate) async fn run(cx: &Cx, event: Value, request: &str) -> Result<Value, ReactorError> {
    let mut failures = Failures::default();
    for message in messages(event)? {
        let done = run_one(cx, &message, request).await;
        failures.note(&message, done);
    }
    failures.answer()
}

async fn run_one(cx: &Cx, message: &Message, request: &str) -> Result<(), ReactorError> {
    let job: Job = message.read()?;
    // The holder is this invocation: the same message delivered twice must not take the other's start for its own.
    let end = cx.engine().run_job(&job, request).await?;
    tracing::info!(operation.id = %job.operation, node = job.ordinal, attempt = job.attempt, ?end, "job");
    Ok(())
}

/// Drives the node of each message that was given up: its lease or its dispatch has run out
pub(crate) async fn drive(cx: &Cx, event: Value) -> Result<Value, ReactorError> {
    let mut failures = Failures::default();
    for message in messages(event)? {
        let done = drive_one(cx, &message).await;
        failures.note(&message, done);
    }
    failures.answer()
}

async fn drive_one(cx: &Cx, message: &Message) -> Result<(), ReactorError> {
    let job: Job = message.read()?;
    cx.engine().drive_node(&NodeKey::new(&job.scope, job.operation, job.ordinal)).await?;
    Ok(())
}
