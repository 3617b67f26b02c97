//! A table in memory that behaves like the one in DynamoDB
//!
//! It carries out updates by their pure meaning, so the contract tests that both tables pass hold the
//! expressions of the other to the same meaning. Its indexes are never behind. It never forgets what has
//! expired, as DynamoDB may not for days.

mod state;

use crate::{
    Applied, Change, Due, Image, Key, NodeKey, Page, Query, Record, StoreError, Table, TransactError, Write,
    key::wake_partition, limits,
};
use async_trait::async_trait;
use state::{Effect, State};
use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};
use weir_domain::{
    engine::{NodeRun, NodeUpdate, Operation, OperationUpdate},
    id::OperationId,
    operation::OperationStatus,
    scope::Scope,
    time::Millis,
};

/// A table in memory
#[derive(Debug, Default)]
pub struct MemoryTable {
    state: Mutex<State>,
}

/// Everything that a table holds at one moment
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// Every node run
    pub nodes: Vec<(NodeKey, NodeRun)>,
    /// Every operation
    pub operations: Vec<Operation>,
    /// Every other item
    pub records: Vec<Record>,
}

impl MemoryTable {
    /// An empty table
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything that it holds now, by key
    pub fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        for image in self.lock().items.values() {
            match image {
                Image::Record(record) => snapshot.records.push(record.clone()),
                Image::Node(key, node) => snapshot.nodes.push((key.clone(), NodeRun::clone(node))),
                Image::Operation(operation) => snapshot.operations.push(Operation::clone(operation)),
            }
        }
        snapshot
    }

    /// How many writes it was sent: updates, puts and members of transactions, refused ones included, as
    /// DynamoDB would bill them
    pub fn writes(&self) -> u64 {
        self.lock().writes
    }

    /// Every change after the first `position`, in the order in which they were made: the table's stream
    ///
    /// A reader goes on from its position plus what it was given. A write that changed nothing is not told.
    pub fn changes_since(&self, position: usize) -> Vec<Change> {
        self.lock().changes.iter().skip(position).cloned().collect()
    }

    /// Makes `change`, whatever is there now: another table follows this one's stream
    pub fn replay(&self, change: &Change) {
        let effect = change.new.clone().map_or(Effect::Remove, Effect::Put);
        self.lock().carry_out(change.key.clone(), effect);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock can panic half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unlike(key: &Key) -> StoreError {
    StoreError::Corrupt {
        key: format!("{} {}", key.pk(), key.sk()),
        cause: "the item is not of the kind that was asked for".into(),
    }
}

fn record_of(image: &Image) -> Result<Record, StoreError> {
    match image {
        Image::Record(record) => Ok(record.clone()),
        Image::Node(..) | Image::Operation(_) => Err(unlike(&image.key())),
    }
}

fn operation_of(image: &Image) -> Result<Operation, StoreError> {
    match image {
        Image::Operation(operation) => Ok(Operation::clone(operation)),
        Image::Node(..) | Image::Record(_) => Err(unlike(&image.key())),
    }
}

fn due_of(image: &Image) -> Option<Due> {
    match image {
        Image::Node(key, _) => Some(Due::Node(key.clone())),
        Image::Operation(operation) => {
            Some(Due::Operation(operation.info.scope.clone(), operation.info.operation_id))
        }
        Image::Record(_) => None,
    }
}

/// At most `limit` images of `query` after the cursor `after`, newest first, and where the next page begins
fn page(state: &State, query: &Query, after: Option<&str>, limit: usize) -> (Vec<Image>, Option<String>) {
    let after = after.filter(|after| !after.is_empty());
    let before = |place: &str| after.is_none_or(|after| place < after);
    let mut found: Vec<(&str, &Key)> = match query {
        Query::Lists(lists) => {
            let lists: BTreeSet<_> = lists.iter().collect();
            let listed = lists.into_iter().flat_map(|list| state.lists.under(list));
            listed.map(|(id, key)| (id.as_str(), key)).collect()
        }
        Query::Partition { pk, prefix } => {
            let first = Key::from_parts(pk.clone(), String::new());
            let keys = state.items.range(first..).map(|(key, _)| key).take_while(|key| key.pk() == pk);
            keys.filter_map(|key| Some((key.sk().strip_prefix(prefix.as_str())?, key))).collect()
        }
    };
    found.retain(|(place, _)| before(place));
    found.sort_by(|(a, _), (b, _)| b.cmp(a));
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|(place, _)| (*place).to_owned());
    (found.into_iter().filter_map(|(_, key)| state.items.get(key).cloned()).collect(), next)
}

#[async_trait]
impl Table for MemoryTable {
    async fn get(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.lock().items.get(key).map(record_of).transpose()
    }

