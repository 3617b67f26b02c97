//! The Lambda Runtime API (2018-06-01), as one function process speaks it

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{Response, StatusCode, header};
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use bytes::Bytes;

use super::process::{Outcome, Process};

/// Lambda's limit for an event or an answer, with some room for the envelope
pub(super) const MAX_PAYLOAD: usize = 6 * 1024 * 1024 + 100 * 1024;

/// The interface of `process` alone
pub(super) fn router(process: Arc<Process>) -> Router {
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        .route("/2018-06-01/runtime/init/error", post(init_error))
        .layer(DefaultBodyLimit::max(MAX_PAYLOAD))
        .with_state(process)
}

async fn next(State(process): State<Arc<Process>>) -> Response<Body> {
    let Some(work) = process.next().await else { return StatusCode::FORBIDDEN.into_response() };
    let built = Response::builder()
        .header(header::CONTENT_TYPE, "application/json")
        .header("lambda-runtime-aws-request-id", work.id)
        .header("lambda-runtime-deadline-ms", work.deadline_ms.to_string())
        .header("lambda-runtime-invoked-function-arn", arn(&process.function))
        .body(Body::from(work.event));
    built.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

async fn response(State(process): State<Arc<Process>>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    answer(&process, &id, Ok(body))
}

async fn error(State(process): State<Arc<Process>>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    answer(&process, &id, Err(body))
}

async fn init_error(State(process): State<Arc<Process>>, body: Bytes) -> StatusCode {
    process.fail_init(body);
    StatusCode::ACCEPTED
}

/// An answer to anything but its present work is refused
fn answer(process: &Process, id: &str, outcome: Outcome) -> StatusCode {
    if process.answer(id, outcome) { StatusCode::ACCEPTED } else { StatusCode::FORBIDDEN }
}

fn arn(function: &str) -> String {
    format!("arn:aws:lambda:us-east-1:000000000000:function:{function}")
}
