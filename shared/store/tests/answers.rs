//! What the table in DynamoDB makes of answers that no emulator gives on demand
//!
//! A server here gives the answers of a script, one for each request, and keeps what it was asked.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a helper of tests that fails is a test that fails"
)]

use aws_sdk_dynamodb::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region, retry::RetryConfig},
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Mutex,
};
use weir_domain::{engine::NodeUpdate, id::Id as _, id::OperationId};
use weir_store::{Key, NodeKey, Record, StoreError, Table as _, TransactError, Write, dynamo::DynamoTable};

type Requests = Arc<Mutex<Vec<Value>>>;

/// A table whose requests get `answers`, in turn, and those requests
async fn scripted(answers: Vec<(u16, Value)>) -> (DynamoTable, Requests) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let requests = Requests::default();
    let kept = Arc::clone(&requests);
    tokio::spawn(async move {
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            kept.lock().await.push(request(&mut stream).await);
            let body = body.to_string();
            let head = format!(
                "HTTP/1.1 {status} Answer\r\ncontent-type: application/x-amz-json-1.0\r\nconnection: close\r\n\
                 content-length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        }
    });
    let credentials = Credentials::builder();
    let credentials =
        credentials.access_key_id("test").secret_access_key("test").provider_name("test").build();
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new("us-east-1"))
        .credentials_provider(credentials)
        .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(1)))
        .http_client(aws_smithy_http_client::Builder::new().build_http());
    (DynamoTable::new(Client::from_conf(config.build()), "weir".to_owned()), requests)
}

/// The body of one request
async fn request(stream: &mut TcpStream) -> Value {
    let mut read = Vec::new();
    loop {
        let mut part = [0; 4096];
        let length = stream.read(&mut part).await.unwrap();
        read.extend_from_slice(&part[..length]);
        let text = String::from_utf8_lossy(&read).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let header = |line: &str| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned);
        let wanted: usize = head.lines().find_map(header).unwrap().parse().unwrap();
        if body.len() >= wanted {
            return serde_json::from_str(body).unwrap();
        }
    }
}

fn cancelled(codes: &[&str]) -> (u16, Value) {
    let reasons: Vec<_> = codes.iter().map(|code| json!({"Code": code})).collect();
    let kind = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
    (400, json!({"__type": kind, "Message": "Transaction cancelled", "CancellationReasons": reasons}))
}

fn failed(status: u16, code: &str) -> (u16, Value) {
    (status, json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "no"}))
}

fn create() -> [Write; 1] {
    let key = Key::entity(&"harbor".parse().unwrap(), "release", 1);
    let doc = json!({"secret": "swordfish"});
    [Write::Create(Record { key, version: 1, doc, list: None, expires_at: None })]
}

fn node() -> NodeKey {
    NodeKey { scope: "harbor".parse().unwrap(), operation: OperationId::new(1, 1), segment: 0, ordinal: 1 }
}

async fn tokens(requests: &Requests) -> Vec<String> {
    let requests = requests.lock().await;
    requests.iter().map(|request| request["ClientRequestToken"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_transaction_whose_answer_was_lost_is_sent_again_as_the_same() {
    let (table, requests) = scripted(vec![failed(500, "InternalServerError"), (200, json!({}))]).await;
    table.transact(&create()).await.unwrap();
    let tokens = tokens(&requests).await;
    assert_eq!(tokens.len(), 2);
    assert_eq!(tokens[0], tokens[1], "or its own first try would be a conflict");
}

#[tokio::test]
async fn a_transaction_that_met_another_is_sent_again_as_a_new_one() {
    let met = cancelled(&["TransactionConflict"]);
    let throttled = cancelled(&["ThrottlingError"]);
    let (table, requests) = scripted(vec![met, throttled, (200, json!({}))]).await;
    table.transact(&create()).await.unwrap();
    let tokens = tokens(&requests).await;
    assert_eq!(tokens.len(), 3);
    assert!(tokens[0] != tokens[1] && tokens[1] != tokens[2]);
}

#[tokio::test]
async fn a_transaction_that_always_meets_others_gives_up() {
    let (table, requests) = scripted(vec![cancelled(&["TransactionConflict"]); 20]).await;
    let given_up = table.transact(&create()).await;
    assert!(matches!(given_up, Err(TransactError::Store(StoreError::Unavailable(_)))), "{given_up:?}");
    assert_eq!(requests.lock().await.len(), 8);
}

#[tokio::test]
async fn a_condition_counts_more_than_the_traffic_beside_it() {
    let (table, _) =
        scripted(vec![cancelled(&["TransactionConflict", "None", "ConditionalCheckFailed"])]).await;
    let conflict = table.transact(&create()).await;
    assert!(matches!(conflict, Err(TransactError::Conflict(at)) if at == [2]));
}

#[tokio::test]
async fn an_update_that_met_a_transaction_is_sent_again() {
    let refused = failed(400, "ConditionalCheckFailedException");
    let (table, requests) = scripted(vec![failed(400, "TransactionConflictException"), refused]).await;
    let answer = table.node_update(&node(), &NodeUpdate::Tell { from: 1 }).await.unwrap();
    assert_eq!(answer, weir_store::Applied::Refused(None));
    assert_eq!(requests.lock().await.len(), 2);
}

#[tokio::test]
async fn errors_say_whether_to_try_again_and_nothing_of_what_was_asked() {
    for (status, code, again) in [
        (400, "ThrottlingException", true),
        (400, "ProvisionedThroughputExceededException", true),
        (503, "ServiceUnavailable", true),
        (400, "ValidationException", false),
        (400, "ResourceNotFoundException", false),
        (400, "AccessDeniedException", false),
    ] {
        let (table, _) = scripted(vec![failed(status, code); 5]).await;
        let Err(TransactError::Store(error)) = table.transact(&create()).await else { panic!("{code}") };
        assert_eq!(matches!(error, StoreError::Unavailable(_)), again, "{error:?}");
        assert!(format!("{error:?}").contains(code));
        assert!(!format!("{error:?} {error}").contains("swordfish"));
    }
}

#[tokio::test]
async fn a_table_that_is_not_there_is_unavailable() {
    let (table, _) = scripted(Vec::new()).await;
    let key = Key::entity(&"harbor".parse().unwrap(), "release", 1);
    let error = table.get(&key).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
}
