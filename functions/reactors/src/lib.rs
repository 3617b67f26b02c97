//! What reacts to the table's stream, the queues and the schedule: one artefact
//!
//! A record or message is a hint: what it says is looked up before anything is done, so it may come twice,
//! late, out of order or not at all.

mod advance;
mod audit;
pub mod functions;
mod jobs;
mod notify;
mod queue;
mod reconcile;

use serde_json::Value;
use weir_edge::Cx;
use weir_ledger::LedgerError;
use weir_orchestration::EngineError;
use weir_store::{StoreError, TransactError};

/// Why a reactor could not do its work: it is given the same again
#[derive(Debug, thiserror::Error)]
pub enum ReactorError {
    /// There is no such reactor
    #[error("there is no reactor `{0}`")]
    Unknown(String),
    /// The event is not what this reactor is given
    #[error("the event cannot be read")]
    Event(#[from] serde_json::Error),
    /// The engine
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The table
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A transaction
    #[error(transparent)]
    Transact(#[from] TransactError),
    /// The ledger
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// An event that cannot be sealed
    #[error("an audit event cannot be sealed: {0}")]
    Unsealable(String),
    /// Slack
    #[error("slack did not take the message: {0}")]
    Slack(String),
}

/// Runs the reactor `handler`, one of [`functions::REACTORS`]; `request` names this invocation alone
pub async fn run(cx: &Cx, handler: &str, event: Value, request: &str) -> Result<Value, ReactorError> {
    match handler {
        "job_run" => jobs::run(cx, event, request).await,
        "job_dead_letter" => jobs::drive(cx, event).await,
        "operation_advance" => advance::run(cx, event).await,
        "audit_write" => audit::run(cx, event).await,
        "notify" => notify::run(cx, event).await,
        "reconcile" => reconcile::run(cx).await,
        _ => Err(ReactorError::Unknown(handler.to_owned())),
    }
}
