//! API Gateway on one side, [`router::dispatch`] on the other
//!
//! The event is version 2.0 of HTTP APIs; only what is used of it is read. The path is matched again here, so
//! nothing depends on how a gateway decodes path parameters.

use crate::{
    Cx, Entry,
    config::Config,
    log,
    router::{self, HttpRequest, HttpResponse},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A request as API Gateway passes it on
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiEvent {
    /// The path as it was sent
    pub raw_path: String,
    /// The query string as it was sent
    #[serde(default)]
    pub raw_query_string: String,
    /// Headers; several of one name are joined by commas
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body
    #[serde(default)]
    pub body: Option<String>,
    /// Whether the body is in base 64
    #[serde(default)]
    pub is_base64_encoded: bool,
    /// Where the method is
    pub request_context: RequestContext,
}

/// The part of the event in which the method is
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RequestContext {
    /// What is said of HTTP
    pub http: HttpDescription,
}

/// What the event says of HTTP
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct HttpDescription {
    /// The method
    pub method: String,
}

/// An answer as API Gateway takes it
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiResponse {
    /// The status
    pub status_code: u16,
    /// Headers
    pub headers: BTreeMap<String, String>,
    /// The body
    pub body: String,
    /// Whether the body is in base 64: never
    pub is_base64_encoded: bool,
}

impl From<ApiEvent> for HttpRequest {
    fn from(event: ApiEvent) -> Self {
        let text = event.body.unwrap_or_default();
        // What is no base 64 after all is taken as it is: the body's reader will refuse it.
        let body = if event.is_base64_encoded { STANDARD.decode(&text).ok() } else { None };
        Self {
            method: event.request_context.http.method,
            path: event.raw_path,
            query: event.raw_query_string,
            headers: event
                .headers
                .into_iter()
                .map(|(name, value)| (name.to_ascii_lowercase(), value))
                .collect(),
            body: body.unwrap_or_else(|| text.into_bytes()),
        }
    }
}

impl From<HttpResponse> for ApiResponse {
    fn from(response: HttpResponse) -> Self {
        let HttpResponse { status, headers, body } = response;
        Self { status_code: status, headers, body, is_base64_encoded: false }
    }
}

/// No entry of the list has the name that the function was given
#[derive(Debug, thiserror::Error)]
#[error("this artefact has no entry `{0}`")]
pub struct UnknownHandler(pub String);

/// Serves the one endpoint that `_HANDLER` names, until the environment is frozen for good
pub async fn serve(entries: &'static [Entry]) -> Result<(), Error> {
    let config = Config::from_env()?;
    log::init(&config.log);
    let entry = entries.iter().find(|entry| entry.route.operation == config.handler);
    let entry = entry.ok_or_else(|| UnknownHandler(config.handler.clone()))?;
    let cx = &Cx::on_aws(config);
    lambda_runtime::run(service_fn(async move |event: LambdaEvent<ApiEvent>| {
        let response = router::dispatch(entry, cx, event.payload.into()).await;
        Ok::<ApiResponse, Error>(response.into())
    }))
    .await
}
