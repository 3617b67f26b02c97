//! Finish: one writer ends the operation; what follows from that is repeatable
//!
//! The end is written first. Then the root execution is told, whose `Finish` state runs the body; where nobody
//! waits for the token any more, the body runs here. A crash between the two leaves `todo` on the operation.

use super::{
    Engine,
    cancel::{ABORT, DEADLINE},
};
use crate::{EngineError, assignments, definition, delivery, gates, machines::Sent, scenario};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use std::collections::BTreeMap;
use weir_domain::{
    engine::{NodeRun, Operation, OperationUpdate, TODO_FINISH, TODO_PATIENCE},
    failure::FailureSummary,
    id::OperationId,
    operation::{OperationStatus, OperationType, count_keys, node_counts, target_counts},
    plan::{Executor, NodeStatus, OnFailure},
    sanitise::sanitise,
    scope::Scope,
};
use weir_store::{Applied, Key, TransactError, Write};

/// Segments that are read at a time
const READ_PARALLEL: usize = 8;

impl Engine {
    /// Every segment has been closed: ends the operation
    pub(super) async fn finish(&self, operation: &Operation) -> Result<(), EngineError> {
        let nodes = self.all_nodes(operation).await?;
        let (status, mut failure_summary) = outcome(operation, &nodes);
        let summary_counts = self.counts(operation, &nodes).await?;
        if operation.info.operation_type.counts_assignments() {
            let failed = assignments::failure(&summary_counts).filter(|_| status == OperationStatus::Failed);
            failure_summary = failed.or(failure_summary);
        }
        let now = self.clock.now();
        let finish = OperationUpdate::Finish {
            status,
            now,
            wake: now + TODO_PATIENCE,
            failure_summary,
            summary_counts,
        };
        let ended = match self.update_operation(operation, &finish).await? {
            Applied::Done(ended) => ended,
            Applied::Refused(Some(ended)) if !ended.is_active() && !ended.finished => ended,
            Applied::Refused(_) => return Ok(()),
        };
        if self.end_root(&ended).await? { Ok(()) } else { self.finish_steps(&ended).await }
    }

    /// Ends the wait of every root execution; whether one of them goes on with `Finish`
    async fn end_root(&self, ended: &Operation) -> Result<bool, EngineError> {
        let mut told = false;
        for token in &ended.tokens {
            told |= self.send_root(ended, token).await? == Sent::Accepted;
        }
        Ok(told)
    }

    /// Whoever ended the operation died at what follows: all of it once more, the tokens first
    pub(super) async fn finish_again(&self, operation: &Operation) -> Result<(), EngineError> {
        if !operation.is_active() {
            self.end_root(operation).await?;
        }
        self.finish_steps(operation).await
    }

    /// What is counted of an operation that has ended
    async fn counts(
        &self,
        operation: &Operation,
        nodes: &[NodeRun],
    ) -> Result<BTreeMap<String, u64>, EngineError> {
        let info = &operation.info;
        let mut counts: BTreeMap<String, u64> =
            count_keys(info.operation_type).map(|key| (key.to_owned(), 0)).collect();
        let told = nodes.iter().filter(|node| node.terms.runs != Executor::Join);
        counts.extend(node_counts(told.map(|node| node.status)));
        match info.operation_type {
            OperationType::Deploy
            | OperationType::Promote
            | OperationType::Rollback
            | OperationType::ScenarioRun => {
                let graph = self.graph_of(operation).await?;
                let about = |node: &NodeRun| Some((graph.node(node.ordinal)?.target.as_ref()?, node.status));
                counts.extend(target_counts(nodes.iter().filter_map(about)));
            }
            OperationType::DefinitionApply
            | OperationType::AssignmentsFetch
            | OperationType::AssignmentsRestore
            | OperationType::ProjectionsRebuild => counts.extend(self.said_counts(operation, nodes).await?),
            OperationType::PipelineRun | OperationType::ReconcileAdapterRuns => {}
        }
        Ok(counts)
    }

    /// What follows from the operation's end; called by the root execution's `Finish`
    pub async fn finish_operation(&self, scope: &Scope, id: OperationId) -> Result<(), EngineError> {
        let operation = self.operation(scope, id).await?;
        if operation.is_active() { Ok(()) } else { self.finish_steps(&operation).await }
    }

