//! A list of writes as one `TransactWriteItems`
//!
//! A lost answer (500 after commit) is met by the request token: the SDK makes one per call and repeats it with
//! each of its own tries, and DynamoDB answers a token that it has carried out with success, for ten minutes.
//! Comparing what is in the table with what was to be written would not do: two racers that write the same
//! lock or use up the same one-time token alike would both have won.

use super::{
    DynamoTable,
    attribute::{Attribute as _, Item, key_item},
    error::{Cause, Patience, store_error},
    expression::Built,
    node, operation,
    record::{self, VERSION},
};
use crate::{Key, StoreError, TransactError, Write, limits, schema};
use aws_sdk_dynamodb::{
    config::http::HttpResponse,
    error::SdkError,
    operation::transact_write_items::TransactWriteItemsError,
    types::{AttributeValue, ConditionCheck, Delete, Put, TransactWriteItem, Update},
};
use std::error::Error;

const NEW: &str = "attribute_not_exists(#pk)";
const UNCHANGED: &str = "#version = :expected";

/// What a cancelled transaction was cancelled by
enum Cancelled {
    /// Conditions of these writes
    Conditions(Vec<usize>),
    /// Another transaction, or too much at once: nothing to do with what is in the table
    Traffic,
    /// Something in the request itself
    Request,
}

/// Why a write cannot be put into a request
type Unsendable = Box<dyn Error + Send + Sync>;

/// Carries out all of `writes` or none
pub(super) async fn transact(table: &DynamoTable, writes: &[Write]) -> Result<(), TransactError> {
    if writes.is_empty() {
        return Ok(());
    }
    let items = items(&table.name, writes).map_err(StoreError::Rejected)?;
    let mut patience = Patience::new();
    loop {
        // Each try is a call of its own, with its own token: a cancelled transaction is known not to have committed.
        let sent = table.client.transact_write_items().set_transact_items(Some(items.clone())).send().await;
        let Err(error) = sent else { return Ok(()) };
        match cancelled(&error) {
            Some(Cancelled::Conditions(writes)) => return Err(TransactError::Conflict(writes)),
            Some(Cancelled::Traffic) if patience.pause().await => {}
            Some(Cancelled::Traffic) => {
                return Err(StoreError::Unavailable(Box::new(Cause::Contended)).into());
            }
            Some(Cancelled::Request) | None => return Err(store_error(&error).into()),
        }
    }
}

fn cancelled(error: &SdkError<TransactWriteItemsError, HttpResponse>) -> Option<Cancelled> {
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error.as_service_error()? else {
        return None;
    };
    let codes: Vec<_> =
        cancelled.cancellation_reasons().iter().map(|reason| reason.code().unwrap_or("None")).collect();
    let is_condition = |(index, code): (usize, &&str)| (*code == "ConditionalCheckFailed").then_some(index);
    let conditions: Vec<_> = codes.iter().enumerate().filter_map(is_condition).collect();
    let is_traffic = |code: &&str| {
        matches!(*code, "TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded")
    };
    Some(if !conditions.is_empty() {
        Cancelled::Conditions(conditions)
    } else if codes.iter().any(is_traffic) {
        Cancelled::Traffic
    } else {
        Cancelled::Request
    })
}

fn items(table: &str, writes: &[Write]) -> Result<Vec<TransactWriteItem>, Unsendable> {
    limits::check(writes)?;
    writes.iter().map(|write| item(table, write)).collect()
}

fn item(table: &str, write: &Write) -> Result<TransactWriteItem, Unsendable> {
    let item = TransactWriteItem::builder();
    let item = match write {
        Write::Create(record) => item.put(created(table, record::to_item(record, record.version)?)?),
        Write::Replace { expected, record } => {
            let put = Put::builder().table_name(table).set_item(Some(record::to_item(record, expected + 1)?));
            let put = put.condition_expression(UNCHANGED).expression_attribute_names("#version", VERSION);
            item.put(put.set_expression_attribute_values(version(*expected)?).build()?)
        }
        Write::Upsert(record) => {
            let put =
                Put::builder().table_name(table).set_item(Some(record::to_item(record, record.version)?));
            item.put(put.build()?)
        }
        Write::Delete { key, expected } => {
            let delete = Delete::builder().table_name(table).set_key(Some(key_item(key)));
            let delete =
                delete.condition_expression(UNCHANGED).expression_attribute_names("#version", VERSION);
            item.delete(delete.set_expression_attribute_values(version(*expected)?).build()?)
        }
        Write::Check { key, expected } => {
            let check = ConditionCheck::builder().table_name(table).set_key(Some(key_item(key)));
            let check = check.condition_expression(UNCHANGED).expression_attribute_names("#version", VERSION);
            item.condition_check(check.set_expression_attribute_values(version(*expected)?).build()?)
        }
        Write::CreateOperation(operation) => item.put(created(table, operation::to_item(operation)?)?),
        Write::CreateNode { key, node } => item.put(created(table, node::to_item(key, node)?)?),
        Write::Operation { scope, operation, update } => item.update(updated(
            table,
            &Key::operation(scope, *operation),
            operation::expression(scope, update)?,
        )?),
        Write::Node { key, update } => {
            item.update(updated(table, &Key::node(key), node::expression(update)?)?)
        }
    };
    Ok(item.build())
}

fn created(table: &str, item: Item) -> Result<Put, Unsendable> {
    let put = Put::builder().table_name(table).set_item(Some(item));
    Ok(put.condition_expression(NEW).expression_attribute_names("#pk", schema::PK).build()?)
}

fn updated(table: &str, key: &Key, expression: Built) -> Result<Update, Unsendable> {
    let update = Update::builder()
        .table_name(table)
        .set_key(Some(key_item(key)))
        .update_expression(expression.update)
        .condition_expression(expression.condition)
        .set_expression_attribute_names(Some(expression.names))
        .set_expression_attribute_values(expression.values);
    Ok(update.build()?)
}

fn version(expected: u64) -> Result<Option<Item>, Unsendable> {
    Ok(expected.encode()?.map(|value: AttributeValue| Item::from([(":expected".to_owned(), value)])))
}
