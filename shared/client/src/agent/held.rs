//! The attempts that the agent holds, and for how long, by its own clock
//!
//! The lease is measured from the moment the request that brought it was *sent*, or from as much later as the
//! server says that it held it, and given up a margin before it ends: by then nobody else has been given the task.
//! The clock is `Instant`, which does not run while the machine sleeps; a report from after that is refused by its
//! attempt.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::{Notify, watch};
use weir_domain::id::TaskId;
use weir_edge::wire::{
    agent::{HeartbeatAck, TaskAttempt},
    task::Task,
};

/// Why work on a task ends before it is done
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// The control plane wants it no more, or has given it to another attempt
    #[error("the control plane cancelled the task")]
    Cancelled,
    /// The lease is about to pass and could not be renewed
    #[error("the lease could not be renewed in time")]
    LeaseLost,
}

/// The attempts that are worked on, shared by the heartbeat and the work
#[derive(Debug, Clone, Default)]
pub struct Held {
    attempts: Arc<Mutex<Attempts>>,
    /// Told of every attempt that is taken: its lease may end before the next heartbeat
    taken: Arc<Notify>,
}

/// By task and attempt: a task may come back while its last attempt is still being put away
type Attempts = BTreeMap<(TaskId, u32), Attempt>;

#[derive(Debug)]
struct Attempt {
    /// When work must have stopped
    give_up: watch::Sender<Instant>,
    /// From when the lease counts
    asked: Instant,
    lease: Duration,
    cancelled: watch::Sender<bool>,
}

/// The work's side: says when to stop
#[derive(Debug)]
pub struct Watch {
    give_up: watch::Receiver<Instant>,
    cancelled: watch::Receiver<bool>,
}

/// When what a claim has brought can have begun at the earliest: it was sent at `sent`, and held for `waited` before
/// anything was begun; not after its answer, whatever the server says
pub fn begun_after(sent: Instant, waited: Duration) -> Instant {
    let now = Instant::now();
    sent.checked_add(waited).map_or(now, |begun| begun.min(now))
}

/// When to give up a lease of `remaining` that was asked for at `sent`
fn give_up_at(sent: Instant, remaining: Duration) -> Instant {
    // A fifth is time enough for the call that is under way when it passes.
    sent + remaining.mul_f64(0.8)
}

impl Held {
    /// Takes `task`, which was begun at `begun` at the earliest; `None` where this attempt is held already
    pub fn take(&self, task: &Task, begun: Instant) -> Option<Watch> {
        let lease = Duration::from_millis(task.lease_remaining_ms);
        let (give_up, give_up_seen) = watch::channel(give_up_at(begun, lease));
        let (cancelled, cancelled_seen) = watch::channel(false);
        match self.lock().entry((task.task, task.attempt)) {
            Entry::Occupied(_) => return None,
            Entry::Vacant(place) => place.insert(Attempt { give_up, asked: begun, lease, cancelled }),
        };
        self.taken.notify_one();
        Some(Watch { give_up: give_up_seen, cancelled: cancelled_seen })
    }

    /// Lets go of this attempt at `task`
    pub fn release(&self, task: &Task) {
        self.lock().remove(&(task.task, task.attempt));
    }

    /// What the next heartbeat is to renew
    pub fn attempts(&self) -> Vec<TaskAttempt> {
        self.lock().keys().map(|(task, attempt)| TaskAttempt { task: *task, attempt: *attempt }).collect()
    }

    /// Ends when an attempt is taken
    pub async fn taken(&self) {
        self.taken.notified().await;
    }

    /// When the next heartbeat is due at the latest, after one that was sent at `last`: thrice within a lease, whether
    /// that one has renewed it or not
    pub fn renew_at(&self, last: Instant) -> Option<Instant> {
        self.lock().values().map(|held| held.asked.max(last) + held.lease / 3).min()
    }