    /// The root execution ended without its operation: what is open is ended, so that it hangs on nobody
    ///
    /// `why` is what the execution said, which comes from outside: what may be secret is taken out of it.
    pub async fn abort(&self, scope: &Scope, id: OperationId, why: Option<&str>) -> Result<(), EngineError> {
        let operation = self.operation(scope, id).await?;
        if operation.is_active() {
            let why = why.map(sanitise).filter(|why| !why.is_empty());
            self.cancel_because(scope, id, ABORT, why).await?;
            return Ok(());
        }
        self.finish_steps(&operation).await
    }

    /// The body: each step may be repeated by anyone
    pub(super) async fn finish_steps(&self, operation: &Operation) -> Result<(), EngineError> {
        if operation.finished {
            scenario::ended(self, operation).await?;
            return self.done(operation, TODO_FINISH).await;
        }
        match operation.info.operation_type {
            OperationType::Rollback if operation.info.promotion_id.is_none() => {
                scenario::conclude_rollback(self, operation).await?;
            }
            OperationType::Deploy | OperationType::Promote | OperationType::Rollback => {
                delivery::conclude(self, operation).await?;
            }
            OperationType::DefinitionApply => definition::conclude(self, operation).await?,
            OperationType::ScenarioRun => scenario::conclude(self, operation).await?,
            OperationType::AssignmentsFetch
            | OperationType::AssignmentsRestore
            | OperationType::ProjectionsRebuild => {
                assignments::conclude(self, operation).await?;
            }
            OperationType::PipelineRun | OperationType::ReconcileAdapterRuns => {}
        }
        self.release_run(operation).await?;
        gates::operation_ended(self, operation).await?;
        self.leave_queues(operation).await?;
        self.update_operation(operation, &OperationUpdate::Finished).await?;
        // Last: whoever runs this operation takes its end for one when all that follows from it has been done.
        scenario::ended(self, operation).await?;
        self.done(operation, TODO_FINISH).await
    }

    /// Lets the next operation of the same identity begin; the lock of another operation is left alone
    async fn release_run(&self, operation: &Operation) -> Result<(), EngineError> {
        let info = &operation.info;
        let key = Key::active_run(&info.scope, &info.run_identity_hash);
        let Some(lock) = self.table.get(&key).await? else { return Ok(()) };
        if lock.doc.get("operation_id").and_then(|id| id.as_str()) != Some(&info.operation_id.to_string()) {
            return Ok(());
        }
        match self.table.transact(&[Write::Delete { key, expected: lock.version }]).await {
            Ok(()) | Err(TransactError::Conflict(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Ends the root execution's wait
    pub(super) async fn send_root(&self, operation: &Operation, token: &str) -> Result<Sent, EngineError> {
        let output = serde_json::json!({
            "scope": operation.info.scope,
            "operation": operation.info.operation_id,
            "status": operation.status,
        });
        Ok(self.machines.succeed(token, &output.to_string()).await?)
    }

    /// Every node of the operation, by ordinal
    pub async fn all_nodes(&self, operation: &Operation) -> Result<Vec<NodeRun>, EngineError> {
        let info = &operation.info;
        let reads =
            operation.segments().map(|segment| self.table.nodes(&info.scope, info.operation_id, segment));
        let reads: Vec<_> = reads.collect();
        let segments: Vec<Vec<NodeRun>> = stream::iter(reads).buffered(READ_PARALLEL).try_collect().await?;
        Ok(segments.into_iter().flatten().collect())
    }
}

/// How the operation ended, and why if not well: the first failure in the order of the plan
fn outcome(operation: &Operation, nodes: &[NodeRun]) -> (OperationStatus, Option<FailureSummary>) {
    if operation.cancel {
        return (OperationStatus::Cancelled, Some(cancelled(operation)));
    }
    let counts_as_failure =
        |node: &&NodeRun| node.status == NodeStatus::Failed && node.terms.on_failure != OnFailure::Continue;
    let Some(failed) = nodes.iter().find(counts_as_failure) else {
        return (OperationStatus::Succeeded, None);
    };
    let unknown = || FailureSummary::new("failed", format!("node {} failed", failed.ordinal));
    (OperationStatus::Failed, Some(failed.error.clone().unwrap_or_else(unknown)))
}

/// Who had the operation end, and why if that was said; where that was Weir by itself, it is found and not reported
fn cancelled(operation: &Operation) -> FailureSummary {
    let by = operation.cancelled_by.as_deref().unwrap_or("somebody");
    let why = operation.cancelled_because.as_ref().map_or(String::new(), |why| format!(": {why}"));
    let message = format!("cancelled by {by}{why}");
    match by {
        ABORT | DEADLINE => FailureSummary::found("cancelled", message),
        _ => FailureSummary::new("cancelled", message),
    }
}
