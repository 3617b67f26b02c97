//! The table in memory, behind calls that take time and fail

use super::{
    fault::Site,
    world::{Broken, World},
};
use async_trait::async_trait;
use std::sync::Arc;
use weir_domain::{
    engine::{NodeRun, NodeUpdate, Operation, OperationUpdate},
    id::OperationId,
    operation::OperationStatus,
    scope::Scope,
    time::Millis,
};
use weir_store::{Applied, Due, Key, NodeKey, Page, Query, Record, StoreError, Table, TransactError, Write};

/// The table as functions reach it
pub(super) struct SimTable(pub Arc<World>);

impl From<Broken> for StoreError {
    fn from(broken: Broken) -> Self {
        Self::Unavailable(Box::new(broken))
    }
}

impl From<Broken> for TransactError {
    fn from(broken: Broken) -> Self {
        Self::Store(broken.into())
    }
}

impl SimTable {
    async fn read(&self, op: &'static str, subject: u32) -> Result<(), StoreError> {
        // Whatever happens to a read happens before it: one whose answer is lost was never made.
        Ok(self.0.enter(op, subject, Site::Read).await.map(drop)?)
    }
}

#[async_trait]
impl Table for SimTable {
    async fn get(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.read("get", 0).await?;
        self.0.memory.get(key).await
    }

    async fn query(&self, query: &Query, after: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        self.read("query", 0).await?;
        self.0.memory.query(query, after, limit).await
    }

    async fn transact(&self, writes: &[Write]) -> Result<(), TransactError> {
        // The SDK sends a transaction again under one idempotency token: its second answer is its first.
        let passing = self.0.enter("transact", 0, Site::Conditional).await?;
        let updates = writes.iter().filter_map(|write| {
            if let Write::Node { key, update } = write { Some((key, update)) } else { None }
        });
        let updates: Vec<_> = updates.collect();
        let mut done = self.0.memory.transact(writes).await;
        self.0.committed(&updates);
        if passing.is_refused() {
            done = self.0.memory.transact(writes).await;
            self.0.committed(&updates);
        }
        self.0.say(|| format!("transact {} writes: {}", writes.len(), outcome(done.is_ok())), None);
        passing.leave().await?;
        done
    }

    async fn node_put(&self, key: &NodeKey, node: &NodeRun) -> Result<bool, StoreError> {
        let passing = self.0.enter("node_put", key.ordinal, Site::Write).await?;
        let mut put = self.0.memory.node_put(key, node).await;
        if passing.is_repeated() {
            put = self.0.memory.node_put(key, node).await;
        }
        self.0.committed(&[]);
        self.0.say(|| format!("put {}: {}", key.ordinal, outcome(matches!(put, Ok(true)))), None);
        passing.leave().await?;
        put
    }

    async fn node_get(&self, key: &NodeKey) -> Result<Option<NodeRun>, StoreError> {
        self.read("node_get", key.ordinal).await?;
        self.0.memory.node_get(key).await
    }

    async fn node_update(&self, key: &NodeKey, update: &NodeUpdate) -> Result<Applied<NodeRun>, StoreError> {
        let passing = self.0.enter(update.into(), key.ordinal, Site::Write).await?;
        let mut applied = self.0.memory.node_update(key, update).await;
        self.0.committed(&[(key, update)]);
        if passing.is_repeated() {
            applied = self.0.memory.node_update(key, update).await;
            self.0.committed(&[(key, update)]);
        }
        self.0.say(|| told_node(key, update, &applied), None);
        passing.leave().await?;
        applied
    }

    async fn nodes(
        &self,
        scope: &Scope,
        operation: OperationId,
        segment: u32,
    ) -> Result<Vec<NodeRun>, StoreError> {
        self.read("nodes", segment).await?;
        self.0.memory.nodes(scope, operation, segment).await
    }

    async fn operation_get(
        &self,
        scope: &Scope,
        operation: OperationId,
    ) -> Result<Option<Operation>, StoreError> {
        self.read("operation_get", 0).await?;
        let found = self.0.memory.operation_get(scope, operation).await;
        self.0.say(|| told_operation("reads", &found.as_ref().ok().and_then(Option::as_ref)), None);
        found
    }

    async fn operation_update(
        &self,
        scope: &Scope,
        operation: OperationId,
        update: &OperationUpdate,
    ) -> Result<Applied<Operation>, StoreError> {
        let passing = self.0.enter(update.into(), 0, Site::Write).await?;
        let mut applied = self.0.memory.operation_update(scope, operation, update).await;
        self.0.committed(&[]);
        if passing.is_repeated() {
            applied = self.0.memory.operation_update(scope, operation, update).await;
            self.0.committed(&[]);
        }
        let name: &'static str = update.into();
        self.0.say(
            || match &applied {
                Ok(Applied::Done(after)) => told_operation(name, &Some(after)),
                Ok(Applied::Refused(_)) | Err(_) => format!("operation {name}: refused"),
            },
            None,
        );
        passing.leave().await?;
        applied
    }

    async fn operations(
        &self,
        scope: &Scope,
        statuses: &[OperationStatus],
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Operation>, Option<String>), StoreError> {
        self.read("operations", 0).await?;
        self.0.memory.operations(scope, statuses, after, limit).await
    }

    async fn due(&self, shard: u8, now: Millis, limit: usize) -> Result<Vec<Due>, StoreError> {
        let passing = self.0.enter("due", u32::from(shard), Site::Index).await?;
        self.0.indexes(passing.is_stale()).due(shard, now, limit).await
    }

    async fn queued(
        &self,
        scope: &Scope,
        target: &str,
        now: Millis,
        limit: usize,
    ) -> Result<Vec<NodeKey>, StoreError> {
        let passing = self.0.enter("queued", 0, Site::Index).await?;
        self.0.indexes(passing.is_stale()).queued(scope, target, now, limit).await
    }
}

fn outcome(done: bool) -> &'static str {
    if done { "done" } else { "refused" }
}

fn told_node(key: &NodeKey, update: &NodeUpdate, applied: &Result<Applied<NodeRun>, StoreError>) -> String {
    let name: &'static str = update.into();
    match applied {
        Ok(Applied::Done(after)) => {
            let (status, attempt) = (after.status.as_str(), after.attempt);
            let unmet =
                if after.unmet.is_empty() { String::new() } else { format!(", waits for {:?}", after.unmet) };
            let closed = if after.closed { ", closed" } else { "" };
            format!("node {} {name}: {status}, attempt {attempt}{unmet}{closed}", key.ordinal)
        }
        Ok(Applied::Refused(_)) | Err(_) => format!("node {} {name}: refused", key.ordinal),
    }
}

fn told_operation(name: &str, operation: &Option<&Operation>) -> String {
    let Some(it) = operation else { return format!("operation {name}: none") };
    let flags = [
        (it.materialised, "materialised"),
        (it.paused, "paused"),
        (it.cancel, "cancel"),
        (it.finished, "finished"),
    ];
    let flags: Vec<_> = flags.iter().filter(|(set, _)| *set).map(|(_, name)| *name).collect();
    format!("operation {name}: {} {flags:?}, open {:?}, todo {:?}", it.status.as_str(), it.open, it.todo)
}
