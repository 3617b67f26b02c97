//! What a value looks like as an attribute, both ways
//!
//! Absence is part of the mapping: `false`, an empty set and `None` are no attribute at all, as DynamoDB drops
//! an emptied set by itself and conditions ask for existence.

use crate::{Key, StoreError, schema};
use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Serialize, de::DeserializeOwned};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    str::FromStr,
};
use weir_domain::{operation::OperationStatus, plan::NodeStatus, time::Millis};

/// One item as the SDK has it
pub(super) type Item = HashMap<String, AttributeValue>;

/// A value that cannot be written as an attribute
pub(super) type EncodeError = serde_dynamo::Error;

/// An attribute that is missing, or not what it has to be
#[derive(Debug, thiserror::Error)]
#[error("the attribute `{0}` is missing or malformed")]
pub(super) struct Malformed(pub &'static str);

/// A value that is one attribute, or none
pub(super) trait Attribute: Sized {
    /// The attribute, if the value is one at all
    fn encode(&self) -> Result<Option<AttributeValue>, EncodeError>;
    /// The value, if the attribute (or its absence) is one
    fn decode(value: Option<AttributeValue>) -> Option<Self>;
}

/// A value that is kept whole, as a document
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Document<T>(pub T);

impl<T: Serialize + DeserializeOwned> Attribute for Document<T> {
    fn encode(&self) -> Result<Option<AttributeValue>, EncodeError> {
        serde_dynamo::to_attribute_value(&self.0).map(Some)
    }
    fn decode(value: Option<AttributeValue>) -> Option<Self> {
        serde_dynamo::from_attribute_value(value?).ok().map(Self)
    }
}

impl<T: Attribute> Attribute for Option<T> {
    fn encode(&self) -> Result<Option<AttributeValue>, EncodeError> {
        self.as_ref().map_or(Ok(None), T::encode)
    }
    fn decode(value: Option<AttributeValue>) -> Option<Self> {
        match value {
            None => Some(None),
            Some(value) => T::decode(Some(value)).map(Some),
        }
    }
}

impl Attribute for String {
    fn encode(&self) -> Result<Option<AttributeValue>, EncodeError> {
        Ok(Some(AttributeValue::S(self.clone())))
    }
    fn decode(value: Option<AttributeValue>) -> Option<Self> {
        match value {
            Some(AttributeValue::S(text)) => Some(text),
            _ => None,
        }
    }
}

impl Attribute for bool {
    fn encode(&self) -> Result<Option<AttributeValue>, EncodeError> {
        Ok(self.then_some(AttributeValue::Bool(true)))
    }
    fn decode(value: Option<AttributeValue>) -> Option<Self> {
        match value {
            None => Some(false),
            Some(AttributeValue::Bool(flag)) => Some(flag),
            Some(_) => None,
        }
    }
}

/// Numbers are written as decimal text
macro_rules! numbers {
    ($($number:ty),+) => {$(
        impl Attribute for $number {
            fn encode(&self) -> Result<Option<AttributeValue>, EncodeError> {
                Ok(Some(AttributeValue::N(self.to_string())))
            }
            fn decode(value: Option<AttributeValue>) -> Option<Self> {
                match value {
                    Some(AttributeValue::N(text)) => text.parse().ok(),
                    _ => None,
                }
            }
        }
    )+};
}
numbers!(u32, u64, i64);

impl Attribute for Millis {
    fn encode(&self) -> Result<Option<AttributeValue>, EncodeError> {
        self.0.encode()
    }
    fn decode(value: Option<AttributeValue>) -> Option<Self> {
        i64::decode(value).map(Self)
    }
}

/// Statuses are written as callers know them
macro_rules! statuses {
    ($($status:ty),+) => {$(
        impl Attribute for $status {
            fn encode(&self) -> Result<Option<AttributeValue>, EncodeError> {
                Ok(Some(AttributeValue::S(self.as_str().to_owned())))
            }
            fn decode(value: Option<AttributeValue>) -> Option<Self> {
                Self::from_str(&String::decode(value)?).ok()
            }
        }
    )+};
}
statuses!(NodeStatus, OperationStatus);

impl Attribute for BTreeSet<u32> {
    fn encode(&self) -> Result<Option<AttributeValue>, EncodeError> {
        Ok((!self.is_empty()).then(|| AttributeValue::Ns(self.iter().map(u32::to_string).collect())))
    }
    fn decode(value: Option<AttributeValue>) -> Option<Self> {
        match value {
            None => Some(Self::new()),
            Some(AttributeValue::Ns(numbers)) => numbers.iter().map(|number| number.parse().ok()).collect(),
            Some(_) => None,
        }
    }
}

impl Attribute for BTreeSet<String> {
    fn encode(&self) -> Result<Option<AttributeValue>, EncodeError> {
        Ok((!self.is_empty()).then(|| AttributeValue::Ss(self.iter().cloned().collect())))
    }
    fn decode(value: Option<AttributeValue>) -> Option<Self> {
        match value {
            None => Some(Self::new()),
            Some(AttributeValue::Ss(texts)) => Some(texts.into_iter().collect()),
            Some(_) => None,
        }
    }
}

/// Times by attempt: a map that is there even while it is empty, so that an update can set one entry of it
impl Attribute for BTreeMap<u32, Millis> {
    fn encode(&self) -> Result<Option<AttributeValue>, EncodeError> {
        let entries = self.iter().map(|(key, time)| (key.to_string(), AttributeValue::N(time.0.to_string())));
        Ok(Some(AttributeValue::M(entries.collect())))
    }
    fn decode(value: Option<AttributeValue>) -> Option<Self> {
        let Some(AttributeValue::M(entries)) = value else { return None };
        let entries = entries.into_iter();
        entries.map(|(key, time)| Some((key.parse().ok()?, Millis::decode(Some(time))?))).collect()
    }
}

/// Makes one item
pub(super) struct ItemBuilder(Result<Item, EncodeError>);

impl ItemBuilder {
    /// An item at `key`
    pub(super) fn new(key: &Key) -> Self {
        Self(Ok(key_item(key)))
    }

    /// With this attribute, if the value is one
    pub(super) fn with(mut self, name: &str, value: &impl Attribute) -> Self {
        if let Ok(item) = &mut self.0 {
            match value.encode() {
                Ok(Some(value)) => drop(item.insert(name.to_owned(), value)),
                Ok(None) => {}
                Err(error) => self.0 = Err(error),
            }
        }
        self
    }

    /// The item
    pub(super) fn build(self) -> Result<Item, EncodeError> {
        self.0
    }
}

/// The two attributes of `key`
pub(super) fn key_item(key: &Key) -> Item {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    HashMap::from([(schema::PK.to_owned(), text(key.pk())), (schema::SK.to_owned(), text(key.sk()))])
}

/// Takes an attribute off `item`
pub(super) fn take<T: Attribute>(item: &mut Item, name: &'static str) -> Result<T, Malformed> {
    T::decode(item.remove(name)).ok_or(Malformed(name))
}

/// Takes the key off `item`
pub(super) fn take_key(item: &mut Item) -> Result<Key, Malformed> {
    Ok(Key::from_parts(take(item, schema::PK)?, take(item, schema::SK)?))
}

/// What `item` is called in messages
pub(super) fn item_name(item: &Item) -> String {
    let part = |name| item.get(name).and_then(|value| value.as_s().ok()).map_or("?", String::as_str);
    format!("{} {}", part(schema::PK), part(schema::SK))
}

/// The error for an item that cannot be read
pub(super) fn corrupt(key: String, cause: Malformed) -> StoreError {
    StoreError::Corrupt { key, cause: Box::new(cause) }
}
