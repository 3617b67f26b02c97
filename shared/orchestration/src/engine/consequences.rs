//! What follows from a node's end: tell its dependents, drive who was told, end its state, close it
//!
//! In this order, so that a crash anywhere leaves `wake` on the node itself: the node that was to wake another
//! stays findable until the other has been claimed. Its state comes late, since nobody's work waits for it.

use super::{Engine, PARALLEL, work::Work};
use crate::{EngineError, interventions, machines::NodeEnd, scenario};
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, join, stream};
use std::sync::Arc;
use weir_domain::{
    engine::{NodeRun, NodeUpdate, Operation},
    failure::FailureSummary,
    plan::{Executor, NodeType},
};
use weir_store::{Applied, NodeKey};

impl Engine {
    pub(super) async fn consequences(
        &self,
        key: &NodeKey,
        node: NodeRun,
        seen: Option<Arc<Operation>>,
        work: &mut Work,
    ) -> Result<(), EngineError> {
        if !self.tell_all(key, &node, seen, work).await? {
            // A dependent is not there yet: begin is still putting nodes, and will drive this one again.
            return Ok(());
        }
        interventions::close(self, key, &node).await?;
        if node.terms.kind == NodeType::SubOperation {
            scenario::cancel_child(self, key, &node).await?;
        }
        if node.terms.runs == Executor::Join {
            // A join has no iteration whose end would close its segment.
            self.close_segment_if_ended(&key.scope, key.operation, node.segment).await?;
        }
        work.close(key.clone(), node);
        Ok(())
    }

    /// Its dependents have been told, and whoever that made claimable has been driven: ends its state, and closes it
    pub(super) async fn close(&self, key: NodeKey, node: NodeRun) -> Result<Work, EngineError> {
        for token in &node.tokens {
            self.send(&node, token).await?;
        }
        let mut work = Work::default();
        match self.update(&key, &NodeUpdate::Close { out_ver: node.out_ver }).await? {
            // A patch added a dependent meanwhile.
            Applied::Refused(Some(now)) if now.status.is_terminal() && !now.closed => work.ended(key, now),
            Applied::Done(_) | Applied::Refused(_) => {}
        }
        Ok(work)
    }

    /// Tells every dependent, and puts on the list what the tellings make possible; `false` if one is missing
    async fn tell_all(
        &self,
        key: &NodeKey,
        node: &NodeRun,
        seen: Option<Arc<Operation>>,
        work: &mut Work,
    ) -> Result<bool, EngineError> {
        let update = if node.is_satisfying() {
            NodeUpdate::Tell { from: node.ordinal }
        } else {
            NodeUpdate::Skip { now: self.clock.now(), error: FailureSummary::dependency(node.ordinal) }
        };
        let dependents = node.out.iter().map(|ordinal| NodeKey::new(&key.scope, key.operation, *ordinal));
        let tellings: Vec<_> = dependents.map(|dependent| self.tell(dependent, &update).boxed()).collect();
        let told = stream::iter(tellings).buffered(PARALLEL).try_collect::<Vec<_>>();
        let (told, seen) = join!(told, self.look_meanwhile(key, node, seen));
        let mut complete = true;
        for (dependent, applied) in told? {
            match applied {
                Applied::Done(after) if after.status.is_terminal() && !after.closed => {
                    work.ended(dependent, after)
                }
                Applied::Done(after) if after.is_claimable() => {
                    work.drive_seen(dependent, after, seen.clone());
                }
                Applied::Done(_) | Applied::Refused(Some(_)) => {}
                Applied::Refused(None) => complete = false,
            }
        }
        Ok(complete)
    }

    /// The operation as it was `seen`, or read while dependents are told: of use only if it lets them be claimed
    /// (ADR 32)
    async fn look_meanwhile(
        &self,
        key: &NodeKey,
        node: &NodeRun,
        seen: Option<Arc<Operation>>,
    ) -> Option<Arc<Operation>> {
        if seen.is_some() || node.out.is_empty() || !node.is_satisfying() {
            return seen;
        }
        // Whoever claims reads it again where this brought nothing.
        self.operation(&key.scope, key.operation).await.ok().map(Arc::new)
    }

    async fn tell(
        &self,
        dependent: NodeKey,
        update: &NodeUpdate,
    ) -> Result<(NodeKey, Applied<NodeRun>), EngineError> {
        let applied = self.update(&dependent, update).await?;
        Ok((dependent, applied))
    }

    /// Ends the state that waits for `token`; the output depends on the final item only
    pub(super) async fn send(&self, node: &NodeRun, token: &str) -> Result<(), EngineError> {
        let end = NodeEnd { node: node.ordinal, status: node.status };
        let output = serde_json::to_string(&end).map_err(|e| EngineError::Inconsistent(e.to_string()))?;
        self.machines.succeed(token, &output).await?;
        Ok(())
    }
}
