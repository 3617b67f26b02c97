//! The typed API client: what the CLI and the agent say to Weir
//!
//! A call is repeated, after a pause with jitter, where the server was not reached or asked for it
//! (429, 502, 503, 504) and where repeating is harmless: a `GET`, or a `POST` with an [`IdempotencyKey`].
//! Every refusal arrives as [`ApiError::Problem`].

mod agents;
mod assignments;
mod definition;
mod delivery;
mod error;
mod gates;
mod http;
mod operations;
mod packs;
mod projections;
mod proof;
mod retry;
mod runs;
mod scenarios;
mod workflows;

pub use error::ApiError;
pub use http::http_client;
pub use retry::{Backoff, RetryPolicy};

use reqwest::{Method, RequestBuilder, StatusCode, Url, header};
use retry::retry_after;
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt, time::Duration};
use weir_edge::wire::secret::Secret;

/// No answer of the API is larger: lists are paged, blobs travel by presigned URL, and long answers lie in the bucket,
/// which gives no object larger than this
const BODY_MAX_BYTES: usize = 64 * 1024 * 1024;

/// How long one try may take, unless the caller says otherwise
const TRY_TIMEOUT: Duration = Duration::from_secs(30);

/// Names the tenant that a call is about
const TENANT_HEADER: &str = "weir-tenant";

/// Names one logical call, however often it is sent
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// A key for a call that is made once
    pub fn random() -> Self {
        Self(format!("{:032x}", crate::clock::random_bits()))
    }

    /// A key that the call's content decides, so that it survives this process
    pub fn derived(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Speaks to one Weir, as one actor
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    bearer: Option<Secret>,
    tenant: Option<String>,
    retry: RetryPolicy,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

impl Client {
    /// A client of the Weir at `base`, such as `http://127.0.0.1:8080`: the part before `/v1`
    pub fn new(base: &str) -> Result<Self, ApiError> {
        let url =
            Url::parse(base).ok().filter(|url| url.has_host() && matches!(url.scheme(), "http" | "https"));
        let base = url.ok_or_else(|| ApiError::BadServer(base.to_owned()))?;
        Ok(Self {
            http: http_client(&base)?,
            base,
            bearer: None,
            tenant: None,
            retry: RetryPolicy::default(),
        })
    }

    /// The same client, acting as whoever holds `credential`
    #[must_use]
    pub fn with_bearer(mut self, credential: Secret) -> Self {
        self.bearer = Some(credential);
        self
    }

    /// The same client, about one tenant of the workspace
    #[must_use]
    pub fn with_tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// The same client, about the whole workspace
    #[must_use]
    pub fn without_tenant(mut self) -> Self {
        self.tenant = None;
        self
    }

    /// The same client with other patience
    #[must_use]
    pub fn with_retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// Reads `path` (from `/v1` on), with `query` as its query string
    pub async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T, ApiError> {
        let mut url = self.url(path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = || self.request(Method::GET, &url);
        self.send_until_answered(request).await
    }

    /// Sends `body` to `path` as the one logical call that `key` names, however often it has to be sent
    pub async fn post<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
        key: &IdempotencyKey,
    ) -> Result<T, ApiError> {
        let url = self.url(path)?;
        let bytes = bytes::Bytes::from(serde_json::to_vec(body).map_err(ApiError::Encode)?);
        let request = || self.json(&url, bytes.clone()).header("idempotency-key", key.to_string());
        self.send_until_answered(request).await
    }

    /// Sends `body`, which tells by itself what it is about, to `path` until it is answered
    pub async fn post_again<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, ApiError> {
        let url = self.url(path)?;
        let bytes = bytes::Bytes::from(serde_json::to_vec(body).map_err(ApiError::Encode)?);
        self.send_until_answered(|| self.json(&url, bytes.clone())).await
    }

    /// Sends `body` to `path` once, without a key: for calls whose loss costs only time
    pub async fn post_once<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
        timeout: Duration,
    ) -> Result<T, ApiError> {
        let url = self.url(path)?;
        let bytes = serde_json::to_vec(body).map_err(ApiError::Encode)?.into();
        self.send(self.json(&url, bytes).timeout(timeout)).await.map_err(|failure| failure.error)
    }

    fn url(&self, path: &str) -> Result<Url, ApiError> {
        let base = self.base.as_str().trim_end_matches('/');
        Url::parse(&format!("{base}{path}")).map_err(|_| ApiError::BadServer(self.base.to_string()))
    }

    fn request(&self, method: Method, url: &Url) -> RequestBuilder {
        let request = self.http.request(method, url.clone()).timeout(TRY_TIMEOUT);
        let request = match &self.tenant {
            Some(tenant) => request.header(TENANT_HEADER, tenant),
            None => request,
        };
        match &self.bearer {
            Some(credential) => request.bearer_auth(credential.expose()),
            None => request,
        }
    }

    fn json(&self, url: &Url, body: bytes::Bytes) -> RequestBuilder {
        self.request(Method::POST, url).header(header::CONTENT_TYPE, "application/json").body(body)
    }

    /// Only for calls that may be repeated
    async fn send_until_answered<T: DeserializeOwned>(
        &self,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<T, ApiError> {
        let mut pauses = self.retry.pauses();
        loop {
            let failure = match self.send(request()).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let pause = failure.error.is_transient().then(|| pauses.next(failure.retry_after)).flatten();
            let Some(pause) = pause else { return Err(failure.error) };
            tracing::debug!(error = %failure.error, pause_ms = pause.as_millis(), "the call is sent again");
            tokio::time::sleep(pause).await;
        }
    }

    async fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Failure> {
        let response = request.send().await.map_err(|error| Failure::now(ApiError::unreachable(&error)))?;
        let (status, retry_after) = (response.status(), retry_after(response.headers()));
        let place = response.headers().get(header::LOCATION).and_then(|place| place.to_str().ok());
        let place = place.and_then(|place| Url::parse(place).ok());
        let body = http::read_bounded(response, BODY_MAX_BYTES).await.map_err(Failure::now)?;
        if status == StatusCode::SEE_OTHER {
            let place = place.ok_or_else(|| Failure::now(ApiError::Status { status: status.as_u16() }))?;
            return fetch(&place).await.map_err(Failure::now);
        }
        if !status.is_success() {
            return Err(Failure { error: ApiError::refused(status, &body), retry_after });
        }
        // An answer without a body reads as `null`, so that `()` can be asked for.
        let json: &[u8] = if body.is_empty() || status == StatusCode::NO_CONTENT { b"null" } else { &body };
        serde_json::from_slice(json).map_err(|error| Failure::now(ApiError::Decode(error)))
    }
}

/// An answer that is too long for the API itself and lies at `place`; whoever knows the place may read it, so no
/// credential goes there
async fn fetch<T: DeserializeOwned>(place: &Url) -> Result<T, ApiError> {
    let request = http_client(place)?.get(place.clone()).timeout(TRY_TIMEOUT);
    let response = request.send().await.map_err(|error| ApiError::unreachable(&error))?;
    let status = response.status();
    let body = http::read_bounded(response, BODY_MAX_BYTES).await?;
    if !status.is_success() {
        return Err(ApiError::refused(status, &body));
    }
    serde_json::from_slice(&body).map_err(ApiError::Decode)
}

/// A try that did not succeed, and when the server wants the next
struct Failure {
    error: ApiError,
    retry_after: Option<Duration>,
}

impl Failure {
    fn now(error: ApiError) -> Self {
        Self { error, retry_after: None }
    }
}
