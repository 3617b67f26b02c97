//! The table, whose writes are seen

use super::Life;
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
pub(super) struct Seen {
    pub life: Arc<Life>,
    pub inner: Arc<dyn Table>,
}

#[async_trait]
impl Table for Seen {
    async fn get(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.inner.get(key).await
    }

    async fn query(&self, query: &Query, after: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        self.inner.query(query, after, limit).await
    }

    async fn transact(&self, writes: &[Write]) -> Result<(), TransactError> {
        let passing = self.life.enter("transact").await;
        let done = self.inner.transact(writes).await;
        passing.leave().await;
        done
    }

    async fn node_put(&self, key: &NodeKey, node: &NodeRun) -> Result<bool, StoreError> {
        let passing = self.life.enter("node_put").await;
        let done = self.inner.node_put(key, node).await;
        passing.leave().await;
        done
    }

    async fn node_get(&self, key: &NodeKey) -> Result<Option<NodeRun>, StoreError> {
        self.inner.node_get(key).await
    }

    async fn node_update(&self, key: &NodeKey, update: &NodeUpdate) -> Result<Applied<NodeRun>, StoreError> {
        let passing = self.life.enter(update.into()).await;
        let done = self.inner.node_update(key, update).await;
        passing.leave().await;
        done
    }

    async fn nodes(
        &self,
        scope: &Scope,
        operation: OperationId,
        segment: u32,
    ) -> Result<Vec<NodeRun>, StoreError> {
        self.inner.nodes(scope, operation, segment).await
    }

    async fn operation_get(
        &self,
        scope: &Scope,
        operation: OperationId,
    ) -> Result<Option<Operation>, StoreError> {
        self.inner.operation_get(scope, operation).await
    }

    async fn operation_update(
        &self,
        scope: &Scope,
        operation: OperationId,
        update: &OperationUpdate,
    ) -> Result<Applied<Operation>, StoreError> {
        let passing = self.life.enter(update.into()).await;
        let done = self.inner.operation_update(scope, operation, update).await;
        passing.leave().await;
        done
    }

    async fn operations(
        &self,
        scope: &Scope,
        statuses: &[OperationStatus],
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Operation>, Option<String>), StoreError> {
        self.inner.operations(scope, statuses, after, limit).await
    }

    async fn due(&self, shard: u8, now: Millis, limit: usize) -> Result<Vec<Due>, StoreError> {
        self.inner.due(shard, now, limit).await
    }

    async fn queued(
        &self,
        scope: &Scope,
        target: &str,
        now: Millis,
        limit: usize,
    ) -> Result<Vec<NodeKey>, StoreError> {
        self.inner.queued(scope, target, now, limit).await
    }
}
