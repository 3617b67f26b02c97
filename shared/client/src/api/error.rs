//! What can come of a call besides its answer

use reqwest::StatusCode;
use weir_edge::wire::problem::{FieldError, Problem};

/// A call that did not succeed
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The address of the server is not one
    #[error("`{0}` is not the address of a server: expected something like `http://127.0.0.1:8080`")]
    BadServer(String),
    /// This machine cannot make TLS connections
    #[error("no HTTP client can be made on this machine: {0}")]
    Setup(String),
    /// The server was not reached, or the connection broke; it may or may not have acted
    #[error("the server was not reached: {0}")]
    Unreachable(String),
    /// The server refused, and said why
    #[error("{title} ({status} {code}){}", .detail.as_ref().map(|text| format!(": {text}")).unwrap_or_default())]
    Problem {
        /// The HTTP status
        status: u16,
        /// A stable code, such as `W0412`
        code: String,
        /// The kind of problem in a few words
        title: String,
        /// What happened this time
        detail: Option<String>,
        /// The request, as logs and audit know it
        request_id: Option<String>,
        /// Every place of the body that was wrong
        errors: Vec<FieldError>,
    },
    /// Something between here and the server answered, not the API
    #[error("the server answered {status} without saying why")]
    Status {
        /// The HTTP status
        status: u16,
    },
    /// The answer is larger than any answer of the API
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// What was to be sent cannot be written as JSON
    #[error("the request cannot be written as JSON")]
    Encode(#[source] serde_json::Error),
    /// The answer is not what this version of the client expects
    #[error("the answer was not understood: {0}")]
    Decode(#[source] serde_json::Error),
}

impl ApiError {
    /// The HTTP status of a refusal
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Problem { status, .. } | Self::Status { status } => Some(*status),
            Self::BadServer(_) | Self::Setup(_) | Self::Unreachable(_) => None,
            Self::TooLarge(_) | Self::Encode(_) | Self::Decode(_) => None,
        }
    }

    /// The stable code of a refusal, such as `W0412`
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Problem { code, .. } => Some(code),
            Self::Status { .. } | Self::BadServer(_) | Self::Setup(_) | Self::Unreachable(_) => None,
            Self::TooLarge(_) | Self::Encode(_) | Self::Decode(_) => None,
        }
    }

    /// Whether the same call may succeed a little later
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable(_)) || matches!(self.status(), Some(429 | 502 | 503 | 504))
    }

    /// What broke, by its innermost cause: reqwest's own text only says that sending failed. The URL is
    /// left out, for it may be a presigned one.
    pub(crate) fn unreachable(error: &reqwest::Error) -> Self {
        if error.is_timeout() {
            return Self::Unreachable("no answer in time".to_owned());
        }
        let mut cause: &dyn std::error::Error = error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        let is_outermost = std::error::Error::source(error).is_none();
        Self::Unreachable(if is_outermost { "the connection failed".to_owned() } else { cause.to_string() })
    }

    pub(crate) fn refused(status: StatusCode, body: &[u8]) -> Self {
        match serde_json::from_slice::<Problem>(body) {
            Ok(problem) => Self::Problem {
                status: status.as_u16(),
                code: problem.code,
                title: problem.title,
                detail: problem.detail,
                request_id: problem.request_id,
                errors: problem.errors,
            },
            Err(_) => Self::Status { status: status.as_u16() },
        }
    }
}
