//! The two HTTP interfaces of the host: the Lambda Runtime API (2018-06-01), spoken by function
//! processes, and the emulator's proxy mode

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, Response, StatusCode, header};
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use bytes::Bytes;

use super::process::Process;
use super::{Host, lock};

/// Lambda's limit for an event or an answer, with some room for the envelope
const MAX_PAYLOAD: usize = 6 * 1024 * 1024 + 100 * 1024;

/// Everything that the host answers
pub(super) fn router(host: Host) -> Router {
    let proxy = format!("/{}/invoke", host.inner.options.secret);
    Router::new()
        .route(&proxy, post(invoke))
        .route("/runtime/{key}/2018-06-01/runtime/invocation/next", get(next))
        .route("/runtime/{key}/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/runtime/{key}/2018-06-01/runtime/invocation/{id}/error", post(error))
        .route("/runtime/{key}/2018-06-01/runtime/init/error", post(init_error))
        .layer(DefaultBodyLimit::max(MAX_PAYLOAD))
        .with_state(host)
}

/// The emulator's proxy mode: 2xx is a result, anything else a failed invocation
async fn invoke(State(host): State<Host>, headers: HeaderMap, event: Bytes) -> Response<Body> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let id = header("x-amzn-lambda-request-id");
    match host.invoke_as(header("x-amzn-lambda-function-name"), event, id).await {
        Ok(answer) => json(StatusCode::OK, answer),
        Err(error) => {
            tracing::debug!(function = header("x-amzn-lambda-function-name"), %error, "invocation failed");
            json(StatusCode::INTERNAL_SERVER_ERROR, error.body().to_string().into())
        }
    }
}

async fn next(State(host): State<Host>, Path(key): Path<String>) -> Response<Body> {
    let Some(process) = process(&host, &key) else { return forbidden() };
    let Some(work) = process.next().await else { return forbidden() };
    let built = Response::builder()
        .header(header::CONTENT_TYPE, "application/json")
        .header("lambda-runtime-aws-request-id", work.id)
        .header("lambda-runtime-deadline-ms", work.deadline_ms.to_string())
        .header("lambda-runtime-invoked-function-arn", arn(&process.function))
        .body(Body::from(work.event));
    built.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

async fn response(
    State(host): State<Host>,
    Path((key, id)): Path<(String, String)>,
    body: Bytes,
) -> Response<Body> {
    answer(&host, &key, &id, Ok(body))
}

async fn error(
    State(host): State<Host>,
    Path((key, id)): Path<(String, String)>,
    body: Bytes,
) -> Response<Body> {
    answer(&host, &key, &id, Err(body))
}

async fn init_error(State(host): State<Host>, Path(key): Path<String>, body: Bytes) -> Response<Body> {
    let Some(process) = process(&host, &key) else { return forbidden() };
    process.fail_init(body);
    StatusCode::ACCEPTED.into_response()
}

fn answer(host: &Host, key: &str, id: &str, outcome: super::process::Outcome) -> Response<Body> {
    let accepted = process(host, key).is_some_and(|process| process.answer(id, outcome));
    if accepted { StatusCode::ACCEPTED.into_response() } else { forbidden() }
}

fn process(host: &Host, key: &str) -> Option<std::sync::Arc<Process>> {
    lock(&host.inner.processes).get(key).cloned()
}

/// A process that the host does not know, such as one of an earlier host: it ends when it reads this
fn forbidden() -> Response<Body> {
    StatusCode::FORBIDDEN.into_response()
}

fn json(status: StatusCode, body: Bytes) -> Response<Body> {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn arn(function: &str) -> String {
    format!("arn:aws:lambda:us-east-1:000000000000:function:{function}")
}
