//! What the fake holds: items, its three indexes, and every change that was made

use crate::{Change, Image, Key, NodeKey, Record, Write, entity::whole_seconds, wake_shard};
use std::collections::{BTreeMap, BTreeSet};
use weir_domain::{
    engine::{NodeRun, Operation},
    plan::{Executor, NodeStatus},
    time::Millis,
};

/// Items that stand under a hash, in the order of a range attribute
#[derive(Debug, Default)]
pub(super) struct Index<T>(BTreeMap<String, BTreeSet<(T, Key)>>);

impl<T: Ord> Index<T> {
    fn insert(&mut self, hash: String, range: T, key: Key) {
        self.0.entry(hash).or_default().insert((range, key));
    }

    fn remove(&mut self, hash: &str, range: T, key: &Key) {
        if let Some(items) = self.0.get_mut(hash) {
            items.remove(&(range, key.clone()));
        }
    }

    /// What stands under `hash`, in order
    pub(super) fn under(&self, hash: &str) -> impl DoubleEndedIterator<Item = &(T, Key)> {
        self.0.get(hash).into_iter().flatten()
    }
}

/// Everything
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) items: BTreeMap<Key, Image>,
    pub(super) lists: Index<String>,
    pub(super) queues: Index<Millis>,
    pub(super) wakes: Index<Millis>,
    pub(super) changes: Vec<Change>,
    pub(super) writes: u64,
}

/// What a write does to its item, once its condition holds
pub(super) enum Effect {
    Put(Image),
    Remove,
    Nothing,
}

/// A condition that does not hold
pub(super) struct Conflict;

impl State {
    /// Makes `effect` on the item at `key`; a change that changes nothing is none
    pub(super) fn carry_out(&mut self, key: Key, effect: Effect) {
        let new = match effect {
            Effect::Put(image) => Some(image),
            Effect::Remove => None,
            Effect::Nothing => return,
        };
        let old = match &new {
            Some(image) => self.items.insert(key.clone(), image.clone()),
            None => self.items.remove(&key),
        };
        if old == new {
            return;
        }
        if let Some(image) = &old {
            self.unindex(&key, image);
        }
        if let Some(image) = &new {
            self.index(&key, image);
        }
        self.changes.push(Change { key, old, new });
    }

    fn index(&mut self, key: &Key, image: &Image) {
        if let Some((list, id)) = listed(image) {
            self.lists.insert(list, id, key.clone());
        }
        if let Some((queue, queued)) = queued(image) {
            self.queues.insert(queue, queued, key.clone());
        }
        if let Some((shard, wake)) = waking(image) {
            self.wakes.insert(shard, wake, key.clone());
        }
    }

    fn unindex(&mut self, key: &Key, image: &Image) {
        if let Some((list, id)) = listed(image) {
            self.lists.remove(&list, id, key);
        }
        if let Some((queue, queued)) = queued(image) {
            self.queues.remove(&queue, queued, key);
        }
        if let Some((shard, wake)) = waking(image) {
            self.wakes.remove(&shard, wake, key);
        }
    }

    /// What `write` does, if its condition holds now
    pub(super) fn effect(&self, write: &Write) -> Result<Effect, Conflict> {
        let key = write.key();
        match write {
            Write::Create(record) => self.vacant(&key, || stored(record, record.version)),
            Write::CreateOperation(operation) => self.vacant(&key, || Image::Operation(operation.clone())),
            Write::CreateNode { key: place, node } => {
                self.vacant(&key, || Image::Node(place.clone(), node.clone()))
            }
            Write::Replace { expected, record } => {
                self.unchanged(&key, *expected)?;
                Ok(Effect::Put(stored(record, expected + 1)))
            }
            Write::Upsert(record) => Ok(Effect::Put(stored(record, record.version))),
            Write::Delete { expected, .. } => self.unchanged(&key, *expected).map(|()| Effect::Remove),
            Write::Check { expected, .. } => self.unchanged(&key, *expected).map(|()| Effect::Nothing),
            Write::Operation { update, .. } => {
                let after = self.operation(&key).and_then(|operation| update.apply(operation).ok());
                after.map(|operation| Effect::Put(Image::Operation(Box::new(operation)))).ok_or(Conflict)
            }
            Write::Node { update, .. } => {
                let (place, node) = self.node(&key).ok_or(Conflict)?;
                let after = update.apply(node).map_err(|_| Conflict)?;
                Ok(Effect::Put(Image::Node(place.clone(), Box::new(after))))
            }
        }
    }

    pub(super) fn record(&self, key: &Key) -> Option<&Record> {
        match self.items.get(key)? {
            Image::Record(record) => Some(record),
            Image::Node(..) | Image::Operation(_) => None,
        }
    }

    pub(super) fn node(&self, key: &Key) -> Option<(&NodeKey, &NodeRun)> {
        match self.items.get(key)? {
            Image::Node(place, node) => Some((place, node)),
            Image::Record(_) | Image::Operation(_) => None,
        }
    }

    pub(super) fn operation(&self, key: &Key) -> Option<&Operation> {
        match self.items.get(key)? {
            Image::Operation(operation) => Some(operation),
            Image::Record(_) | Image::Node(..) => None,
        }
    }

    fn vacant(&self, key: &Key, image: impl FnOnce() -> Image) -> Result<Effect, Conflict> {
        if self.items.contains_key(key) { Err(Conflict) } else { Ok(Effect::Put(image())) }
    }

    fn unchanged(&self, key: &Key, expected: u64) -> Result<(), Conflict> {
        let found = self.record(key).map(|record| record.version);
        if found == Some(expected) { Ok(()) } else { Err(Conflict) }
    }
}

/// `record` as the table would give it back
fn stored(record: &Record, version: u64) -> Image {
    let expires_at = record.expires_at.map(|at| Millis::from_secs(whole_seconds(at)));
    Image::Record(Record { version, expires_at, ..record.clone() })
}

fn listed(image: &Image) -> Option<(String, String)> {
    match image {
        Image::Record(record) => record.list.clone(),
        Image::Operation(operation) => {
            let list = Key::operation_list(&operation.info.scope, operation.status);
            Some((list, operation.info.operation_id.to_string()))
        }
        Image::Node(..) => None,
    }
}

fn queued(image: &Image) -> Option<(String, Millis)> {
    let Image::Node(place, node) = image else { return None };
    let Executor::Agent(target) = &node.terms.runs else { return None };
    let not_before = node.not_before.filter(|_| node.status == NodeStatus::Ready)?;
    Some((Key::queue(&place.scope, &target.to_string()), not_before))
}

fn waking(image: &Image) -> Option<(String, Millis)> {
    match image {
        Image::Node(place, node) => Some((wake_shard(place.operation, place.ordinal), node.wake?)),
        Image::Operation(operation) => Some((wake_shard(operation.info.operation_id, 0), operation.wake?)),
        Image::Record(_) => None,
    }
}
