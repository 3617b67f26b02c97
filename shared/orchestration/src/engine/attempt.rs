//! One attempt of a node: start it, keep its lease, end it
//!
//! Each carries the attempt that it is about, and an older one changes nothing: a holder that was given up
//! cannot speak for the one that followed it.

use super::{Engine, work::Work};
use crate::EngineError;
use std::sync::Arc;
use weir_domain::{
    engine::{CLOCKS, LEASE, NodeRun, NodeUpdate, Operation, after_failure},
    failure::FailureSummary,
    plan::NodeStatus,
    time::Millis,
};
use weir_store::{Applied, NodeKey};

/// What became of an attempt that somebody wanted to start
#[derive(Debug, Clone, PartialEq)]
pub enum Started {
    /// It is yours
    Yes(Box<NodeRun>),
    /// It may not start before this much longer
    TooEarly(Millis),
    /// Somebody else has it, or it is not wanted any more
    No,
}

/// How an attempt ended
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Well
    Succeeded,
    /// Badly
    Failed {
        /// Why: already sanitised
        error: FailureSummary,
        /// Whether another attempt may help
        retryable: bool,
    },
}

/// What became of a report
#[derive(Debug, Clone, PartialEq)]
pub enum Reported {
    /// It counts; the same report again is answered the same
    Accepted(Box<NodeRun>),
    /// Another attempt has the node now, or another report ended it: it changes nothing
    Refused(Box<NodeRun>),
    /// There is no such node
    Missing,
}

impl Engine {
    /// Begins the work of the attempt that `seen`, read consistently, shows for `holder`, within all its time limits: one
    /// winner
    ///
    /// What runs already is given to nobody, not even to its holder: he asks for all that is queued, by an index that may
    /// be behind, and would do it twice. Where he was never answered, the lease passes.
    pub async fn start(&self, key: &NodeKey, seen: &NodeRun, holder: &str) -> Result<Started, EngineError> {
        if seen.status != NodeStatus::Ready {
            return Ok(Started::No);
        }
        self.start_within(key, seen.attempt, holder, seen.terms.timeout_s, seen.ends_by).await
    }

    /// Begins the work of `attempt` for `holder`, within `timeout_s` and before `ends_by`: one winner
    pub(crate) async fn start_within(
        &self,
        key: &NodeKey,
        attempt: u32,
        holder: &str,
        timeout_s: u32,
        ends_by: Option<Millis>,
    ) -> Result<Started, EngineError> {
        let now = self.clock.now();
        let limit = now + Millis::from_secs(i64::from(timeout_s));
        let deadline = ends_by.map_or(limit, |end| end.min(limit));
        if deadline <= now {
            // Too late is for whoever drives the node: it ends then.
            return Ok(Started::No);
        }
        let lease_until = (deadline + CLOCKS).min(now + LEASE);
        let start = NodeUpdate::Start { attempt, holder: holder.to_owned(), now, lease_until, deadline };
        Ok(match self.update(key, &start).await? {
            Applied::Done(node) => Started::Yes(Box::new(node)),
            Applied::Refused(Some(node)) if node.status == NodeStatus::Ready && node.attempt == attempt => {
                Started::TooEarly(node.not_before.map_or(Millis(0), |at| at - now))
            }
            Applied::Refused(_) => Started::No,
        })
    }

    /// The holder of `attempt` lives. `None`: it has been given up and must stop
    pub async fn heartbeat(&self, key: &NodeKey, attempt: u32) -> Result<Option<NodeRun>, EngineError> {
        let Some(node) = self.table.node_get(key).await? else { return Ok(None) };
        self.renew(key, &node, attempt).await
    }

    /// The holder of `attempt`, to which `node` belonged a moment before, lives. `None`: it has been given up and must
    /// stop
    pub async fn renew(
        &self,
        key: &NodeKey,
        node: &NodeRun,
        attempt: u32,
    ) -> Result<Option<NodeRun>, EngineError> {
        let until = self.clock.now() + LEASE;
        // A lease ends with its attempt's time limit, or a holder could live for ever: a moment later, since he stops
        // then by his own clock.
        let lease_until = node.deadline.map_or(until, |deadline| until.min(deadline + CLOCKS));
        match self.update(key, &NodeUpdate::Heartbeat { attempt, lease_until }).await? {
            Applied::Done(node) => Ok(Some(node)),
            Applied::Refused(_) => Ok(None),
        }
    }

    /// `attempt` has ended; `result_id` names the report, so that the same one again is recognised
    pub async fn report(
        &self,
        key: &NodeKey,
        attempt: u32,
        outcome: Outcome,
        result_id: String,
    ) -> Result<Reported, EngineError> {
        self.report_held(key, attempt, outcome, result_id, Millis(0), None).await
    }

    /// The same, where the operation was `seen` a moment before
    pub async fn report_seen(
        &self,
        key: &NodeKey,
        attempt: u32,
        outcome: Outcome,
        result_id: String,
        seen: Option<Arc<Operation>>,
    ) -> Result<Reported, EngineError> {
        self.report_held(key, attempt, outcome, result_id, Millis(0), seen).await
    }

    /// The same; another attempt, if there is one, is held back for at least `hold`
    pub(crate) async fn report_held(
        &self,
        key: &NodeKey,
        attempt: u32,
        outcome: Outcome,
        result_id: String,
        hold: Millis,
        seen: Option<Arc<Operation>>,
    ) -> Result<Reported, EngineError> {
        let now = self.clock.now();
        let update = match outcome {
            // Most attempts end well: nothing has to be read first, the condition says whether it still counts.
            Outcome::Succeeded => NodeUpdate::Complete {
                attempt,
                status: NodeStatus::Succeeded,
                result_id: result_id.clone(),
                now,
                error: None,
                lease_seen: None,
            },
            Outcome::Failed { error, retryable } => {
                let Some(node) = self.table.node_get(key).await? else { return Ok(Reported::Missing) };
                if node.attempt != attempt {
                    return Ok(refused(node, attempt, &result_id));
                }
                let id = result_id.clone();
                after_failure(&node, error, retryable, id, now, self.jitter(), None).held(now + hold)
            }
        };
        let mut work = Work::default();
        let after = match self.update(key, &update).await? {
            Applied::Done(after) => after,
            Applied::Refused(Some(now)) => return Ok(refused(now, attempt, &result_id)),
            Applied::Refused(None) => return Ok(Reported::Missing),
        };
        if after.status.is_terminal() {
            work.ended_seen(key.clone(), after.clone(), seen);
        } else {
            self.after_attempt(key.clone(), after.clone(), &mut work).await?;
        }
        self.carry_out(work).await?;
        Ok(Reported::Accepted(Box::new(after)))
    }
}

/// A report that changes nothing. One that did before is accepted again: it ended the node, or its failure has led to
/// another attempt, or to asking a person; but not if that was not reported but found: then this report comes too late
fn refused(node: NodeRun, attempt: u32, result_id: &str) -> Reported {
    let was_said = |error: &FailureSummary| !error.reconciled;
    let was_before = node.past.iter().any(|past| past.attempt == attempt && was_said(&past.error));
    let asks = node.awaits_person() && node.attempt == attempt && node.error.as_ref().is_some_and(was_said);
    if was_before || asks || node.result_id.as_deref() == Some(result_id) {
        return Reported::Accepted(Box::new(node));
    }
    Reported::Refused(Box::new(node))
}
