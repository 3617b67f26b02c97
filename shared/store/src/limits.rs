//! What the table cannot hold, found before it is asked
//!
//! An emulator takes documents that AWS refuses, so both tables here refuse them alike.

use crate::{Record, WRITES_MAX, Write};
use serde_json::{Number, Value};
use std::collections::BTreeSet;

/// The largest item, attribute names included
pub const ITEM_BYTES_MAX: usize = 400 * 1024;

/// How deep lists and maps may lie within each other
const DEPTH_MAX: usize = 32;

/// What every item has beside its document: the names and values of the other attributes, at most
const FRAME_BYTES: usize = 128;

/// Something that the table cannot hold
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// The document makes the item too large
    #[error("an item of about {0} bytes is larger than {ITEM_BYTES_MAX}")]
    TooLarge(usize),
    /// Lists and maps lie too deep within each other
    #[error("a document deeper than {DEPTH_MAX} levels")]
    TooDeep,
    /// A number that is too large or too small
    #[error("a number outside of what the table can hold")]
    Number,
    /// Too many writes at once
    #[error("a transaction of {0} writes is larger than {WRITES_MAX}")]
    TooManyWrites(usize),
    /// One item twice in one transaction
    #[error("two writes of one transaction meet on one item")]
    SameItem,
}

/// Refuses a transaction that the table cannot take
pub(crate) fn check(writes: &[Write]) -> Result<(), LimitError> {
    if writes.len() > WRITES_MAX {
        return Err(LimitError::TooManyWrites(writes.len()));
    }
    let mut keys = BTreeSet::new();
    if !writes.iter().all(|write| keys.insert(write.key())) {
        return Err(LimitError::SameItem);
    }
    writes.iter().try_for_each(|write| match write {
        Write::Create(record) | Write::Replace { record, .. } | Write::Upsert(record) => check_record(record),
        Write::Delete { .. }
        | Write::Check { .. }
        | Write::CreateOperation(_)
        | Write::Operation { .. }
        | Write::CreateNode { .. }
        | Write::Node { .. } => Ok(()),
    })
}

fn check_record(record: &Record) -> Result<(), LimitError> {
    let listed = record.list.as_ref().map_or(0, |(list, id)| list.len() + id.len());
    let keys = record.key.pk().len() + record.key.sk().len();
    // The document is itself one level: a map within the item.
    let bytes = FRAME_BYTES + keys + listed + size(&record.doc, 1)?;
    if bytes > ITEM_BYTES_MAX { Err(LimitError::TooLarge(bytes)) } else { Ok(()) }
}

/// The bytes that `value` is billed and limited by, by DynamoDB's published rules
fn size(value: &Value, depth: usize) -> Result<usize, LimitError> {
    if depth > DEPTH_MAX {
        return Err(LimitError::TooDeep);
    }
    match value {
        Value::Null | Value::Bool(_) => Ok(1),
        Value::Number(number) => check_number(number),
        Value::String(text) => Ok(text.len()),
        Value::Array(values) => values.iter().try_fold(3, |sum, value| Ok(sum + 1 + size(value, depth + 1)?)),
        Value::Object(fields) => {
            fields.iter().try_fold(3, |sum, (name, value)| Ok(sum + 1 + name.len() + size(value, depth + 1)?))
        }
    }
}

/// One byte for two digits, at most 21; magnitudes beyond 1e-130 … 1e126 cannot be held
fn check_number(number: &Number) -> Result<usize, LimitError> {
    let magnitude = number.as_f64().unwrap_or(f64::INFINITY).abs();
    if magnitude != 0.0 && !(1e-130..1e126).contains(&magnitude) {
        return Err(LimitError::Number);
    }
    Ok((number.to_string().len() / 2 + 2).min(21))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Key;
    use serde_json::json;

    fn record(doc: Value) -> Record {
        let scope = "harbor".parse().unwrap();
        Record { key: Key::entity(&scope, "thing", 1), version: 1, doc, list: None, expires_at: None }
    }

    #[test]
    fn a_document_is_limited_in_bytes_depth_and_numbers() {
        let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
        for (doc, wanted) in [
            (json!({"text": "a".repeat(ITEM_BYTES_MAX - 400)}), Ok(())),
            (nested(31), Ok(())),
            (nested(32), Err(LimitError::TooDeep)),
            (json!(1e125), Ok(())),
            (json!(1e200), Err(LimitError::Number)),
            (json!(1e-200), Err(LimitError::Number)),
            (json!([0, 0.0, u64::MAX, i64::MIN]), Ok(())),
        ] {
            assert_eq!(check_record(&record(doc)), wanted);
        }
        let large = check_record(&record(json!({"text": "é".repeat(ITEM_BYTES_MAX / 2)})));
        assert!(matches!(large, Err(LimitError::TooLarge(_))), "bytes count, not characters");
    }
}
