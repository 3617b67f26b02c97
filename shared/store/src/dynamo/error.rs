//! What DynamoDB's errors mean here, and how often a lost race is run again

use crate::StoreError;
use aws_sdk_dynamodb::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};
use std::time::Duration;

/// How often a request that met a transaction is sent again
const CONFLICT_TRIES: u32 = 8;

/// The first pause; each further one may be twice as long, up to [`PAUSE_MAX_MS`]
const PAUSE_FIRST_MS: u64 = 20;
const PAUSE_MAX_MS: u64 = 500;

/// Codes that say "not now": the request may succeed unchanged
const NOT_NOW: [&str; 10] = [
    "InternalServerError",
    "ProvisionedThroughputExceededException",
    "ReplicatedWriteConflictException",
    "RequestLimitExceeded",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "ThrottlingException",
    "TransactionConflictException",
    "TransactionInProgressException",
];

/// What the service said. Never what it was asked: an SDK error keeps the whole response, items included
#[derive(Debug, thiserror::Error)]
pub(super) enum Cause {
    /// No answer
    #[error("no answer from DynamoDB: {0}")]
    NoAnswer(&'static str),
    /// Others were first, again and again
    #[error("the items are written by others all the time")]
    Contended,
    /// An answer that is an error
    #[error("`{code}` from DynamoDB (status {status}): {message}")]
    Answer {
        /// The service's name for it
        code: String,
        /// The HTTP status
        status: u16,
        /// The service's words for it
        message: String,
    },
}

/// What an SDK error means
pub(super) fn store_error<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> StoreError {
    match error {
        SdkError::ConstructionFailure(_) => {
            StoreError::Rejected(Box::new(Cause::NoAnswer("the request could not be made")))
        }
        SdkError::TimeoutError(_) => StoreError::Unavailable(Box::new(Cause::NoAnswer("timed out"))),
        SdkError::DispatchFailure(_) => StoreError::Unavailable(Box::new(Cause::NoAnswer("not reached"))),
        SdkError::ResponseError(_) => {
            StoreError::Unavailable(Box::new(Cause::NoAnswer("the answer was cut off")))
        }
        SdkError::ServiceError(context) => answered(context.err(), context.raw().status().as_u16()),
        _ => StoreError::Unavailable(Box::new(Cause::NoAnswer("an unknown failure"))),
    }
}

fn answered(error: &impl ProvideErrorMetadata, status: u16) -> StoreError {
    let code = error.code().unwrap_or("unknown").to_owned();
    let not_now = status >= 500 || status == 429 || NOT_NOW.contains(&code.as_str());
    let cause =
        Box::new(Cause::Answer { code, status, message: error.message().unwrap_or_default().to_owned() });
    if not_now { StoreError::Unavailable(cause) } else { StoreError::Rejected(cause) }
}

/// Whether a single write met a transaction on its item
pub(super) fn is_conflict<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    error.as_service_error().and_then(ProvideErrorMetadata::code) == Some("TransactionConflictException")
}

/// How much longer a request is sent again
pub(super) struct Patience {
    tries: u32,
}

impl Patience {
    pub(super) const fn new() -> Self {
        Self { tries: 0 }
    }

    /// Waits before the next try; `false` if there shall be none
    ///
    /// Full jitter: those that met must not meet again.
    pub(super) async fn pause(&mut self) -> bool {
        self.tries += 1;
        if self.tries >= CONFLICT_TRIES {
            return false;
        }
        let ceiling = (PAUSE_FIRST_MS << self.tries.min(16)).min(PAUSE_MAX_MS);
        let jitter = getrandom::u64().unwrap_or(ceiling) % ceiling;
        tokio::time::sleep(Duration::from_millis(jitter)).await;
        true
    }
}
