//! The table in DynamoDB: the only caller of it
//!
//! Every update is one expression with its own condition, and what is decided is decided on the image that comes
//! back with the answer. A condition that does not hold is an answer, not an error. Reads of the table itself
//! are strongly consistent; reads of an index cannot be.

mod attribute;
mod create;
mod error;
mod expression;
mod node;
mod operation;
mod query;
mod record;
mod transact;

pub use create::create_table;
pub(crate) use record::written;
pub(crate) use record::{image, key};

use crate::{
    Applied, Due, Key, NodeKey, Page, Query, Record, StoreError, Table, TransactError, Write,
    key::{Place, wake_partition},
    schema::{self, Index},
};
use async_trait::async_trait;
use attribute::{EncodeError, Item, corrupt, item_name, key_item};
use aws_sdk_dynamodb::{
    Client,
    operation::{put_item::PutItemError, query::builders::QueryFluentBuilder, update_item::UpdateItemError},
    types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure},
};
use error::{Patience, is_conflict, store_error};
use expression::Built;
use weir_domain::{
    engine::{NodeRun, NodeUpdate, Operation, OperationUpdate},
    id::OperationId,
    operation::OperationStatus,
    scope::Scope,
    time::Millis,
};

/// The table in DynamoDB
#[derive(Debug, Clone)]
pub struct DynamoTable {
    client: Client,
    name: String,
}

impl DynamoTable {
    /// The table `name`, by `client`: its retries and timeouts are the caller's choice
    pub const fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }

    async fn read(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        let get =
            self.client.get_item().table_name(&self.name).set_key(Some(key_item(key))).consistent_read(true);
        Ok(get.send().await.map_err(|error| store_error(&error))?.item)
    }

    /// One conditional update, with the item after it or the one that refused it
    async fn update(&self, key: &Key, built: Built) -> Result<Applied<Item>, StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(key_item(key)))
            .update_expression(built.update)
            .condition_expression(built.condition)
            .set_expression_attribute_names(Some(built.names))
            .set_expression_attribute_values(built.values)
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let mut patience = Patience::new();
        loop {
            let error = match update.clone().send().await {
                Ok(done) => return Ok(Applied::Done(done.attributes.unwrap_or_default())),
                Err(error) => error,
            };
            if is_conflict(&error) && patience.pause().await {
                continue;
            }
            let failure = store_error(&error);
            if let UpdateItemError::ConditionalCheckFailedException(refused) = error.into_service_error() {
                return Ok(Applied::Refused(refused.item));
            }
            return Err(failure);
        }
    }

    fn query_base(&self) -> QueryFluentBuilder {
        self.client.query().table_name(&self.name).consistent_read(true)
    }

    fn query_index(&self, index: Index) -> QueryFluentBuilder {
        self.client.query().table_name(&self.name).index_name(index.name)
    }

    /// The items of one engine index that stand under `hash` up to `now`, first come first
    async fn until(
        &self,
        index: Index,
        hash: String,
        now: Millis,
        limit: usize,
    ) -> Result<Vec<Item>, StoreError> {
        let query = self
            .query_index(index)
            .key_condition_expression("#hash = :hash AND #range <= :now")
            .expression_attribute_names("#hash", index.hash)
            .expression_attribute_names("#range", index.range)
            .expression_attribute_values(":hash", AttributeValue::S(hash))
            .expression_attribute_values(":now", AttributeValue::N(now.0.to_string()));
        query::collect(query, limit).await
    }
}

/// A value that cannot be written
fn unwritable(error: EncodeError) -> StoreError {
    StoreError::Rejected(Box::new(error))
}

/// The same answer with what its item holds
fn decoded<T>(
    answer: Applied<Item>,
    decode: impl Fn(Item) -> Result<T, StoreError>,
) -> Result<Applied<T>, StoreError> {
    Ok(match answer {
        Applied::Done(item) => Applied::Done(decode(item)?),
        Applied::Refused(item) => Applied::Refused(item.map(decode).transpose()?),
    })
}

fn due_item(item: Item) -> Result<Due, StoreError> {
    match key(&item)?.place() {
        Place::Operation(scope, operation) => Ok(Due::Operation(scope, operation)),
        Place::Node(..) | Place::Record => queued_item(item).map(Due::Node),
    }
}

