//! Drive: look at a node and do what it needs. Anyone may, at any time, any number of times

use super::{
    Engine, PARALLEL,
    work::{Step, Work},
};
use crate::{EngineError, queues::Job};
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use std::sync::Arc;
use weir_domain::{
    engine::{
        Drive, Hold, LOOK_AGAIN, NodeRun, NodeUpdate, Operation, QUEUE_DELAY_MAX, after_failure,
        claim_allowed, drive, look_again,
    },
    failure::FailureSummary,
    plan::{Executor, NodeStatus, NodeType},
    time::Millis,
};
use weir_store::{Applied, NodeKey};

impl Engine {
    /// Reads the node and drives it, and whatever follows from that
    pub async fn drive_node(&self, key: &NodeKey) -> Result<(), EngineError> {
        match self.table.node_get(key).await? {
            Some(node) => self.drive_from(key.clone(), node).await,
            None => Ok(()),
        }
    }

    /// Drives the node as a write has just returned it, and whatever follows from that
    pub async fn drive_from(&self, key: NodeKey, node: NodeRun) -> Result<(), EngineError> {
        let mut work = Work::default();
        work.drive(key, node);
        self.carry_out(work).await
    }

    /// The same, where the operation was `seen` after the node had been written
    pub(super) async fn drive_seen(
        &self,
        key: NodeKey,
        node: NodeRun,
        seen: Arc<Operation>,
    ) -> Result<(), EngineError> {
        let mut work = Work::default();
        work.drive_seen(key, node, Some(seen));
        self.carry_out(work).await
    }

    /// A task token arrived for a node
    pub async fn arrive(&self, key: &NodeKey, token: String) -> Result<(), EngineError> {
        match self.table.node_update(key, &NodeUpdate::Arrive { token: token.clone() }).await? {
            // Ended before its state was entered: whoever ended it may have looked before this token was there.
            Applied::Done(node) if node.status.is_terminal() => {
                self.send(&node, &token).await?;
                if node.closed { Ok(()) } else { self.drive_from(key.clone(), node).await }
            }
            Applied::Done(node) => self.drive_from(key.clone(), node).await,
            Applied::Refused(_) => {
                Err(EngineError::Inconsistent(format!("there is no node {}", key.ordinal)))
            }
        }
    }

    /// Works off the list, wave by wave. Stops at the first error: `wake` on each item says what is left
    pub(super) async fn carry_out(&self, mut work: Work) -> Result<(), EngineError> {
        loop {
            let (steps, closing) = work.wave();
            if steps.is_empty() && closing.is_empty() {
                return Ok(());
            }
            let steps: Vec<_> = steps.into_iter().map(|step| self.carry_step(step).boxed()).collect();
            let left: Vec<Work> = stream::iter(steps).buffered(PARALLEL).try_collect().await?;
            // Only now has everyone who was told been claimed: until then the teller has to stay findable.
            let closing: Vec<_> =
                closing.into_iter().map(|(key, node)| self.close(key, node).boxed()).collect();
            let again: Vec<Work> = stream::iter(closing).buffered(PARALLEL).try_collect().await?;
            left.into_iter().chain(again).for_each(|more| work.extend(more));
        }
    }

    async fn carry_step(&self, step: Step) -> Result<Work, EngineError> {
        let mut work = Work::default();
        match step {
            Step::Drive(key, node, seen) => self.drive_once(key, node, seen, &mut work).await?,
            Step::Consequences(key, node, seen) => self.consequences(&key, node, seen, &mut work).await?,
        }
        Ok(work)
    }

    async fn drive_once(
        &self,
        key: NodeKey,
        node: NodeRun,
        seen: Option<Arc<Operation>>,
        work: &mut Work,
    ) -> Result<(), EngineError> {
        match drive(&node, self.clock.now()) {
            Drive::Claim => self.claim(key, &node, seen, work).await,
            Drive::Dispatch => self.dispatch_again(key, node, work).await,
            Drive::Expire => self.expire(key, &node, work).await,
            Drive::Look => self.look(key, node, work).await,
            Drive::Consequences => {
                work.ended(key, node);
                Ok(())
            }
            Drive::Nothing => Ok(()),
        }
    }

    /// The node was seen claimable. What keeps it from being claimed is believed only if it was read after that look
    /// (rule R1): whoever takes it away looks at nodes afterwards, and would have found this one not claimable yet.
    /// What lets it be claimed may be older: claiming late and having looked early are the same (ADR 32)
    async fn claim(
        &self,
        key: NodeKey,
        node: &NodeRun,
        seen: Option<Arc<Operation>>,
        work: &mut Work,
    ) -> Result<(), EngineError> {
        let operation = match seen.filter(|seen| claim_allowed(seen) == Hold::Go) {
            Some(seen) => seen,
            None => Arc::new(self.operation(&key.scope, key.operation).await?),
        };
        let now = self.clock.now();
        let claim_id = self.claim_id();
        let update = match claim_allowed(&operation) {
            Hold::NotYet | Hold::Paused => return Ok(()),
            Hold::Cancelled => NodeUpdate::Skip { now, error: FailureSummary::cancelled() },
            Hold::Go if node.terms.runs == Executor::Join => NodeUpdate::Pass { claim_id, now },
            Hold::Go => {
                let ends_by = node.terms.ends_by(now);
                let wake = look_again(&node.terms.runs, ends_by, now);
                NodeUpdate::Claim { claim_id, now, wake, ends_by }
            }
        };
        if let Applied::Done(node) = self.update(&key, &update).await? {
            if node.status.is_terminal() {
                work.ended(key, node);
            } else {
                self.dispatch(key, node, Millis(0), work).await?;
            }
        }
        Ok(())
    }

