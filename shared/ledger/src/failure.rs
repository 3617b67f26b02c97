//! What is kept of a failed call to AWS
//!
//! The SDK's own errors hold whole answers, and an answer may quote a signature or a credential's id.
//! What is kept is enough to find the call in AWS's logs, and can be logged as it is.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId;
use std::fmt;

/// One failed call
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The call, as AWS names it
    call: &'static str,
    /// How it failed, in words
    how: &'static str,
    /// The status of the answer, if there was one
    pub(crate) status: Option<u16>,
    /// AWS's code for it
    pub(crate) code: Option<String>,
    request_id: Option<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.call, self.how)?;
        if let Some(status) = self.status {
            write!(f, ", status {status}")?;
        }
        if let Some(code) = &self.code {
            write!(f, ", `{code}`")?;
        }
        match &self.request_id {
            Some(id) => write!(f, ", request `{id}`"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}

/// A call whose answer can say what was wrong
pub(crate) trait Answered {
    /// The status of the answer
    fn status(&self) -> Option<u16>;
}

impl<E> Answered for SdkError<E> {
    fn status(&self) -> Option<u16> {
        self.raw_response().map(|response| response.status().as_u16())
    }
}

impl Failure {
    /// What is kept of `error`, which `call` ended with
    pub(crate) fn of<E>(call: &'static str, error: &SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata,
        SdkError<E>: RequestId,
    {
        let how = match error {
            SdkError::ConstructionFailure(_) => "the request could not be made",
            SdkError::TimeoutError(_) => "no answer in time",
            SdkError::DispatchFailure(_) => "not reached",
            SdkError::ResponseError(_) => "the answer could not be read",
            SdkError::ServiceError(_) | _ => "refused",
        };
        let request_id = error.request_id().map(str::to_owned);
        Self { call, how, status: error.status(), code: error.code().map(str::to_owned), request_id }
    }

    /// A failure without an answer to look at
    pub(crate) const fn local(call: &'static str, how: &'static str) -> Self {
        Self { call, how, status: None, code: None, request_id: None }
    }

    /// Whether the same call may succeed later: no answer, throttled, or the service's own fault
    pub(crate) fn passes(&self) -> bool {
        let throttled = self.code.as_deref().is_some_and(|code| {
            matches!(
                code,
                "SlowDown" | "RequestTimeout" | "ThrottlingException" | "Throttling" | "RequestLimitExceeded"
            )
        });
        let status = self.status.is_some_and(|status| status >= 500 || matches!(status, 408 | 409 | 429));
        throttled || status || (self.status.is_none() && self.how != "the request could not be made")
    }
}