fn queued_item(mut item: Item) -> Result<NodeKey, StoreError> {
    let name = item_name(&item);
    node::key(&mut item).map_err(|cause| corrupt(name, cause))
}

#[async_trait]
impl Table for DynamoTable {
    async fn get(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.read(key).await?.map(record::from_item).transpose()
    }

    async fn query(&self, query: &Query, after: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        let (items, next) = query::page(self, query, after, limit).await?;
        Ok(Page { records: items.into_iter().map(record::from_item).collect::<Result<_, _>>()?, next })
    }

    async fn transact(&self, writes: &[Write]) -> Result<(), TransactError> {
        transact::transact(self, writes).await
    }

    async fn node_put(&self, key: &NodeKey, node: &NodeRun) -> Result<bool, StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(node::to_item(key, node).map_err(unwritable)?))
            .condition_expression("attribute_not_exists(#pk)")
            .expression_attribute_names("#pk", schema::PK);
        let mut patience = Patience::new();
        loop {
            let Err(error) = put.clone().send().await else { return Ok(true) };
            if is_conflict(&error) && patience.pause().await {
                continue;
            }
            let failure = store_error(&error);
            let refused =
                matches!(error.into_service_error(), PutItemError::ConditionalCheckFailedException(_));
            return if refused { Ok(false) } else { Err(failure) };
        }
    }

    async fn node_get(&self, key: &NodeKey) -> Result<Option<NodeRun>, StoreError> {
        let item = self.read(&Key::node(key)).await?;
        Ok(item.map(node::from_item).transpose()?.map(|(_, node)| node))
    }

    async fn node_update(&self, key: &NodeKey, update: &NodeUpdate) -> Result<Applied<NodeRun>, StoreError> {
        let built = node::expression(update).map_err(unwritable)?;
        let answer = self.update(&Key::node(key), built).await?;
        decoded(answer, |item| node::from_item(item).map(|(_, node)| node))
    }

    async fn nodes(
        &self,
        scope: &Scope,
        operation: OperationId,
        segment: u32,
    ) -> Result<Vec<NodeRun>, StoreError> {
        let (first, last) = Key::node_span(scope, operation, segment);
        let query = self
            .query_base()
            .key_condition_expression("#pk = :pk AND #sk BETWEEN :first AND :last")
            .expression_attribute_names("#pk", schema::PK)
            .expression_attribute_names("#sk", schema::SK)
            .expression_attribute_values(":pk", AttributeValue::S(first.pk().to_owned()))
            .expression_attribute_values(":first", AttributeValue::S(first.sk().to_owned()))
            .expression_attribute_values(":last", AttributeValue::S(last.sk().to_owned()));
        let items = query::collect(query, usize::MAX).await?;
        items.into_iter().map(|item| node::from_item(item).map(|(_, node)| node)).collect()
    }

    async fn operation_get(
        &self,
        scope: &Scope,
        operation: OperationId,
    ) -> Result<Option<Operation>, StoreError> {
        self.read(&Key::operation(scope, operation)).await?.map(operation::from_item).transpose()
    }

    async fn operation_update(
        &self,
        scope: &Scope,
        operation: OperationId,
        update: &OperationUpdate,
    ) -> Result<Applied<Operation>, StoreError> {
        let built = operation::expression(scope, update).map_err(unwritable)?;
        let answer = self.update(&Key::operation(scope, operation), built).await?;
        decoded(answer, operation::from_item)
    }

    async fn operations(
        &self,
        scope: &Scope,
        statuses: &[OperationStatus],
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Operation>, Option<String>), StoreError> {
        let lists = Query::operations(scope, statuses);
        let (items, next) = query::page(self, &lists, after, limit).await?;
        Ok((items.into_iter().map(operation::from_item).collect::<Result<_, _>>()?, next))
    }

    async fn due(&self, shard: u8, now: Millis, limit: usize) -> Result<Vec<Due>, StoreError> {
        let items = self.until(schema::WAKES, wake_partition(shard), now, limit).await?;
        items.into_iter().map(due_item).collect()
    }

    async fn queued(
        &self,
        scope: &Scope,
        target: &str,
        now: Millis,
        limit: usize,
    ) -> Result<Vec<NodeKey>, StoreError> {
        let items = self.until(schema::QUEUES, Key::queue(scope, target), now, limit).await?;
        items.into_iter().map(queued_item).collect()
    }
}
