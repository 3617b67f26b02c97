//! What a bucket on S3 makes of answers that an emulator does not give: conflicts, and answers that are lost

#![expect(clippy::unwrap_used, reason = "a helper that fails ends the test that it is called by")]

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, retry::RetryConfig};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use weir_ledger::{
    Locking, Objects, ObjectsError,
    objects::{Etag, Put, PutOptions, Replace},
    s3::S3Objects,
};

const OURS: &str = "HTTP/1.1 200 OK\r\netag: \"2\"\r\ncontent-length: 4\r\n\r\nours";
const THEIRS: &str = "HTTP/1.1 200 OK\r\netag: \"3\"\r\ncontent-length: 6\r\n\r\ntheirs";
const DONE: &str = "HTTP/1.1 200 OK\r\netag: \"2\"\r\ncontent-length: 0\r\n\r\n";
const LOST: &str = "HTTP/1.1 412 Precondition Failed\r\ncontent-length: 0\r\n\r\n";
const CONFLICT: &str = "HTTP/1.1 409 Conflict\r\ncontent-length: 0\r\n\r\n";
const BROKEN: &str = "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n";
const ABSENT: &str = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
const FORBIDDEN: &str = "HTTP/1.1 403 Forbidden\r\ncontent-length: 65\r\n\r\n\
                         <Error><Code>AccessDenied</Code><Message>s3cr3t</Message></Error>";

/// A bucket that gives these answers, one to each request, and then none
async fn bucket(answers: &'static [&'static str]) -> S3Objects {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !whole(&request) {
                assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0, "the request was cut off");
            }
            let closing = answer.replacen("\r\n", "\r\nconnection: close\r\n", 1);
            stream.write_all(closing.as_bytes()).await.unwrap();
        }
    });
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .retry_config(RetryConfig::standard().with_initial_backoff(std::time::Duration::from_millis(1)))
        .endpoint_url(endpoint)
        .force_path_style(true)
        .http_client(Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https());
    S3Objects::new(aws_sdk_s3::Client::from_conf(config.build()), "bucket".to_owned(), Locking::Required)
}

/// Whether `request` has come with its whole body
fn whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

async fn put(answers: &'static [&'static str]) -> Result<Put, ObjectsError> {
    bucket(answers).await.put_new("key", Bytes::from_static(b"ours"), PutOptions::JSON).await
}

async fn swap(answers: &'static [&'static str]) -> Result<Replace, ObjectsError> {
    let etag = Etag("\"1\"".to_owned());
    bucket(answers).await.put_if_match("key", Bytes::from_static(b"ours"), &etag).await
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_found_again() {
    assert!(matches!(put(&[BROKEN, LOST, OURS]).await, Ok(Put::Created(_))));
    assert!(matches!(put(&[BROKEN, LOST, THEIRS]).await, Ok(Put::Existed)));
    assert!(matches!(swap(&[BROKEN, LOST, OURS]).await, Ok(Replace::Replaced(_))));
    assert!(matches!(swap(&[BROKEN, LOST, THEIRS]).await, Ok(Replace::Lost)));
}

#[tokio::test]
async fn what_is_to_be_replaced_may_be_gone() {
    assert!(matches!(swap(&[ABSENT, ABSENT]).await, Ok(Replace::Lost)));
}

#[tokio::test]
async fn a_conflict_is_tried_again_a_bounded_number_of_times() {
    assert!(matches!(put(&[CONFLICT, CONFLICT, DONE]).await, Ok(Put::Created(_))));
    assert!(matches!(swap(&[CONFLICT, LOST, THEIRS]).await, Ok(Replace::Lost)));
    assert!(matches!(put(&[CONFLICT; 6]).await, Err(ObjectsError::Unavailable(_))));
}

#[tokio::test]
async fn a_failure_is_told_by_what_can_be_done_about_it() {
    let unavailable = put(&[BROKEN, BROKEN, BROKEN]).await;
    assert!(matches!(unavailable, Err(ObjectsError::Unavailable(_))), "{unavailable:?}");
    let refused = put(&[FORBIDDEN]).await.unwrap_err();
    assert!(matches!(refused, ObjectsError::Rejected(_)), "{refused:?}");
    let (shown, cause) = (format!("{refused:?}"), std::error::Error::source(&refused).unwrap().to_string());
    assert_eq!(cause, "PutObject: refused, status 403, `AccessDenied`");
    assert!(!shown.contains("s3cr3t"), "{shown}");
}
