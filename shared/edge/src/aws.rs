//! AWS clients: each made when it is first used, all over one connector
//!
//! Credentials come from the environment, where Lambda puts them; nothing is looked for in files or asked of a
//! metadata service, so that a start costs no I/O.

use crate::config::Config;
use aws_config::{BehaviorVersion, Region, SdkConfig, environment::EnvironmentVariableCredentialsProvider};
use aws_config::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_dynamodb::config::SharedCredentialsProvider;
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use std::time::Duration;

/// How long a connection may take
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long one try may take
const TRY_TIMEOUT: Duration = Duration::from_secs(8);
/// How often a call is tried
const TRIES: u32 = 3;
/// How long a function that a job invokes may take: as long as `job_run` itself
const INVOKE_TIMEOUT: Duration = Duration::from_secs(900);

/// Makes the clients of one function
#[derive(Debug, Clone)]
pub struct Aws {
    sdk: SdkConfig,
    emulated: bool,
}

impl Aws {
    /// Clients for the region and address of `config`
    pub fn new(config: &Config) -> Self {
        let endpoint = config.endpoint_url.as_deref();
        let plain = endpoint.is_some_and(|url| url.starts_with("http://"));
        // An emulator on loopback needs no root certificates, and loading them takes longer than all the rest.
        let http = if plain {
            Builder::new().build_http()
        } else {
            Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
        };
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(TRY_TIMEOUT)
            .build();
        let mut sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(config.region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(
                EnvironmentVariableCredentialsProvider::new(),
            ))
            .retry_config(RetryConfig::standard().with_max_attempts(TRIES))
            .timeout_config(timeouts)
            .http_client(http);
        sdk.set_endpoint_url(endpoint.map(str::to_owned));
        Self { sdk: sdk.build(), emulated: endpoint.is_some() }
    }

    /// DynamoDB
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.sdk)
    }

    /// S3, by path where the address is not AWS's own
    pub fn s3(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.sdk).force_path_style(self.emulated);
        aws_sdk_s3::Client::from_conf(config.build())
    }

    /// Lambda, for jobs: they wait for what they invoke, and the engine is who tries again
    pub fn lambda(&self) -> aws_sdk_lambda::Client {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(INVOKE_TIMEOUT)
            .build();
        let config = aws_sdk_lambda::config::Builder::from(&self.sdk)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts);
        aws_sdk_lambda::Client::from_conf(config.build())
    }

    /// Step Functions
    pub fn sfn(&self) -> aws_sdk_sfn::Client {
        aws_sdk_sfn::Client::new(&self.sdk)
    }

    /// SQS
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.sdk)
    }

    /// KMS
    pub fn kms(&self) -> aws_sdk_kms::Client {
        aws_sdk_kms::Client::new(&self.sdk)
    }
}