    async fn query(&self, query: &Query, after: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        let (images, next) = page(&self.lock(), query, after, limit);
        Ok(Page { records: images.iter().map(record_of).collect::<Result<_, _>>()?, next })
    }

    async fn transact(&self, writes: &[Write]) -> Result<(), TransactError> {
        limits::check(writes).map_err(|limit| StoreError::Rejected(Box::new(limit)))?;
        let mut state = self.lock();
        state.writes += writes.len() as u64;
        let mut effects = Vec::with_capacity(writes.len());
        let mut conflicts = Vec::new();
        for (index, write) in writes.iter().enumerate() {
            match state.effect(write) {
                Ok(effect) => effects.push((write.key(), effect)),
                Err(state::Conflict) => conflicts.push(index),
            }
        }
        if !conflicts.is_empty() {
            return Err(TransactError::Conflict(conflicts));
        }
        effects.into_iter().for_each(|(key, effect)| state.carry_out(key, effect));
        Ok(())
    }

    async fn node_put(&self, key: &NodeKey, node: &NodeRun) -> Result<bool, StoreError> {
        let mut state = self.lock();
        state.writes += 1;
        let effect = state.effect(&Write::CreateNode { key: key.clone(), node: Box::new(node.clone()) });
        Ok(effect.map(|effect| state.carry_out(Key::node(key), effect)).is_ok())
    }

    async fn node_get(&self, key: &NodeKey) -> Result<Option<NodeRun>, StoreError> {
        Ok(self.lock().node(&Key::node(key)).map(|(_, node)| node.clone()))
    }

    async fn node_update(&self, key: &NodeKey, update: &NodeUpdate) -> Result<Applied<NodeRun>, StoreError> {
        let mut state = self.lock();
        state.writes += 1;
        let item = Key::node(key);
        let Some((place, node)) = state.node(&item) else { return Ok(Applied::Refused(None)) };
        let Ok(after) = update.apply(node) else { return Ok(Applied::Refused(Some(node.clone()))) };
        let image = Image::Node(place.clone(), Box::new(after.clone()));
        state.carry_out(item, Effect::Put(image));
        Ok(Applied::Done(after))
    }

    async fn nodes(
        &self,
        scope: &Scope,
        operation: OperationId,
        segment: u32,
    ) -> Result<Vec<NodeRun>, StoreError> {
        let (first, last) = Key::node_span(scope, operation, segment);
        let state = self.lock();
        let keys = state.items.range(first..=last).map(|(key, _)| key);
        Ok(keys.filter_map(|key| state.node(key)).map(|(_, node)| node.clone()).collect())
    }

    async fn operation_get(
        &self,
        scope: &Scope,
        operation: OperationId,
    ) -> Result<Option<Operation>, StoreError> {
        Ok(self.lock().operation(&Key::operation(scope, operation)).cloned())
    }

    async fn operation_update(
        &self,
        scope: &Scope,
        operation: OperationId,
        update: &OperationUpdate,
    ) -> Result<Applied<Operation>, StoreError> {
        let mut state = self.lock();
        state.writes += 1;
        let item = Key::operation(scope, operation);
        let Some(operation) = state.operation(&item) else { return Ok(Applied::Refused(None)) };
        let Ok(after) = update.apply(operation) else { return Ok(Applied::Refused(Some(operation.clone()))) };
        state.carry_out(item, Effect::Put(Image::Operation(Box::new(after.clone()))));
        Ok(Applied::Done(after))
    }

    async fn operations(
        &self,
        scope: &Scope,
        statuses: &[OperationStatus],
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Operation>, Option<String>), StoreError> {
        let (images, next) = page(&self.lock(), &Query::operations(scope, statuses), after, limit);
        Ok((images.iter().map(operation_of).collect::<Result<_, _>>()?, next))
    }

    async fn due(&self, shard: u8, now: Millis, limit: usize) -> Result<Vec<Due>, StoreError> {
        let state = self.lock();
        let partition = wake_partition(shard);
        let due = state.wakes.under(&partition).take_while(|(wake, _)| *wake <= now).take(limit);
        Ok(due.filter_map(|(_, key)| due_of(state.items.get(key)?)).collect())
    }

    async fn queued(
        &self,
        scope: &Scope,
        target: &str,
        now: Millis,
        limit: usize,
    ) -> Result<Vec<NodeKey>, StoreError> {
        let state = self.lock();
        let queue = Key::queue(scope, target);
        let queued = state.queues.under(&queue).take_while(|(from, _)| *from <= now).take(limit);
        Ok(queued.filter_map(|(_, key)| state.node(key)).map(|(place, _)| place.clone()).collect())
    }
}
