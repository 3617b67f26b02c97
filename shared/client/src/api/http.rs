//! HTTP clients, made the same way everywhere: `ring`, and roots only where TLS is spoken

use crate::api::ApiError;
use reqwest::{Response, Url};
use std::time::Duration;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A client for `url`, without any limit on the whole call
///
/// A bare machine may have no root certificates at all. Plain HTTP needs none, so they are only looked
/// for where the URL asks for TLS.
pub fn http_client(url: &Url) -> Result<reqwest::Client, ApiError> {
    // Fails where another part of the process has installed it already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder()
        .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        // A redirect would carry the body to another place than the one configured.
        .redirect(reqwest::redirect::Policy::none());
    let builder = if url.scheme() == "https" { builder } else { builder.tls_certs_only([]) };
    builder.build().map_err(|error| ApiError::Setup(error.to_string()))
}

/// The whole body, if it is no longer than `max` bytes
pub(super) async fn read_bounded(mut response: Response, max: usize) -> Result<Vec<u8>, ApiError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| ApiError::unreachable(&error))? {
        if body.len() + chunk.len() > max {
            return Err(ApiError::TooLarge(max));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