    /// Takes in the answer to a heartbeat that was sent at `sent`
    pub fn renewed(&self, ack: &HeartbeatAck, sent: Instant) {
        let mut attempts = self.lock();
        for cancelled in &ack.cancel {
            if let Some(held) = attempts.get(&(cancelled.task, cancelled.attempt)) {
                held.cancelled.send_replace(true);
            }
        }
        for lease in &ack.leases {
            let Some(held) = attempts.get_mut(&(lease.task, lease.attempt)) else { continue };
            (held.asked, held.lease) = (sent, Duration::from_millis(lease.lease_remaining_ms));
            let until = give_up_at(sent, held.lease);
            // Answers may overtake each other; a lease only ever grows.
            held.give_up.send_if_modified(|give_up| {
                let later = until > *give_up;
                *give_up = until.max(*give_up);
                later
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Attempts> {
        // Nothing that holds the lock can panic half-way through a change.
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    /// Ends when the work has to
    pub async fn stopped(&mut self) -> Stop {
        loop {
            if *self.cancelled.borrow_and_update() {
                return Stop::Cancelled;
            }
            let give_up = *self.give_up.borrow_and_update();
            if give_up <= Instant::now() {
                return Stop::LeaseLost;
            }
            tokio::select! {
                () = tokio::time::sleep_until(give_up.into()) => {}
                changed = self.cancelled.changed() => if changed.is_err() { return Stop::Cancelled },
                changed = self.give_up.changed() => if changed.is_err() { return Stop::Cancelled },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use weir_edge::wire::agent::Lease;

    fn task(lease_ms: u64) -> Task {
        serde_json::from_value(json!({
            "task": "op_01ARZ3NDEKTSV4RRFFQ69G5FAV.2", "attempt": 3, "target": "target.a.b",
            "lease_until": "2026-01-01T00:00:30Z", "lease_remaining_ms": lease_ms,
            "deadline": "2026-01-01T00:10:00Z", "deadline_remaining_ms": 600_000,
            "kind": "deploy.host",
            "input": {
                "release": "rel_01ARZ3NDEKTSV4RRFFQ69G5FAV", "component": "component.web",
                "digest": weir_domain::canonical::Digest::of_bytes(b""), "artifact": {"url": "http://x/", "size": 3},
                "run": {"command": ["true"]}, "sticker": {},
            },
        }))
        .unwrap()
    }

    fn ack(attempt: u32, lease_ms: u64, cancel: bool) -> HeartbeatAck {
        let task = task(0).task;
        let lease = Lease { task, attempt, lease_until: crate::clock::now(), lease_remaining_ms: lease_ms };
        let cancel = if cancel { vec![TaskAttempt { task, attempt }] } else { vec![] };
        HeartbeatAck { cancel, leases: vec![lease] }
    }

    #[tokio::test]
    async fn a_lease_that_is_not_renewed_is_given_up_and_one_that_is_not_ours_renews_nothing() {
        let held = Held::default();
        let sent = Instant::now() - Duration::from_millis(900);
        let mut watch = held.take(&task(1_000), sent).unwrap();
        held.renewed(&ack(2, 60_000, true), Instant::now());
        assert_eq!(watch.stopped().await, Stop::LeaseLost);
    }

    #[test]
    fn a_task_has_begun_when_the_server_says_but_never_after_its_answer() {
        let sent = Instant::now() - Duration::from_secs(6);
        let waited = Duration::from_secs(5);
        assert_eq!(begun_after(sent, waited), sent + waited);
        for too_long in [Duration::from_secs(60), Duration::MAX] {
            assert!(begun_after(sent, too_long) <= Instant::now());
        }
    }

    #[tokio::test]
    async fn attempts_are_held_and_let_go_one_by_one() {
        let held = Held::default();
        let mut second = Task { attempt: 4, ..task(300) };
        second.task.ordinal = 9;
        let (one, two) = (held.take(&task(60_000), Instant::now()), held.take(&second, Instant::now()));
        let (mut one, mut two) = (one.unwrap(), two.unwrap());
        assert_eq!(held.attempts().len(), 2);
        held.renewed(&ack(3, 60_000, true), Instant::now());
        assert_eq!((one.stopped().await, two.stopped().await), (Stop::Cancelled, Stop::LeaseLost));
        held.release(&task(1));
        assert_eq!(held.attempts(), [TaskAttempt { task: second.task, attempt: 4 }]);
    }

    #[tokio::test]
    async fn an_attempt_that_is_held_is_not_taken_again_and_goes_on_by_its_own_lease() {
        let held = Held::default();
        let mut watch = held.take(&task(1_000), Instant::now() - Duration::from_millis(900)).unwrap();
        assert!(held.take(&task(60_000), Instant::now()).is_none());
        assert_eq!(watch.stopped().await, Stop::LeaseLost, "what came again has renewed nothing");
        held.release(&task(1));
        assert!(held.take(&task(60_000), Instant::now()).is_some());
    }

    #[test]
    fn a_heartbeat_is_due_a_third_into_the_shortest_lease() {
        let (held, start) = (Held::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(held.renew_at(start), None);
        let _long = held.take(&task(60_000), after(3));
        assert_eq!(
            held.renew_at(start),
            Some(after(23)),
            "the task's own lease counts, not the last heartbeat"
        );
        held.renewed(&ack(3, 30_000, false), after(20));
        assert_eq!(held.renew_at(after(20)), Some(after(30)));
        assert_eq!(
            held.renew_at(after(25)),
            Some(after(35)),
            "one that got no answer is tried again as soon"
        );
        let mut short = task(15_000);
        short.task.ordinal = 9;
        let _short = held.take(&short, after(22));
        assert_eq!(held.renew_at(after(20)), Some(after(27)));
    }

    #[tokio::test]
    async fn a_renewed_lease_is_kept_until_it_is_cancelled() {
        let held = Held::default();
        let mut watch = held.take(&task(100), Instant::now()).unwrap();
        held.renewed(&ack(3, 600_000, false), Instant::now());
        held.renewed(&ack(3, 1, false), Instant::now());
        assert!(tokio::time::timeout(Duration::from_millis(150), watch.stopped()).await.is_err());
        held.renewed(&ack(3, 600_000, true), Instant::now());
        assert_eq!(watch.stopped().await, Stop::Cancelled);
    }
}
