//! A table that gets its caller into trouble

use async_trait::async_trait;
use futures::future::BoxFuture;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicI64, Ordering},
};
use weir_domain::{
    engine::{NodeRun, NodeUpdate, Operation, OperationUpdate},
    id::OperationId,
    operation::OperationStatus,
    scope::Scope,
    time::Millis,
};
use weir_store::{
    Applied, Due, Key, NodeKey, Page, Query, Record, StoreError, Table, TransactError, Write,
    memory::MemoryTable,
};

/// A write
#[derive(Clone, Copy)]
pub enum Point<'a> {
    Put,
    Node(&'a NodeUpdate),
    Operation(&'a OperationUpdate),
    Transact(&'a [Write]),
}

/// What happens to the caller
pub enum Trouble {
    /// After so many writes nothing more comes through, the last one with its effect or without
    Dies { left: AtomicI64, after: bool },
    /// The answer to an update gets lost, so that it is sent once more
    SendsTwice,
    /// Right before the first write at this point something else happens
    Overtaken { point: fn(Point<'_>) -> bool, what: Mutex<Option<BoxFuture<'static, ()>>> },
}

pub struct Troubled {
    pub memory: Arc<MemoryTable>,
    pub trouble: Trouble,
}

fn dead() -> StoreError {
    StoreError::Unavailable("the process has died".into())
}

/// What becomes of a write
enum Fate {
    Done,
    DoneTwice,
    /// Done, and its caller never hears of it
    LastOne,
}

impl Troubled {
    async fn fate(&self, at: Point<'_>) -> Result<Fate, StoreError> {
        match &self.trouble {
            Trouble::Dies { left, after } => match left.fetch_sub(1, Ordering::Relaxed) {
                1.. => Ok(Fate::Done),
                0 if *after => Ok(Fate::LastOne),
                _ => Err(dead()),
            },
            // The SDK gives both of a transaction one name, and the table answers the second one as the first.
            Trouble::SendsTwice if matches!(at, Point::Transact(_)) => Ok(Fate::Done),
            Trouble::SendsTwice => Ok(Fate::DoneTwice),
            Trouble::Overtaken { point, what } => {
                if point(at) {
                    // What the caller does beside this write comes first.
                    tokio::task::yield_now().await;
                    let what = what.lock().unwrap().take();
                    if let Some(what) = what {
                        what.await;
                    }
                }
                Ok(Fate::Done)
            }
        }
    }
}

macro_rules! write {
    ($table:ident, $at:expr, $write:expr) => {
        match $table.fate($at).await? {
            Fate::Done => $write.await,
            Fate::DoneTwice => {
                $write.await?;
                $write.await
            }
            Fate::LastOne => {
                $write.await?;
                Err(dead().into())
            }
        }
    };
}

#[async_trait]
impl Table for Troubled {
    async fn get(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.memory.get(key).await
    }
    async fn query(&self, query: &Query, after: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        self.memory.query(query, after, limit).await
    }
    async fn transact(&self, writes: &[Write]) -> Result<(), TransactError> {
        write!(self, Point::Transact(writes), self.memory.transact(writes))
    }
    async fn node_put(&self, key: &NodeKey, node: &NodeRun) -> Result<bool, StoreError> {
        write!(self, Point::Put, self.memory.node_put(key, node))
    }
    async fn node_get(&self, key: &NodeKey) -> Result<Option<NodeRun>, StoreError> {
        self.memory.node_get(key).await
    }
    async fn node_update(&self, key: &NodeKey, update: &NodeUpdate) -> Result<Applied<NodeRun>, StoreError> {
        write!(self, Point::Node(update), self.memory.node_update(key, update))
    }
    async fn nodes(
        &self,
        scope: &Scope,
        operation: OperationId,
        segment: u32,
    ) -> Result<Vec<NodeRun>, StoreError> {
        self.memory.nodes(scope, operation, segment).await
    }
    async fn operation_get(
        &self,
        scope: &Scope,
        operation: OperationId,
    ) -> Result<Option<Operation>, StoreError> {
        self.memory.operation_get(scope, operation).await
    }
    async fn operation_update(
        &self,
        scope: &Scope,
        operation: OperationId,
        update: &OperationUpdate,
    ) -> Result<Applied<Operation>, StoreError> {
        write!(self, Point::Operation(update), self.memory.operation_update(scope, operation, update))
    }
    async fn operations(
        &self,
        scope: &Scope,
        statuses: &[OperationStatus],
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Operation>, Option<String>), StoreError> {
        self.memory.operations(scope, statuses, after, limit).await
    }
    async fn due(&self, shard: u8, now: Millis, limit: usize) -> Result<Vec<Due>, StoreError> {
        self.memory.due(shard, now, limit).await
    }
    async fn queued(
        &self,
        scope: &Scope,
        target: &str,
        now: Millis,
        limit: usize,
    ) -> Result<Vec<NodeKey>, StoreError> {
        self.memory.queued(scope, target, now, limit).await
    }
}
