//! Resources that one operation at a time may use: nobody passes anybody, and nobody leaves before its end

use super::super::violation::Violation;
use std::collections::{BTreeMap, BTreeSet};
use weir_domain::{definition::address::Address, engine::OperationInfo, id::OperationId};
use weir_store::{ExclusiveQueue, Record};

/// Every queue, as its item says
#[derive(Default)]
pub(super) struct Queues {
    queues: BTreeMap<Address, Vec<OperationId>>,
    ended: BTreeSet<OperationId>,
    /// Who has claimed a node while it used what it may not share
    holders: BTreeMap<Address, BTreeSet<OperationId>>,
    /// Which operation each takes back
    takes_back: BTreeMap<OperationId, OperationId>,
}

impl Queues {
    pub fn ended(&mut self, operation: OperationId) {
        self.ended.insert(operation);
    }

    /// An operation that takes another one back is to be asked for
    pub fn takes_back(&mut self, info: &OperationInfo) {
        self.takes_back.extend(info.rollback_of.map(|first| (info.operation_id, first)));
    }

    /// A queue was written: who was in it keeps the order, who left has ended, who came stands last, or right behind
    /// the one that it takes back
    pub fn recorded(&mut self, record: &Record, found: &mut Vec<Violation>) {
        if record.doc.get("resource").is_none() || record.doc.get("operations").is_none() {
            return;
        }
        let Ok(queue) = record.entity::<ExclusiveQueue>() else { return };
        let before = self.queues.entry(queue.resource).or_default();
        let stays = before.iter().filter(|id| queue.operations.contains(id));
        let known = queue.operations.iter().filter(|id| before.contains(id));
        let left = before.iter().filter(|id| !queue.operations.contains(id));
        let mut right = stays.eq(known) && left.clone().all(|id| self.ended.contains(id));
        for (place, id) in queue.operations.iter().enumerate().filter(|(_, id)| !before.contains(id)) {
            let last = place + 1 == queue.operations.len();
            let behind = place.checked_sub(1).and_then(|place| queue.operations.get(place));
            right &= last || (behind.is_some() && self.takes_back.get(id) == behind);
        }
        if !right {
            found.push(Violation::QueueOrder);
        }
        *before = queue.operations;
    }

    /// An attempt of one of its nodes begins
    pub fn claimed(&mut self, info: &OperationInfo, found: &mut Vec<Violation>) {
        for resource in &info.exclusive {
            let first = self.queues.get(resource).and_then(|queue| queue.first());
            if first != Some(&info.operation_id) {
                found.push(Violation::OutOfTurn(info.operation_id));
            }
            let holders = self.holders.entry(resource.clone()).or_default();
            holders.insert(info.operation_id);
            if holders.iter().any(|other| *other != info.operation_id && !self.ended.contains(other)) {
                found.push(Violation::HeldTwice(resource.to_string()));
            }
        }
    }

    /// Nobody who has ended is left in a queue
    pub fn at_rest(&self) -> impl Iterator<Item = Violation> {
        let left = self.queues.values().flatten().filter(|id| self.ended.contains(id));
        left.map(|id| Violation::StillQueued(*id))
    }
}
