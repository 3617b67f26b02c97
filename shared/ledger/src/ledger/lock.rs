//! The lock of the state: a courtesy with an owner, a lease and a fencing number
//!
//! It keeps two operators from working against each other; what keeps the state safe is its
//! compare-and-swap. Whoever holds the lock may have lost it without noticing (a lease that ran out, a forced
//! unlock): its fencing number then is not the newest, and its next renewal says so.
//!
//! The file is never deleted: releasing is a write, so that fencing numbers never start again.

use super::{Ledger, LedgerError};
use crate::objects::{Etag, Put, PutOptions, Replace};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use weir_domain::{canonical, id::OperationId, time::Millis};

/// How often one attempt decides anew because another was first
const ROUNDS: u32 = 8;

/// Who else may have the lock at the same time
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LockMode {
    /// Nobody: who applies
    Exclusive,
    /// Others who share it: who plans
    Shared,
}

/// Who wants the lock
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockRequest {
    /// Names this holder, and is what a forced unlock has to name. Asking again with the id of a lock
    /// that is held renews it: a step that is repeated after a crash finds its own lock
    pub id: String,
    /// The actor, as people are shown it
    pub owner: String,
    /// For which operation, if it is one
    pub operation: Option<OperationId>,
    /// Who else may have it
    pub mode: LockMode,
    /// How long it is held unless it is renewed
    pub lease: Millis,
}

/// The lock, as one holder has it
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// Names this holder
    pub id: String,
    /// The actor
    pub owner: String,
    /// For which operation
    pub operation: Option<OperationId>,
    /// Who else may have it
    pub mode: LockMode,
    /// Since when
    pub acquired_at: Millis,
    /// Until when, unless it is renewed
    pub lease_until: Millis,
    /// Greater than that of every holder before
    pub fencing: u64,
    /// When it was given back, if it was
    pub released: Option<Millis>,
}

impl Lock {
    /// Whether it is held at `now`
    pub fn live(&self, now: Millis) -> bool {
        self.released.is_none() && now < self.lease_until
    }
}

/// The file: the newest holders (several only when they share it), and the greatest fencing number so far
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LockFile {
    fencing: u64,
    holders: Vec<Lock>,
}

/// What became of an attempt
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acquire {
    /// It is held
    Held(Lock),
    /// Somebody has it
    Busy(Lock),
}

/// What became of a renewal
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renew {
    /// It is held for another lease
    Held(Lock),
    /// It was lost: stop, and decide again on a newly read state
    Lost,
}

/// What became of a forced unlock
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unlock {
    /// This lock is no longer held
    Unlocked(Lock),
    /// There is no lock of this id; these are held
    NotHeld(Vec<Lock>),
}

impl LockFile {
    /// The file after `request`, none if somebody is in the way
    fn acquire(mut self, request: &LockRequest, now: Millis) -> (Option<Self>, Acquire) {
        self.holders.retain(|lock| lock.live(now));
        let lease_until = now + request.lease;
        if let Some(own) =
            self.holders.iter_mut().find(|lock| lock.id == request.id && lock.mode == request.mode)
        {
            own.lease_until = own.lease_until.max(lease_until);
            let own = own.clone();
            return (Some(self), Acquire::Held(own));
        }
        let shares = |lock: &&Lock| lock.mode == LockMode::Shared && request.mode == LockMode::Shared;
        if let Some(other) = self.holders.iter().find(|lock| !shares(lock)) {
            return (None, Acquire::Busy(other.clone()));
        }
        self.fencing = self.fencing.saturating_add(1);
        let lock = Lock {
            id: request.id.clone(),
            owner: request.owner.clone(),
            operation: request.operation,
            mode: request.mode,
            acquired_at: now,
            lease_until,
            fencing: self.fencing,
            released: None,
        };
        self.holders.push(lock.clone());
        (Some(self), Acquire::Held(lock))
    }

