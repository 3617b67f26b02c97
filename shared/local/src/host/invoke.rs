//! One invocation: a place in the queue, a process, a deadline, an answer

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::SemaphorePermit;
use tokio::time::{Instant, timeout_at};

use super::process::{Build, Invocation, Process, epoch_ms};
use super::{Function, Inner, lock};

/// How often an invocation may meet a warm process that died before it took it
const MAX_LOST: usize = 3;

/// Why an invocation gave no result
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvokeError {
    /// There is no such function
    #[error("there is no function `{name}`")]
    UnknownFunction {
        /// As it was asked for
        name: String,
    },
    /// Its process could not be started at all
    #[error("the function could not be started: {reason}")]
    Start {
        /// What the system said
        reason: String,
    },
    /// The function reported an error, at its start or in its work
    #[error("the function failed: {body}")]
    Function {
        /// Its report, as it sent it
        body: Value,
    },
    /// Its process ended without an answer
    #[error("runtime exited without providing a reason ({status})")]
    Exited {
        /// How it ended
        status: String,
    },
    /// It took too long, and was killed
    #[error("task timed out after {:.2} seconds", .after.as_secs_f64())]
    TimedOut {
        /// Its limit
        after: Duration,
    },
    /// It waited for a free place until its time was over; it was not started
    #[error("rate exceeded: no free place within {:.2} seconds", .after.as_secs_f64())]
    Throttled {
        /// Its limit
        after: Duration,
    },
    /// The host is stopping
    #[error("the function host is stopping")]
    Stopped,
}

impl InvokeError {
    /// The error's name, as Step Functions would see it on AWS
    pub fn name(&self) -> String {
        match self {
            Self::UnknownFunction { .. } => "ResourceNotFoundException".to_owned(),
            Self::Start { .. } => "Runtime.InvalidEntrypoint".to_owned(),
            Self::Function { body } => {
                body.get("errorType").and_then(Value::as_str).unwrap_or("Runtime.Unknown").to_owned()
            }
            Self::Exited { .. } => "Runtime.ExitError".to_owned(),
            Self::TimedOut { .. } => "Sandbox.Timedout".to_owned(),
            Self::Throttled { .. } => "TooManyRequestsException".to_owned(),
            Self::Stopped => "ServiceException".to_owned(),
        }
    }

    /// The error as Lambda answers it
    pub fn body(&self) -> Value {
        if let Self::Function { body } = self
            && body.is_object()
        {
            return body.clone();
        }
        json!({ "errorType": self.name(), "errorMessage": self.to_string() })
    }
}

type Result<T> = std::result::Result<T, InvokeError>;

/// Runs one invocation from beginning to end
///
/// The time limit counts from here, waiting included, because that is how long the emulator waits.
pub(super) async fn invoke(
    inner: &Arc<Inner>,
    function: &Arc<Function>,
    event: Bytes,
    id: &str,
) -> Result<Bytes> {
    let limit = function.spec.timeout;
    let deadline = Instant::now() + limit;
    let deadline_ms = epoch_ms(limit);
    let _places = places(inner, function, deadline).await?;
    let mut lost = 0;
    loop {
        let (process, warm) = process_for(inner, function)?;
        let work = Invocation { id: id.to_owned(), event: event.clone(), deadline_ms };
        match run(&process, work, deadline, limit).await {
            Ok(answer) => {
                inner.keep(function, process);
                return Ok(answer);
            }
            // The function reported it and is as good as before.
            Err(error @ InvokeError::Function { .. }) if !process.is_over() => {
                inner.keep(function, process);
                return Err(error);
            }
            // Died while idle, before it saw the event: nothing happened, so another may do it.
            Err(InvokeError::Exited { .. }) if warm && !process.took_it() && lost < MAX_LOST => lost += 1,
            Err(error) => return Err(error),
        }
    }
}

/// A place among the function's invocations and among all
async fn places<'a>(
    inner: &'a Inner,
    function: &'a Function,
    deadline: Instant,
) -> Result<(SemaphorePermit<'a>, SemaphorePermit<'a>)> {
    let both = async { tokio::try_join!(function.running.acquire(), inner.running.acquire()) };
    match timeout_at(deadline, both).await {
        Ok(places) => places.map_err(|_| InvokeError::Stopped),
        Err(_) => Err(InvokeError::Throttled { after: function.spec.timeout }),
    }
}

/// A warm process of the build on disk, or a new one; and whether it was warm
fn process_for(inner: &Arc<Inner>, function: &Arc<Function>) -> Result<(Arc<Process>, bool)> {
    let build = Build::of(&function.spec.artefact);
    loop {
        let Some((process, _)) = lock(&function.idle).pop() else { break };
        if process.build == build && !process.is_over() {
            return Ok((process, true));
        }
        process.kill();
    }
    let started = Process::spawn(inner, function);
    started.map(|process| (process, false)).map_err(|error| InvokeError::Start { reason: error.to_string() })
}

async fn run(process: &Process, work: Invocation, deadline: Instant, limit: Duration) -> Result<Bytes> {
    let mut outcome = process.hand(work);
    let answer = tokio::select! {
        biased;
        answer = &mut outcome => answer.ok(),
        status = process.ended() => {
            // The answer may have come just before the end.
            match outcome.try_recv() {
                Ok(answer) => Some(answer),
                Err(_) => return Err(ended(process, status)),
            }
        }
        () = tokio::time::sleep_until(deadline) => {
            process.kill();
            return Err(InvokeError::TimedOut { after: limit });
        }
    };
    match answer {
        Some(Ok(bytes)) => Ok(bytes),
        Some(Err(report)) => Err(InvokeError::Function { body: read_report(&report) }),
        None => Err(InvokeError::Stopped),
    }
}

fn ended(process: &Process, status: String) -> InvokeError {
    match process.init_error() {
        Some(report) => InvokeError::Function { body: read_report(&report) },
        None => InvokeError::Exited { status },
    }
}

fn read_report(report: &Bytes) -> Value {
    serde_json::from_slice(report).unwrap_or_else(
        |_| json!({ "errorType": "Runtime.Unknown", "errorMessage": String::from_utf8_lossy(report) }),
    )
}