    /// Hands the attempt to whoever executes it; a repetition loses at the start
    async fn dispatch(
        &self,
        key: NodeKey,
        node: NodeRun,
        delay: Millis,
        work: &mut Work,
    ) -> Result<(), EngineError> {
        match &node.terms.runs {
            Executor::Job => self.send_job(&key, &node, delay).await,
            // An agent of the target finds it in its queue.
            Executor::Agent(_) | Executor::Join => Ok(()),
            Executor::Decide => self.decide(key, node, work).await.map(|_| ()),
        }
    }

    async fn send_job(&self, key: &NodeKey, node: &NodeRun, delay: Millis) -> Result<(), EngineError> {
        let job = Job {
            scope: key.scope.clone(),
            operation: key.operation,
            ordinal: key.ordinal,
            attempt: node.attempt,
            timeout_s: node.terms.timeout_s,
            ends_by: node.ends_by,
        };
        Ok(self.queues.send_job(&job, delay).await?)
    }

    /// Nobody started the attempt in time: the dispatch was lost, or nobody was there to hear it
    async fn dispatch_again(&self, key: NodeKey, node: NodeRun, work: &mut Work) -> Result<(), EngineError> {
        let now = self.clock.now();
        let snooze = NodeUpdate::Snooze {
            seen: NodeStatus::Ready,
            attempt: node.attempt,
            wake: look_again(&node.terms.runs, node.ends_by, now),
        };
        match self.update(&key, &snooze).await? {
            Applied::Done(node) => self.dispatch(key, node, Millis(0), work).await,
            Applied::Refused(_) => Ok(()),
        }
    }

    /// The holder fell silent or took too long. A heartbeat between the look and the write wins
    async fn expire(&self, key: NodeKey, node: &NodeRun, work: &mut Work) -> Result<(), EngineError> {
        if node.terms.kind == NodeType::SubOperation {
            // What it runs may have been made already, and then ends before it.
            return self.decide(key, node.clone(), work).await.map(|_| ());
        }
        let now = self.clock.now();
        let late = node.deadline.is_some_and(|deadline| deadline <= now);
        let error = match (node.cancel, late) {
            (true, _) => FailureSummary::cancelled(),
            (false, _) if node.is_over(now) => FailureSummary::found(
                "deadline_passed",
                "all its attempts together took longer than they may",
            ),
            (false, true) => {
                FailureSummary::found("attempt_timed_out", "the attempt took longer than its time limit")
            }
            (false, false) => FailureSummary::found("lease_expired", "whoever ran the attempt fell silent"),
        };
        let result_id = format!("expire/{}", node.attempt);
        let update = after_failure(node, error, true, result_id, now, self.jitter(), node.lease_until);
        self.fail_attempt(key, &update, work).await
    }

    /// Carries out what a failed attempt leads to: another attempt, or the node's end
    pub(super) async fn fail_attempt(
        &self,
        key: NodeKey,
        update: &NodeUpdate,
        work: &mut Work,
    ) -> Result<(), EngineError> {
        if let Applied::Done(node) = self.update(&key, update).await? {
            self.after_attempt(key, node, work).await?;
        }
        Ok(())
    }

    /// What follows when an attempt has failed: the end's consequences, the next attempt, or a person is asked for
    pub(super) async fn after_attempt(
        &self,
        key: NodeKey,
        node: NodeRun,
        work: &mut Work,
    ) -> Result<(), EngineError> {
        if node.status.is_terminal() {
            work.ended(key, node);
        } else if node.awaits_person() {
            work.drive(key, node);
        } else {
            self.dispatch_retry(key, node, work).await?;
        }
        Ok(())
    }

    /// Hands the next attempt out, held back for its backoff; a longer one than the queue can hold waits in the
    /// wake index
    pub(super) async fn dispatch_retry(
        &self,
        key: NodeKey,
        node: NodeRun,
        work: &mut Work,
    ) -> Result<(), EngineError> {
        let delay = node.not_before.map_or(Millis(0), |at| at - self.clock.now());
        if delay <= QUEUE_DELAY_MAX { self.dispatch(key, node, delay, work).await } else { Ok(()) }
    }

    /// A node that waits: has what it waits for happened?
    async fn look(&self, key: NodeKey, node: NodeRun, work: &mut Work) -> Result<(), EngineError> {
        let due = node.is_due(self.clock.now());
        let attempt = node.attempt;
        let until = self.decide(key.clone(), node, work).await?;
        if due {
            let soon = self.clock.now() + LOOK_AGAIN;
            let wake = until.map_or(soon, |until| until.min(soon));
            self.update(&key, &NodeUpdate::Snooze { seen: NodeStatus::Waiting, attempt, wake }).await?;
        }
        Ok(())
    }

    /// 0..=1000, to spread retries
    pub(super) fn jitter(&self) -> u16 {
        u16::try_from(self.clock.random() % 1001).unwrap_or(0)
    }
}
