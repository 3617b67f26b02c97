//! The endpoint: clients of the AWS API that can reach nothing but it

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_s3::error::DisplayErrorContext;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use serde::Deserialize;

use crate::error::{LocalError, Result};
use crate::net;

/// The region of the local stack
pub const REGION: &str = "us-east-1";
/// The credentials of the local stack: emulators take any
pub const CREDENTIALS: (&str, &str) = ("test", "test");

/// Who runs the functions
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runs {
    /// The endpoint hands invocations to the function host
    Proxied,
    /// The endpoint runs the code itself
    Itself,
}

/// A function as the endpoint has it
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Deployed {
    /// Its name
    pub function_name: String,
    /// Its handler
    #[serde(default)]
    pub handler: String,
    /// Its time limit in seconds
    #[serde(default = "default_timeout")]
    pub timeout: u64,
    /// Its memory in MB
    #[serde(default = "default_memory")]
    pub memory_size: u32,
    /// Its environment
    #[serde(default)]
    pub environment: Environment,
}

/// A function's environment
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Environment {
    /// Names and values, all references resolved
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
}

/// One endpoint that speaks the AWS API
#[derive(Clone)]
pub struct Endpoint {
    url: String,
    runs: Runs,
    config: SdkConfig,
    s3: aws_sdk_s3::Client,
    cloudformation: aws_sdk_cloudformation::Client,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("url", &self.url).field("runs", &self.runs).finish_non_exhaustive()
    }
}

fn default_timeout() -> u64 {
    3
}

fn default_memory() -> u32 {
    128
}

impl Endpoint {
    /// Connects to `url` and finds out what it is
    pub async fn connect(url: &str) -> Result<Self> {
        let url = url.trim_end_matches('/').to_owned();
        let runs = identify(&url).await?;
        let config = config(&url);
        let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
        let (s3, cloudformation) =
            (aws_sdk_s3::Client::from_conf(s3), aws_sdk_cloudformation::Client::new(&config));
        Ok(Self { url, runs, config, s3, cloudformation })
    }

    /// Its address, without a slash at the end
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Who runs the functions
    pub fn runs(&self) -> Runs {
        self.runs
    }

    /// What every further client of it is made from
    pub fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// S3
    pub fn s3(&self) -> &aws_sdk_s3::Client {
        &self.s3
    }

    /// CloudFormation
    pub fn cloudformation(&self) -> &aws_sdk_cloudformation::Client {
        &self.cloudformation
    }

    /// The functions whose names begin with `prefix`
    ///
    /// One small request, made by hand: the SDK of Lambda would be 20 s more of compiling for it.
    pub async fn functions(&self, prefix: &str) -> Result<Vec<Deployed>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Page {
            functions: Vec<Deployed>,
            next_marker: Option<String>,
        }
        let client = net::client(Duration::from_secs(30))?;
        let (mut all, mut marker) = (Vec::new(), None::<String>);
        loop {
            let next = marker.map(|marker| format!("&Marker={marker}")).unwrap_or_default();
            let request = client.get(format!("{}/2015-03-31/functions/?MaxItems=50{next}", self.url));
            let answer = request.header("authorization", authorization("lambda")).send().await;
            let answer = answer.and_then(reqwest::Response::error_for_status);
            let page = answer.map_err(|error| say("ListFunctions", &error))?.json::<Page>().await;
            let page = page.map_err(|error| say("ListFunctions", &error))?;
            all.extend(
                page.functions.into_iter().filter(|function| function.function_name.starts_with(prefix)),
            );
            marker = page.next_marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                return Ok(all);
            }
        }
    }
}

/// Emulators read service and region from here, and check no signature
pub(crate) fn authorization(service: &str) -> String {
    let (key, _) = CREDENTIALS;
    format!(
        "AWS4-HMAC-SHA256 Credential={key}/20260101/{REGION}/{service}/aws4_request, SignedHeaders=host, Signature=0"
    )
}

fn config(url: &str) -> SdkConfig {
    let (key, secret) = CREDENTIALS;
    let credentials = Credentials::new(key, secret, None, None, "weir-local");
    let http = if url.starts_with("https:") {
        Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
    } else {
        // Without TLS there are no root certificates to load, which takes 10 ms and more.
        Builder::new().build_http()
    };
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static(REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(url)
        .http_client(http)
        .build()
}

/// Whether the endpoint is an emulator with proxy mode; fails if nothing answers
async fn identify(url: &str) -> Result<Runs> {
    let fail = |reason: String| LocalError::Endpoint { url: url.to_owned(), reason };
    // LocalStack reads the descriptions of all services at the first path that it does not know, and nothing else meanwhile.
    let client = net::client(Duration::from_secs(60))?;
    let ministack = client.get(format!("{url}/_ministack/health")).send().await;
    let ministack = ministack.map_err(|error| fail(chain(&error)))?;
    if ministack.status().is_success()
        && ministack.text().await.is_ok_and(|text| text.contains("\"iot_mtls\""))
    {
        return Ok(Runs::Proxied);
    }
    Ok(Runs::Itself)
}

/// Whether anything answers at `url`
pub async fn answers(url: &str) -> bool {
    let Ok(client) = net::client(Duration::from_secs(5)) else { return false };
    client.get(url).send().await.is_ok()
}

/// A failed call, with all of its causes
pub(crate) fn say(call: &str, error: &(impl std::error::Error + 'static)) -> LocalError {
    LocalError::Call { call: call.to_owned(), reason: format!("{}", DisplayErrorContext(error)) }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
