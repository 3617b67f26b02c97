//! The audit chain: every event sealed once, in one order, each line holding the hash of all before it
//!
//! [`weir_domain::audit::chain`] is the pure part, by which anybody verifies the chain offline. Here is the sequencer: it seals
//! events in objects that nobody can replace, and adopts what another sequencer (or its own crashed self) sealed.

use crate::{
    Ledger, LedgerError,
    objects::{Put, PutOptions},
};
use bytes::Bytes;
use std::collections::BTreeSet;
use weir_domain::{
    audit::chain::{AuditEntry, AuditHead, Break, BreakReason, EVENTS_MAX, open, seal},
    id::AuditId,
    time::Millis,
};

/// How many objects one call writes or adopts; what is left is for the next call
const ROUNDS_MAX: usize = 64;

/// What one call of the sequencer has done
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// Where the chain ends now, as far as this call went
    pub head: AuditHead,
    /// What is sealed in the objects between the former head and this one, and in which object: also
    /// what others sealed, which need not have been given to this call
    pub sealed: Vec<(AuditId, u64)>,
    /// How many of the given events are not sealed yet: call again with the new head
    pub left: usize,
}

impl Ledger {
    /// Seals `entries` after `head`, each once
    ///
    /// `head` is where the caller last knew the chain to end; [`AuditHead::genesis`] will do, and is slow. Whatever
    /// crashed, the call is repeated with the stored head and the events not known to be sealed. That holds if
    /// the caller marks `sealed` as done before it stores the new head, or in the same transaction: with the head
    /// alone, an event that was sealed would be sealed again.
    ///
    /// No object is ever replaced: two sequencers that start from one head write the same key, and one adopts
    /// what the other wrote. That is why the folder (the day) of an object is decided by its predecessor: the first
    /// object of a new day is preceded by an empty one, which closes the day before.
    pub async fn audit_append(
        &self,
        head: &AuditHead,
        entries: &[AuditEntry],
        now: Millis,
        retain_until: Millis,
    ) -> Result<Appended, LedgerError> {
        let today = now.timestamp().to_zoned(jiff::tz::TimeZone::UTC).date();
        let options = PutOptions { content_type: "application/x-ndjson", retain_until: Some(retain_until) };
        let (mut head, mut sealed) = (head.clone(), Vec::new());
        let mut seen = BTreeSet::new();
        let mut left: Vec<&AuditEntry> = entries.iter().filter(|entry| seen.insert(entry.id())).collect();
        for _ in 0..ROUNDS_MAX {
            if left.is_empty() {
                break;
            }
            let count = if today > head.day { 0 } else { left.len().min(EVENTS_MAX) };
            let (bytes, next) = seal(&head, left.iter().take(count).copied(), today.max(head.day));
            let key = self.keys.audit(head.day, next.seq);
            let (ids, next) = match self.objects.put_new(&key, Bytes::from(bytes), options).await? {
                Put::Created(_) => (left.iter().take(count).map(|entry| entry.id()).collect(), next),
                Put::Existed => {
                    let missing = Break { seq: next.seq, reason: BreakReason::Missing };
                    let found = self.audit_read(&head).await?.ok_or(missing)?;
                    (found.ids, found.head)
                }
            };
            let done: BTreeSet<AuditId> = ids.iter().copied().collect();
            left.retain(|entry| !done.contains(&entry.id()));
            sealed.extend(ids.into_iter().map(|id| (id, next.seq)));
            head = next;
        }
        Ok(Appended { head, sealed, left: left.len() })
    }

    /// The object after `head`, verified as its successor; none where the chain ends
    pub async fn audit_read(&self, head: &AuditHead) -> Result<Option<AuditObject>, LedgerError> {
        let key = self.keys.audit(head.day, head.seq.saturating_add(1));
        let Some(bytes) = self.bytes(&key).await? else { return Ok(None) };
        let opened = open(head, &bytes)?;
        Ok(Some(AuditObject { key, bytes, ids: opened.ids, head: opened.head }))
    }
}

/// One object of the chain as it was read
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditObject {
    /// Where it lies
    pub key: String,
    /// Its lines: what an export holds
    pub bytes: Bytes,
    /// The events that it seals, in order
    pub ids: Vec<AuditId>,
    /// Where the chain ends with it: from here the next one is read
    pub head: AuditHead,
}

#[cfg(test)]
mod tests;
