//! Makes an empty table, for tests and for trying things out: a stage's table is made by the template

use super::error::store_error;
use crate::{
    StoreError,
    schema::{self, INDEXES, Index},
};
use aws_sdk_dynamodb::{
    Client,
    error::BuildError,
    types::{
        AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
        ProjectionType, ScalarAttributeType, StreamSpecification, StreamViewType, TimeToLiveSpecification,
    },
};
use std::time::Duration;

/// How long to wait between looks at a table that is being made
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Makes the table `name`, with its indexes, stream and time to live, and waits until it can be used
pub async fn create_table(client: &Client, name: &str) -> Result<(), StoreError> {
    let unbuilt = |error: BuildError| StoreError::Rejected(Box::new(error));
    let mut create = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .set_key_schema(Some(keys(schema::PK, schema::SK).map_err(unbuilt)?))
        .attribute_definitions(attribute(schema::PK, ScalarAttributeType::S).map_err(unbuilt)?)
        .attribute_definitions(attribute(schema::SK, ScalarAttributeType::S).map_err(unbuilt)?);
    for index in INDEXES {
        let range = if index.by_number { ScalarAttributeType::N } else { ScalarAttributeType::S };
        create = create
            .attribute_definitions(attribute(index.hash, ScalarAttributeType::S).map_err(unbuilt)?)
            .attribute_definitions(attribute(index.range, range).map_err(unbuilt)?)
            .global_secondary_indexes(secondary(index).map_err(unbuilt)?);
    }
    let stream = StreamSpecification::builder()
        .stream_enabled(true)
        .stream_view_type(StreamViewType::NewImage)
        .build()
        .map_err(unbuilt)?;
    create.stream_specification(stream).send().await.map_err(|error| store_error(&error))?;
    wait(client, name).await?;
    let forget = TimeToLiveSpecification::builder().enabled(true).attribute_name(schema::EXPIRES_AT).build();
    let forget = forget.map_err(unbuilt)?;
    let forget = client.update_time_to_live().table_name(name).time_to_live_specification(forget);
    forget.send().await.map(drop).map_err(|error| store_error(&error))
}

async fn wait(client: &Client, name: &str) -> Result<(), StoreError> {
    use aws_sdk_dynamodb::types::TableStatus;
    loop {
        let described = client.describe_table().table_name(name).send().await;
        let table = described.map_err(|error| store_error(&error))?.table;
        if table.and_then(|table| table.table_status) == Some(TableStatus::Active) {
            return Ok(());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn secondary(index: Index) -> Result<GlobalSecondaryIndex, BuildError> {
    let projection = match index.projected {
        None => Projection::builder().projection_type(ProjectionType::All),
        Some(names) => Projection::builder()
            .projection_type(ProjectionType::Include)
            .set_non_key_attributes(Some(names.iter().map(|name| (*name).to_owned()).collect())),
    };
    GlobalSecondaryIndex::builder()
        .index_name(index.name)
        .set_key_schema(Some(keys(index.hash, index.range)?))
        .projection(projection.build())
        .build()
}

fn keys(hash: &str, range: &str) -> Result<Vec<KeySchemaElement>, BuildError> {
    let key = |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
    Ok(vec![key(hash, KeyType::Hash)?, key(range, KeyType::Range)?])
}

fn attribute(name: &str, kind: ScalarAttributeType) -> Result<AttributeDefinition, BuildError> {
    AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build()
}
