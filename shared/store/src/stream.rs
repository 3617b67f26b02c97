//! Records of the table's stream, as Lambda delivers them
//!
//! A stream tells of each change at least once, in order per item. Whoever acts on an engine item takes it as a
//! hint to read the item: between the change and its record others may have moved it.

use crate::{Change, Image, StoreError, dynamo, schema};
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
    new_image: Option<Attributes>,
}

type Attributes = HashMap<String, serde_dynamo::AttributeValue>;

impl StreamRecord {
    /// Where the record stands in its shard: what a function reports as failed, to be given it again
    pub fn sequence_number(&self) -> &str {
        &self.dynamodb.sequence_number
    }

    /// The change that the record tells of; what was there before is not told (ADR 52)
    pub fn change(self) -> Result<Change, StoreError> {
        let Delivered { keys, new_image, .. } = self.dynamodb;
        // An image that is not there is left out on AWS, and empty on LocalStack.
        let image = |attributes: Option<Attributes>| {
            attributes.filter(|it| !it.is_empty()).map(|it| dynamo::image(item(it))).transpose()
        };
        Ok(Change { key: dynamo::key(&item(keys))?, old: None, new: image(new_image)? })
    }
}

/// What Lambda hands over where `changes` are news, each numbered by its place: for whoever plays the stream in tests
pub fn event(changes: &[Change]) -> Result<serde_json::Value, serde_dynamo::Error> {
    let records = changes.iter().enumerate().map(|(place, change)| {
        let image = |image: &Option<Image>| image.as_ref().map(dynamo::written).transpose();
        let attributes = |item: Option<HashMap<String, AttributeValue>>| -> Option<Attributes> {
            Some(item?.into_iter().map(|(name, value)| (name, value.into())).collect())
        };
        Ok(serde_json::json!({ "dynamodb": {
            "SequenceNumber": place.to_string(),
            "Keys": { schema::PK: { "S": change.key.pk() }, schema::SK: { "S": change.key.sk() } },
            "NewImage": attributes(image(&change.new)?),
        } }))
    });
    Ok(serde_json::json!({ "Records": records.collect::<Result<Vec<_>, serde_dynamo::Error>>()? }))
}

fn item(attributes: Attributes) -> HashMap<String, AttributeValue> {
    attributes.into_iter().map(|(name, value)| (name, value.into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Key, Record, contract::Dice};
    use serde_json::{Value, json};
    use weir_domain::{operation::OperationStatus, plan::NodeStatus, time::Millis};

    fn delivered(event: Value) -> Vec<Change> {
        let event: StreamEvent = serde_json::from_value(event).unwrap();
        event.records.into_iter().map(|record| record.change().unwrap()).collect()
    }

    #[test]
    fn a_record_is_read_as_lambda_delivers_it() {
        let event = json!({"Records": [{
            "eventID": "c4ca4238a0b923820dcc509a6f75849b",
            "eventName": "MODIFY",
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": "eu-central-1",
            "dynamodb": {
                "ApproximateCreationDateTime": 1_700_000_000,
                "Keys": {"pk": {"S": "harbor#release#1"}, "sk": {"S": "meta"}},
                "NewImage": {
                    "pk": {"S": "harbor#release#1"}, "sk": {"S": "meta"}, "version": {"N": "3"},
                    "doc": {"M": {"name": {"S": "web"}, "parts": {"L": [{"N": "1.5"}, {"NULL": true}, {"BOOL": false}]}}},
                    "list": {"S": "harbor#release#draft"}, "list_id": {"S": "1"}, "expires_at": {"N": "1700000000"},
                },
                "SequenceNumber": "111",
                "SizeBytes": 26,
                "StreamViewType": "NEW_IMAGE",
            },
            "eventSourceARN": "arn:aws:dynamodb:eu-central-1:123456789012:table/weir/stream/2024-01-01T00:00:00.000",
        }]});
        let records: StreamEvent = serde_json::from_value(event.clone()).unwrap();
        assert_eq!(records.records[0].sequence_number(), "111");
        let key = Key::entity(&"harbor".parse().unwrap(), "release", 1);
        let new = Image::Record(Record {
            key: key.clone(),
            version: 3,
            doc: json!({"name": "web", "parts": [1.5, null, false]}),
            list: Some(("harbor#release#draft".to_owned(), "1".to_owned())),
            expires_at: Some(Millis(1_700_000_000_000)),
        });
        assert_eq!(delivered(event), [Change { key, old: None, new: Some(new) }]);
    }

    #[test]
    fn an_empty_image_is_none() {
        let key = json!({"pk": {"S": "harbor#release#1"}, "sk": {"S": "meta"}});
        let event = json!({"Records": [{"dynamodb": {"Keys": key, "NewImage": {}}}]});
        let key = Key::entity(&"harbor".parse().unwrap(), "release", 1);
        assert_eq!(delivered(event), [Change { key, old: None, new: None }]);
    }

    #[test]
    fn engine_items_are_read_as_what_they_are() {
        let mut dice = Dice::new(7);
        let scope = "harbor/acme".parse().unwrap();
        let operation = dice.operation_in(&scope, OperationStatus::Running);
        let node = dice.node(NodeStatus::Waiting);
        let place = crate::NodeKey { scope, operation: operation.info.operation_id, segment: 0, ordinal: 1 };
        for image in [Image::Operation(Box::new(operation)), Image::Node(place, Box::new(node))] {
            let change = Change { key: image.key(), old: None, new: Some(image) };
            assert_eq!(delivered(event(std::slice::from_ref(&change)).unwrap()), [change]);
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_by_its_key_alone() {
        let event = json!({"Records": [{"dynamodb": {
            "Keys": {"pk": {"S": "harbor#release#1"}, "sk": {"S": "meta"}},
            "NewImage": {"pk": {"S": "harbor#release#1"}, "sk": {"S": "meta"}, "doc": {"S": "private"}},
        }}]});
        let event: StreamEvent = serde_json::from_value(event).unwrap();
        let error = event.records.into_iter().next().unwrap().change().unwrap_err();
        assert_eq!(error.to_string(), "the item `harbor#release#1 meta` cannot be read");
        assert!(!format!("{error:?}").contains("private"));
    }
}
