//! Cancel, pause and resume: write the operation first, then look at its nodes (rule R1)

use super::{Engine, work::Work};
use crate::{EngineError, scenario};
use futures::{FutureExt as _, future::BoxFuture};
use weir_domain::{
    engine::{CANCEL_GRACE, NodeRun, NodeUpdate, Operation, OperationUpdate, TODO_CANCEL, TODO_PATIENCE},
    failure::FailureSummary,
    id::OperationId,
    operation::OperationStatus,
    plan::{NodeStatus, NodeType},
    scope::Scope,
};
use weir_store::{Applied, NodeKey};

/// As what an operation is cancelled whose root execution has ended without it
pub(super) const ABORT: &str = "system:abort";

/// As what an operation is cancelled whose time is over
pub(super) const DEADLINE: &str = "system:deadline";

impl Engine {
    /// Asks the operation to stop. `None` if it had ended already, or there is none
    pub async fn cancel(
        &self,
        scope: &Scope,
        operation: OperationId,
        by: &str,
    ) -> Result<Option<Operation>, EngineError> {
        self.cancel_because(scope, operation, by, None).await
    }

    /// The same, for a reason that the operation's failure tells: nobody has asked for it
    pub(super) async fn cancel_because(
        &self,
        scope: &Scope,
        operation: OperationId,
        by: &str,
        why: Option<String>,
    ) -> Result<Option<Operation>, EngineError> {
        let wake = self.clock.now() + TODO_PATIENCE;
        let cancel = OperationUpdate::Cancel { by: by.to_owned(), why, wake };
        let after = match self.table.operation_update(scope, operation, &cancel).await? {
            Applied::Done(after) => after,
            Applied::Refused(Some(now)) if now.is_active() && now.cancel => now,
            Applied::Refused(_) => return Ok(None),
        };
        self.sweep_cancelled(&after).await?;
        if after.status == OperationStatus::Queued && !after.materialised {
            self.begin_queued(&after).await?;
        }
        Ok(Some(after))
    }

    /// An operation that was cancelled in its queue need not wait for its turn to end. Boxed: beginning may cancel
    fn begin_queued<'a>(&'a self, operation: &'a Operation) -> BoxFuture<'a, Result<(), EngineError>> {
        self.begin_steps(operation).boxed()
    }

    /// Ends every node that nobody works on and asks the others to stop. It ends no token itself: only
    /// consequences do, otherwise the operation would finish over running jobs
    pub(super) async fn sweep_cancelled(&self, operation: &Operation) -> Result<(), EngineError> {
        if !operation.materialised {
            return Ok(()); // begin sweeps when all nodes are there
        }
        let info = &operation.info;
        for segment in operation.segments() {
            for node in self.table.nodes(&info.scope, info.operation_id, segment).await? {
                let key = NodeKey::new(&info.scope, info.operation_id, node.ordinal);
                self.cancel_node(key, node).await?;
            }
        }
        self.done(operation, TODO_CANCEL).await
    }

    async fn cancel_node(&self, key: NodeKey, mut node: NodeRun) -> Result<(), EngineError> {
        loop {
            let now = self.clock.now();
            let (seen, attempt) = (node.status, node.attempt);
            let runs_child = node.terms.kind == NodeType::SubOperation && !node.awaits_person();
            let wake = now + CANCEL_GRACE;
            let update = match seen {
                // It ends when its child has, and waits for no person then: otherwise the operation would finish over
                // running jobs.
                NodeStatus::Waiting if runs_child => NodeUpdate::CancelRunning { attempt, wake },
                NodeStatus::Pending | NodeStatus::Ready | NodeStatus::Waiting => {
                    NodeUpdate::CancelIdle { seen, attempt, now, error: FailureSummary::cancelled() }
                }
                NodeStatus::Running => NodeUpdate::CancelRunning { attempt, wake },
                NodeStatus::Succeeded | NodeStatus::Failed | NodeStatus::Skipped => return Ok(()),
            };
            match self.update(&key, &update).await? {
                Applied::Done(after) if after.status.is_terminal() => {
                    let mut work = Work::default();
                    work.ended(key, after);
                    return self.carry_out(work).await;
                }
                Applied::Done(after) if after.terms.kind == NodeType::SubOperation => {
                    return scenario::cancel_child(self, &key, &after).await;
                }
                Applied::Done(_) | Applied::Refused(None) => return Ok(()),
                // It moved between the look and the write: look again.
                Applied::Refused(Some(now)) => node = now,
            }
        }
    }
}
