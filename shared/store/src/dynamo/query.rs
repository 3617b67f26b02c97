//! Lists, merged and page by page
//!
//! A cursor is the sort value of the last item of a page: nothing is kept between pages, and an item that comes
//! or goes moves no other. An item that changes lists while it is read may be met in both, or in none: the
//! index follows the table, within moments. One that is met twice is given once.

use super::{DynamoTable, attribute::Item, error::store_error};
use crate::{Query, StoreError, schema};
use aws_sdk_dynamodb::{operation::query::builders::QueryFluentBuilder, types::AttributeValue};
use futures::future::try_join_all;
use std::collections::BTreeSet;

/// One page of items, and where the next one begins
pub(super) type ItemPage = (Vec<Item>, Option<String>);

/// At most `limit` items of `query` after the cursor `after`, newest first
pub(super) async fn page(
    table: &DynamoTable,
    query: &Query,
    after: Option<&str>,
    limit: usize,
) -> Result<ItemPage, StoreError> {
    // No sort value is empty, and DynamoDB takes none to compare with.
    let after = after.filter(|after| !after.is_empty());
    // One more than asked for tells whether there is a next page.
    let wanted = limit.saturating_add(1);
    match query {
        Query::Lists(lists) => {
            let lists = lists.iter().map(|list| collect(one_list(table, list, after), wanted));
            let found = try_join_all(lists).await?.into_iter().flatten();
            let mut seen = BTreeSet::new();
            let mut items: Vec<_> = found.filter(|item| seen.insert(place(item))).collect();
            items.sort_by(|a, b| text(b, schema::LISTS.range).cmp(text(a, schema::LISTS.range)));
            Ok(cut(items, limit, |item| text(item, schema::LISTS.range)))
        }
        Query::Partition { pk, prefix } => {
            let found = collect(one_partition(table, pk, prefix, after), wanted).await?.into_iter();
            let items = found.take_while(|item| text(item, schema::SK).starts_with(prefix)).collect();
            Ok(cut(items, limit, |item| text(item, schema::SK).strip_prefix(prefix).unwrap_or_default()))
        }
    }
}

/// Every item that `query` finds, up to `limit`
pub(super) async fn collect(query: QueryFluentBuilder, limit: usize) -> Result<Vec<Item>, StoreError> {
    let query = query.set_limit(i32::try_from(limit).ok());
    let mut items = Vec::new();
    let mut start = None;
    loop {
        let page = query.clone().set_exclusive_start_key(start).send().await;
        let page = page.map_err(|error| store_error(&error))?;
        items.extend(page.items.unwrap_or_default());
        start = page.last_evaluated_key.filter(|key| !key.is_empty());
        if start.is_none() || items.len() >= limit {
            items.truncate(limit);
            return Ok(items);
        }
    }
}

fn one_list(table: &DynamoTable, list: &str, after: Option<&str>) -> QueryFluentBuilder {
    let query = table
        .query_index(schema::LISTS)
        .scan_index_forward(false)
        .expression_attribute_names("#list", schema::LISTS.hash)
        .expression_attribute_values(":list", AttributeValue::S(list.to_owned()));
    match after {
        None => query.key_condition_expression("#list = :list"),
        Some(after) => query
            .key_condition_expression("#list = :list AND #id < :after")
            .expression_attribute_names("#id", schema::LISTS.range)
            .expression_attribute_values(":after", AttributeValue::S(after.to_owned())),
    }
}

/// The cursor is what follows the prefix. After one, the condition has no lower end, since DynamoDB takes only
/// one range per key: what lies below the prefix comes last and is cut off by the caller
fn one_partition(table: &DynamoTable, pk: &str, prefix: &str, after: Option<&str>) -> QueryFluentBuilder {
    let query = table
        .query_base()
        .scan_index_forward(false)
        .expression_attribute_names("#pk", schema::PK)
        .expression_attribute_values(":pk", AttributeValue::S(pk.to_owned()));
    let (condition, bound) = match after {
        None if prefix.is_empty() => return query.key_condition_expression("#pk = :pk"),
        None => ("#pk = :pk AND begins_with(#sk, :bound)", prefix.to_owned()),
        Some(after) => ("#pk = :pk AND #sk < :bound", format!("{prefix}{after}")),
    };
    query
        .key_condition_expression(condition)
        .expression_attribute_names("#sk", schema::SK)
        .expression_attribute_values(":bound", AttributeValue::S(bound))
}

fn cut(mut items: Vec<Item>, limit: usize, cursor: impl Fn(&Item) -> &str) -> ItemPage {
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|last| cursor(last).to_owned());
    (items, next)
}

fn place(item: &Item) -> (String, String) {
    (text(item, schema::PK).to_owned(), text(item, schema::SK).to_owned())
}

fn text<'a>(item: &'a Item, name: &str) -> &'a str {
    item.get(name).and_then(|value| value.as_s().ok()).map_or("", String::as_str)
}
