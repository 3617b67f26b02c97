//! Records of the table's stream, as Lambda delivers them
//!
//! A stream tells of each change at least once, in order per item. Whoever acts on an engine item takes it as a
//! hint to read the item: between the change and its record others may have moved it.

use crate::{Change, StoreError, dynamo};
use aws_sdk_dynamodb::types::AttributeValue;
use serde::Deserialize;
use std::collections::HashMap;

/// What Lambda hands to a function that reads the stream
#[derive(Debug, Deserialize)]
pub struct StreamEvent {
    /// The records of one shard, in order
    #[serde(rename = "Records")]
    pub records: Vec<StreamRecord>,
}

/// One record of the stream
#[derive(Debug, Deserialize)]
pub struct StreamRecord {
    dynamodb: Delivered,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Delivered {
    #[serde(default)]
    sequence_number: String,
    keys: Attributes,
    #[serde(default)]
    old_image: Option<Attributes>,
    #[serde(default)]
    new_image: Option<Attributes>,
}

type Attributes = HashMap<String, serde_dynamo::AttributeValue>;

impl StreamRecord {
    /// Where the record stands in its shard: what a function reports as failed, to be given it again
    pub fn sequence_number(&self) -> &str {
        &self.dynamodb.sequence_number
    }

    /// The change that the record tells of
    pub fn change(self) -> Result<Change, StoreError> {
        let Delivered { keys, old_image, new_image, .. } = self.dynamodb;
        let image = |attributes: Option<Attributes>| attributes.map(|it| dynamo::image(item(it))).transpose();
        Ok(Change { key: dynamo::key(&item(keys))?, old: image(old_image)?, new: image(new_image)? })
    }
}

fn item(attributes: Attributes) -> HashMap<String, AttributeValue> {
    attributes.into_iter().map(|(name, value)| (name, value.into())).collect()
}
