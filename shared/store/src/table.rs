//! What the rest of the system needs of the table

use crate::{Entity, Key, NodeKey, Record, Write};
use async_trait::async_trait;
use strum::VariantArray as _;
use weir_domain::{
    engine::{NodeRun, NodeUpdate, Operation, OperationUpdate},
    id::OperationId,
    operation::OperationStatus,
    scope::Scope,
    time::Millis,
};

/// The table could not be asked, or what it holds cannot be read
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// May succeed if tried again: throttled, timed out, not reached. The write may have been carried out
    #[error("the table did not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// An item is not as this version writes it
    #[error("the item `{key}` cannot be read")]
    Corrupt {
        /// Which
        key: String,
        /// Why
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The table refused the request itself
    #[error("the table refused the request")]
    Rejected(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Why a transaction was not carried out
#[derive(Debug, thiserror::Error)]
pub enum TransactError {
    /// The conditions of these writes (by their place in the list) did not hold: somebody was first
    #[error("the condition of write {0:?} did not hold")]
    Conflict(Vec<usize>),
    /// The table could not be asked
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a conditional update found
#[derive(Debug, Clone, PartialEq)]
pub enum Applied<T> {
    /// It was carried out; the item as it is now
    Done(T),
    /// Its condition did not hold; the item as it is, or none where there is none
    Refused(Option<T>),
}

/// One item that has to be looked at
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// A node run
    Node(NodeKey),
    /// An operation
    Operation(Scope, OperationId),
}

/// Which records to list, newest first
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// Those of the lists (GSI1, [`Key::list`]), merged by id
    Lists(Vec<String>),
    /// Those of one partition whose sort key begins with the prefix
    Partition {
        /// The partition
        pk: String,
        /// What the sort keys begin with
        prefix: String,
    },
}

impl Query {
    /// The operations of these statuses; of all if none is given
    pub fn operations(scope: &Scope, statuses: &[OperationStatus]) -> Self {
        let statuses = if statuses.is_empty() { OperationStatus::VARIANTS } else { statuses };
        Self::Lists(statuses.iter().map(|status| Key::operation_list(scope, *status)).collect())
    }
}

/// One page of a list
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// At most as many as were asked for
    pub records: Vec<Record>,
    /// Where the next page begins, if there is one: opaque to everybody but the table
    pub next: Option<String>,
}

/// The table. Every read is strongly consistent where the table can do that: everywhere but in its indexes
#[async_trait]
pub trait Table: Send + Sync {
    /// One record
    async fn get(&self, key: &Key) -> Result<Option<Record>, StoreError>;

    /// At most `limit` records, newest (greatest sort key) first, after the cursor `after`
    async fn query(&self, query: &Query, after: Option<&str>, limit: usize) -> Result<Page, StoreError>;

    /// All of `writes` (at most [`crate::WRITES_MAX`]) or none
    ///
    /// A transaction that meets another one on an item is tried again here, a bounded number of times.
    async fn transact(&self, writes: &[Write]) -> Result<(), TransactError>;

    /// Puts a node run; `false` if there is one already, which is left as it is
    async fn node_put(&self, key: &NodeKey, node: &NodeRun) -> Result<bool, StoreError>;

    /// One node run
    async fn node_get(&self, key: &NodeKey) -> Result<Option<NodeRun>, StoreError>;

    /// One conditional update of a node run, with the image after it, or the image that refused it
    async fn node_update(&self, key: &NodeKey, update: &NodeUpdate) -> Result<Applied<NodeRun>, StoreError>;

    /// Every node run of one segment, by ordinal
    async fn nodes(
        &self,
        scope: &Scope,
        operation: OperationId,
        segment: u32,
    ) -> Result<Vec<NodeRun>, StoreError>;

    /// One operation
    async fn operation_get(
        &self,
        scope: &Scope,
        operation: OperationId,
    ) -> Result<Option<Operation>, StoreError>;

    /// One conditional update of an operation, with the image after it, or the image that refused it
    async fn operation_update(
        &self,
        scope: &Scope,
        operation: OperationId,
        update: &OperationUpdate,
    ) -> Result<Applied<Operation>, StoreError>;

    /// At most `limit` operations of these statuses, newest first, after the cursor `after`; all statuses if none is given
    async fn operations(
        &self,
        scope: &Scope,
        statuses: &[OperationStatus],
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Operation>, Option<String>), StoreError>;

    /// What has to be looked at in one shard (`0..WAKE_SHARDS`) of the wake index, the longest due first
    async fn due(&self, shard: u8, now: Millis, limit: usize) -> Result<Vec<Due>, StoreError>;

    /// The nodes that wait for an agent of `target` and may start at `now`
    async fn queued(
        &self,
        scope: &Scope,
        target: &str,
        now: Millis,
        limit: usize,
    ) -> Result<Vec<NodeKey>, StoreError>;
}

impl dyn Table {
    /// One entity and its version
    pub async fn read<E: Entity>(&self, key: &Key) -> Result<Option<(E, u64)>, StoreError> {
        match self.get(key).await? {
            None => Ok(None),
            Some(record) => Ok(Some((decode(&record)?, record.version))),
        }
    }

    /// One page of entities
    pub async fn list<E: Entity>(
        &self,
        query: &Query,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<E>, Option<String>), StoreError> {
        let page = self.query(query, after, limit).await?;
        let entities = page.records.iter().map(decode).collect::<Result<_, _>>()?;
        Ok((entities, page.next))
    }
}

fn decode<E: Entity>(record: &Record) -> Result<E, StoreError> {
    record.entity().map_err(|cause| StoreError::Corrupt {
        key: format!("{} {}", record.key.pk(), record.key.sk()),
        cause: Box::new(cause),
    })
}
