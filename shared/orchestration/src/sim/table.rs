//! The table in memory, behind a call that takes time

use async_trait::async_trait;
use std::{sync::Arc, time::Duration};
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

/// A table that answers after a while
pub(super) struct Latent {
    memory: Arc<MemoryTable>,
    latency: Duration,
}

impl Latent {
    pub fn new(memory: Arc<MemoryTable>, latency: Duration) -> Self {
        Self { memory, latency }
    }

    async fn wait(&self) {
        tokio::time::sleep(self.latency).await;
    }
}

#[async_trait]
impl Table for Latent {
    async fn get(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.wait().await;
        self.memory.get(key).await
    }

    async fn query(&self, query: &Query, after: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        self.wait().await;
        self.memory.query(query, after, limit).await
    }

    async fn transact(&self, writes: &[Write]) -> Result<(), TransactError> {
        self.wait().await;
        self.memory.transact(writes).await
    }

    async fn node_put(&self, key: &NodeKey, node: &NodeRun) -> Result<bool, StoreError> {
        self.wait().await;
        self.memory.node_put(key, node).await
    }

    async fn node_get(&self, key: &NodeKey) -> Result<Option<NodeRun>, StoreError> {
        self.wait().await;
        self.memory.node_get(key).await
    }

    async fn node_update(&self, key: &NodeKey, update: &NodeUpdate) -> Result<Applied<NodeRun>, StoreError> {
        self.wait().await;
        self.memory.node_update(key, update).await
    }

    async fn nodes(
        &self,
        scope: &Scope,
        operation: OperationId,
        segment: u32,
    ) -> Result<Vec<NodeRun>, StoreError> {
        self.wait().await;
        self.memory.nodes(scope, operation, segment).await
    }

    async fn operation_get(
        &self,
        scope: &Scope,
        operation: OperationId,
    ) -> Result<Option<Operation>, StoreError> {
        self.wait().await;
        self.memory.operation_get(scope, operation).await
    }

    async fn operation_update(
        &self,
        scope: &Scope,
        operation: OperationId,
        update: &OperationUpdate,
    ) -> Result<Applied<Operation>, StoreError> {
        self.wait().await;
        self.memory.operation_update(scope, operation, update).await
    }

    async fn operations(
        &self,
        scope: &Scope,
        statuses: &[OperationStatus],
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Operation>, Option<String>), StoreError> {
        self.wait().await;
        self.memory.operations(scope, statuses, after, limit).await
    }

    async fn due(&self, shard: u8, now: Millis, limit: usize) -> Result<Vec<Due>, StoreError> {
        self.wait().await;
        self.memory.due(shard, now, limit).await
    }

    async fn queued(
        &self,
        scope: &Scope,
        target: &str,
        now: Millis,
        limit: usize,
    ) -> Result<Vec<NodeKey>, StoreError> {
        self.wait().await;
        self.memory.queued(scope, target, now, limit).await
    }
}
