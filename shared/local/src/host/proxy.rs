//! The emulator's proxy mode: it posts an event, and the answer is the function's

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::post;
use bytes::Bytes;

use super::Host;
use super::runtime_api::MAX_PAYLOAD;

/// Serves the one address that the emulator knows
pub(super) fn router(host: Host) -> Router {
    let path = format!("/{}/invoke", host.inner.options.secret);
    Router::new().route(&path, post(invoke)).layer(DefaultBodyLimit::max(MAX_PAYLOAD)).with_state(host)
}

/// 2xx is a result; the emulator takes anything else for a failed invocation
async fn invoke(State(host): State<Host>, headers: HeaderMap, event: Bytes) -> impl IntoResponse {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (name, id) = (header("x-amzn-lambda-function-name"), header("x-amzn-lambda-request-id"));
    let (status, body) = match host.invoke_as(name, event, id).await {
        Ok(answer) => (StatusCode::OK, answer),
        Err(error) => {
            tracing::debug!(function = name, %error, "invocation failed");
            (StatusCode::INTERNAL_SERVER_ERROR, error.body().to_string().into())
        }
    };
    (status, [(header::CONTENT_TYPE, "application/json")], body)
}
