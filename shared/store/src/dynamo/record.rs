//! Entities as items: one document, and what the table itself has to know of it

use super::attribute::{
    Document, EncodeError, Item, ItemBuilder, Malformed, corrupt, item_name, take, take_key,
};
use crate::{Image, Key, Record, StoreError, entity::whole_seconds, key::Place, schema};
use weir_domain::time::Millis;

/// How often the record has been written
pub(super) const VERSION: &str = "version";
const DOC: &str = "doc";

/// The item that holds `record`, as its `version`
pub(super) fn to_item(record: &Record, version: u64) -> Result<Item, EncodeError> {
    let (list, id) = record.list.clone().unzip();
    ItemBuilder::new(&record.key)
        .with(VERSION, &version)
        .with(DOC, &Document(record.doc.clone()))
        .with(schema::LISTS.hash, &list)
        .with(schema::LISTS.range, &id)
        .with(schema::EXPIRES_AT, &record.expires_at.map(whole_seconds))
        .build()
}

/// The record that `item` holds
pub(super) fn from_item(mut item: Item) -> Result<Record, StoreError> {
    let name = item_name(&item);
    read(&mut item).map_err(|cause| corrupt(name, cause))
}

fn read(item: &mut Item) -> Result<Record, Malformed> {
    let key = take_key(item)?;
    let list: Option<String> = take(item, schema::LISTS.hash)?;
    let id: Option<String> = take(item, schema::LISTS.range)?;
    let Document(doc) = take(item, DOC)?;
    let expires_at: Option<i64> = take(item, schema::EXPIRES_AT)?;
    Ok(Record {
        key,
        version: take(item, VERSION)?,
        doc,
        list: list.zip(id),
        expires_at: expires_at.map(Millis::from_secs),
    })
}

/// Where `item` is
pub(crate) fn key(item: &Item) -> Result<Key, StoreError> {
    let text = |name| item.get(name).and_then(|value| value.as_s().ok()).cloned().ok_or(Malformed(name));
    let key = || Ok(Key::from_parts(text(schema::PK)?, text(schema::SK)?));
    key().map_err(|cause| corrupt(item_name(item), cause))
}

/// What `item` holds, whatever it is
pub(crate) fn image(item: Item) -> Result<Image, StoreError> {
    match key(&item)?.place() {
        Place::Record => from_item(item).map(Image::Record),
        Place::Node(..) => super::node::from_item(item).map(|(key, node)| Image::Node(key, Box::new(node))),
        Place::Operation(..) => {
            super::operation::from_item(item).map(|operation| Image::Operation(Box::new(operation)))
        }
    }
}

/// The item that holds `image`
pub(crate) fn written(image: &Image) -> Result<Item, EncodeError> {
    match image {
        Image::Record(record) => to_item(record, record.version),
        Image::Node(key, node) => super::node::to_item(key, node),
        Image::Operation(operation) => super::operation::to_item(operation),
    }
}
