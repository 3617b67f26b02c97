//! The tasks of the state machines: one artefact
//!
//! Each reads ids, calls the engine and says what the machine does next. Nothing is decided here, and
//! everything may be called twice.

pub mod functions;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use weir_domain::{id::OperationId, scope::Scope};
use weir_edge::Cx;
use weir_orchestration::{EngineError, SegmentNext};
use weir_store::NodeKey;

/// How a task failed, in the two words that the state machines know
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// May succeed if tried again: throttled, timed out, changed meanwhile
    #[error("{0}")]
    Transient(#[source] EngineError),
    /// Will not: refused, invalid, not there
    #[error("{0}")]
    Terminal(Box<dyn std::error::Error + Send + Sync>),
}

impl TaskError {
    /// The word
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Transient(_) => "Transient",
            Self::Terminal(_) => "Terminal",
        }
    }
}

impl From<EngineError> for TaskError {
    fn from(error: EngineError) -> Self {
        if error.is_transient() { Self::Transient(error) } else { Self::Terminal(Box::new(error)) }
    }
}

/// Which operation
#[derive(Debug, Deserialize)]
struct OperationEvent {
    scope: Scope,
    operation: OperationId,
}

/// Which operation, and what waits for its end
#[derive(Debug, Deserialize)]
struct BeginEvent {
    scope: Scope,
    operation: OperationId,
    token: String,
}

/// Which operation, and what its execution could not go on with
#[derive(Debug, Deserialize)]
struct AbortEvent {
    scope: Scope,
    operation: OperationId,
    #[serde(default)]
    error: Option<ExecutionError>,
}

/// An error as Step Functions tells it
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ExecutionError {
    error: String,
    #[serde(default)]
    cause: String,
}

impl ExecutionError {
    /// In words; of what a function said only its message, without the frame around it
    fn words(&self) -> String {
        let said = serde_json::from_str::<Value>(&self.cause).ok();
        let message = said.as_ref().and_then(|said| said.get("errorMessage")?.as_str());
        match message.unwrap_or(&self.cause) {
            "" => self.error.clone(),
            message => format!("{}: {message}", self.error),
        }
    }
}

/// Which node, and what waits for its end
#[derive(Debug, Deserialize)]
struct ArriveEvent {
    scope: Scope,
    operation: OperationId,
    ordinal: u32,
    token: String,
}

/// Which segment, and how often its nodes have been entered
#[derive(Debug, Deserialize)]
struct SegmentEvent {
    scope: Scope,
    operation: OperationId,
    segment: u32,
    #[serde(default)]
    round: u32,
}

/// What the segment machine does next
#[derive(Debug, Serialize)]
struct SegmentAnswer {
    next: SegmentNext,
    round: u32,
}

/// Runs the task `handler`, one of [`functions::TASKS`]
pub async fn run(cx: &Cx, handler: &str, event: Value) -> Result<Value, TaskError> {
    let engine = cx.engine();
    match handler {
        "operation_begin" => {
            let BeginEvent { scope, operation, token } = read(event)?;
            engine.begin(&scope, operation, token).await?;
        }
        "node_arrive" => {
            let ArriveEvent { scope, operation, ordinal, token } = read(event)?;
            engine.arrive(&NodeKey::new(&scope, operation, ordinal), token).await?;
        }
        "segment_finish" => {
            let SegmentEvent { scope, operation, segment, round } = read(event)?;
            let next = engine.segment_round(&scope, operation, segment, round).await?;
            let answer = SegmentAnswer { next, round: round + 1 };
            return serde_json::to_value(answer).map_err(|error| TaskError::Terminal(Box::new(error)));
        }
        "operation_finish" => {
            let OperationEvent { scope, operation } = read(event)?;
            engine.finish_operation(&scope, operation).await?;
        }
        "operation_abort" => {
            let AbortEvent { scope, operation, error } = read(event)?;
            let why = error.as_ref().map(ExecutionError::words);
            engine.abort(&scope, operation, why.as_deref()).await?;
        }
        _ => return Err(TaskError::Terminal(format!("there is no task `{handler}`").into())),
    }
    Ok(Value::Null)
}

fn read<T: for<'de> Deserialize<'de>>(event: Value) -> Result<T, TaskError> {
    serde_json::from_value(event).map_err(|error| TaskError::Terminal(Box::new(error)))
}
