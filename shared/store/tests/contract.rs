//! Every table passes the same contract
//!
//! The one in memory always; the one in DynamoDB wherever `WEIR_TEST_ENDPOINT` names something that speaks its
//! API, such as an emulator.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a helper of tests that fails is a test that fails"
)]

use aws_sdk_dynamodb::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region},
    types::AttributeValue,
};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use serde_json::json;
use std::collections::HashMap;
use weir_domain::time::Millis;
use weir_store::{
    Key, Record, Table as _, Write, contract,
    dynamo::{DynamoTable, create_table},
    memory::MemoryTable,
};

#[tokio::test]
async fn the_table_in_memory() {
    for seed in 0..8 {
        contract::run(&MemoryTable::new(), seed).await.unwrap();
    }
    let shared = MemoryTable::new();
    contract::run(&shared, 1).await.unwrap();
    contract::run(&shared, 2).await.unwrap();
}

#[tokio::test]
async fn the_table_in_dynamodb() {
    let Some((client, seed)) = endpoint() else { return };
    let name = format!("contract-{seed:x}");
    create_table(&client, &name).await.unwrap();
    contract::run(&DynamoTable::new(client.clone(), name.clone()), seed).await.unwrap();
    expiry_is_in_seconds(&client, &name).await;
    client.delete_table().table_name(&name).send().await.unwrap();
}

/// The table's time to live reads the attribute itself, in seconds
async fn expiry_is_in_seconds(client: &Client, name: &str) {
    let key = Key::entity(&"harbor".parse().unwrap(), "token", "short-lived");
    let expires_at = Some(Millis(1_700_000_000_000));
    let record = Record { key: key.clone(), version: 1, doc: json!({}), list: None, expires_at };
    let table = DynamoTable::new(client.clone(), name.to_owned());
    table.transact(&[Write::Create(record)]).await.unwrap();
    let key = [("pk", key.pk()), ("sk", key.sk())];
    let key = HashMap::from(key.map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned()))));
    let item = client.get_item().table_name(name).set_key(Some(key)).send().await.unwrap().item.unwrap();
    assert_eq!(item["expires_at"], AttributeValue::N("1700000000".to_owned()));
    let ttl = client.describe_time_to_live().table_name(name).send().await.unwrap();
    let ttl = ttl.time_to_live_description.unwrap();
    assert_eq!(ttl.attribute_name(), Some("expires_at"));
}

/// A client of `WEIR_TEST_ENDPOINT`, and the seed (`WEIR_TEST_SEED`, or the process's number) of this run
#[expect(clippy::disallowed_methods, reason = "a test's own settings")]
fn endpoint() -> Option<(Client, u64)> {
    let endpoint = std::env::var("WEIR_TEST_ENDPOINT").ok()?;
    let seed = std::env::var("WEIR_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let credentials = Credentials::builder();
    let credentials =
        credentials.access_key_id("test").secret_access_key("test").provider_name("test").build();
    let connector = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new("us-east-1"))
        .credentials_provider(credentials)
        .http_client(connector);
    Some((Client::from_conf(config.build()), seed.unwrap_or_else(|| std::process::id().into())))
}
