//! The contract on whatever speaks AWS's protocols at `WEIR_TEST_ENDPOINT`; passes without a word where that is not set
//!
//! Start an emulator, then: `WEIR_TEST_ENDPOINT=http://127.0.0.1:4566 cargo test -p weir-ledger --test contract`.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a helper that fails ends the test that it is called by"
)]

use async_trait::async_trait;
use aws_sdk_kms::types::{KeySpec, KeyUsageType};
use aws_sdk_s3::{
    config::{BehaviorVersion, Credentials, Region, SharedHttpClient},
    types::ObjectLockEnabled,
};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use bytes::Bytes;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use weir_ledger::{
    KmsSigner, Locking, Objects, Presigned, contract, s3::S3Objects, signer::signs_what_it_says,
};

fn endpoint() -> Option<String> {
    std::env::var_os("WEIR_TEST_ENDPOINT").and_then(|text| text.into_string().ok())
}

/// One for each test: a pooled connection ends with the runtime that it was made on
fn http_client() -> SharedHttpClient {
    Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
}

fn s3(endpoint: &str) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(endpoint)
        .force_path_style(true)
        .http_client(http_client());
    aws_sdk_s3::Client::from_conf(config.build())
}

fn kms(endpoint: &str) -> aws_sdk_kms::Client {
    let config = aws_sdk_kms::Config::builder()
        .behavior_version(aws_sdk_kms::config::BehaviorVersion::latest())
        .region(aws_sdk_kms::config::Region::new("us-east-1"))
        .credentials_provider(aws_sdk_kms::config::Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(endpoint)
        .http_client(http_client());
    aws_sdk_kms::Client::from_conf(config.build())
}

/// A new bucket with Object Lock
async fn bucket(endpoint: &str) -> S3Objects {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let name = format!("weir-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
    let client = s3(endpoint);
    client.create_bucket().bucket(&name).object_lock_enabled_for_bucket(true).send().await.unwrap();
    let locking = client.get_object_lock_configuration().bucket(&name).send().await.unwrap();
    let enabled = locking.object_lock_configuration.and_then(|lock| lock.object_lock_enabled);
    assert_eq!(enabled, Some(ObjectLockEnabled::Enabled));
    S3Objects::new(client, name, Locking::Required)
}

/// Sends presigned requests as `curl` would
struct Http;

#[async_trait]
impl contract::Holder for Http {
    async fn send(&self, request: &Presigned, body: Bytes) -> Option<Bytes> {
        let (host, path) = request.url.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let mut head =
            format!("{} /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n", request.method);
        for (name, value) in &request.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let mut stream = TcpStream::connect(host).await.unwrap();
        stream.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
        stream.write_all(&body).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        answer.starts_with(b"HTTP/1.1 200").then(|| Bytes::copy_from_slice(&answer[end + 4..]))
    }
}

#[tokio::test]
async fn the_contract_holds() {
    let Some(endpoint) = endpoint() else { return };
    contract::all(&bucket(&endpoint).await, "all").await.unwrap();
}

#[tokio::test]
async fn presigned_requests_work() {
    let Some(endpoint) = endpoint() else { return };
    contract::a_presigned_request_does_what_it_says(&bucket(&endpoint).await, &Http, "presigned")
        .await
        .unwrap();
}

#[tokio::test]
async fn evidence_can_be_locked() {
    let Some(endpoint) = endpoint() else { return };
    contract::a_locked_version_says_until_when(&bucket(&endpoint).await, "locked").await.unwrap();
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_an_error() {
    let Some(endpoint) = endpoint() else { return };
    let objects = S3Objects::new(s3(&endpoint), "weir-never-made".to_owned(), Locking::Unavailable);
    assert!(objects.get("x").await.is_err());
    assert!(objects.put_new("x", Bytes::new(), weir_ledger::objects::PutOptions::JSON).await.is_err());
}

#[tokio::test]
async fn kms_signs() {
    let Some(endpoint) = endpoint() else { return };
    let client = kms(&endpoint);
    let request = client.create_key().key_spec(KeySpec::EccNistP256).key_usage(KeyUsageType::SignVerify);
    let key = request.send().await.unwrap().key_metadata.unwrap().arn.unwrap();
    signs_what_it_says(&KmsSigner::new(client, key)).await.unwrap();
}