    /// The file after `change` of the lock with this id and, if given, this fencing number; none if it is not held
    fn change(
        mut self,
        id: &str,
        fencing: Option<u64>,
        held: impl Fn(&Lock) -> bool,
        change: impl Fn(&mut Lock),
    ) -> Option<(Self, Lock)> {
        let is_it = |lock: &Lock| lock.id == id && fencing.is_none_or(|fencing| lock.fencing == fencing);
        let lock = self.holders.iter_mut().find(|lock| is_it(lock) && held(lock))?;
        change(lock);
        let lock = lock.clone();
        Some((self, lock))
    }
}

impl Ledger {
    /// Takes the lock, if nobody has it who does not share it
    pub async fn lock_acquire(&self, request: &LockRequest, now: Millis) -> Result<Acquire, LedgerError> {
        self.lock_swap(|file| file.acquire(request, now)).await
    }

    /// Keeps the lock for another `lease`; a lease that ran out can still be renewed while nobody took the lock
    pub async fn lock_renew(&self, held: &Lock, lease: Millis, now: Millis) -> Result<Renew, LedgerError> {
        let (id, fencing) = (&held.id, Some(held.fencing));
        let extend = |lock: &mut Lock| lock.lease_until = lock.lease_until.max(now + lease);
        self.lock_swap(|file| match file.change(id, fencing, |lock| lock.released.is_none(), extend) {
            Some((file, lock)) => (Some(file), Renew::Held(lock)),
            None => (None, Renew::Lost),
        })
        .await
    }

    /// Gives the lock back; `false` if it was lost before. May be repeated
    pub async fn lock_release(&self, held: &Lock, now: Millis) -> Result<bool, LedgerError> {
        let (id, fencing) = (&held.id, Some(held.fencing));
        let release = |lock: &mut Lock| lock.released = lock.released.or(Some(now));
        self.lock_swap(|file| match file.change(id, fencing, |_| true, release) {
            Some((file, _)) => (Some(file), true),
            None => (None, false),
        })
        .await
    }

    /// Takes the lock away from the holder that is named by its exact id
    pub async fn force_unlock(&self, id: &str, now: Millis) -> Result<Unlock, LedgerError> {
        let release = |lock: &mut Lock| lock.released = Some(now);
        self.lock_swap(|file| {
            let held = file.holders.iter().filter(|lock| lock.live(now)).cloned().collect();
            match file.change(id, None, |lock| lock.live(now), release) {
                Some((file, lock)) => (Some(file), Unlock::Unlocked(lock)),
                None => (None, Unlock::NotHeld(held)),
            }
        })
        .await
    }

    /// Who holds the lock
    pub async fn locks(&self, now: Millis) -> Result<Vec<Lock>, LedgerError> {
        let (mut file, _) = self.lock_read().await?;
        file.holders.retain(|lock| lock.live(now));
        Ok(file.holders)
    }

    async fn lock_read(&self) -> Result<(LockFile, Option<Etag>), LedgerError> {
        let key = self.keys.lock();
        let Some(object) = self.objects.get(&key).await? else { return Ok((LockFile::default(), None)) };
        let file = serde_json::from_slice(&object.bytes).map_err(|_| LedgerError::Mismatch { key })?;
        Ok((file, Some(object.etag)))
    }

    /// Reads the file, lets `decide` say what it becomes, and swaps it; decides anew if another was first
    async fn lock_swap<T: Send>(
        &self,
        decide: impl Fn(LockFile) -> (Option<LockFile>, T) + Send + Sync,
    ) -> Result<T, LedgerError> {
        let key = self.keys.lock();
        for _ in 0..ROUNDS {
            let (before, etag) = self.lock_read().await?;
            let (after, answer) = decide(before.clone());
            let Some(after) = after.filter(|after| *after != before) else { return Ok(answer) };
            let bytes = canonical::to_vec(&after).map_err(|_| LedgerError::Mismatch { key: key.clone() })?;
            let swapped = match etag {
                None => matches!(
                    self.objects.put_new(&key, Bytes::from(bytes), PutOptions::JSON).await?,
                    Put::Created(_)
                ),
                Some(etag) => matches!(
                    self.objects.put_if_match(&key, Bytes::from(bytes), &etag).await?,
                    Replace::Replaced(_)
                ),
            };
            if swapped {
                return Ok(answer);
            }
        }
        Err(LedgerError::Contended { key })
    }
}
