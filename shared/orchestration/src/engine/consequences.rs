//! What follows from a node's end: tell its dependents, end its state, drive who was told, close it
//!
//! In this order, so that a crash anywhere leaves `wake` on the node itself: the node that was to wake another
//! stays findable until the other has been claimed.

use super::{Engine, PARALLEL, work::Work};
use crate::{EngineError, interventions, machines::NodeEnd, scenario};
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use weir_domain::{
    engine::{NodeRun, NodeUpdate},
    failure::FailureSummary,
    plan::{Executor, NodeType},
};
use weir_store::{Applied, NodeKey};

impl Engine {
    pub(super) async fn consequences(
        &self,
        key: &NodeKey,
        node: NodeRun,
        work: &mut Work,
    ) -> Result<(), EngineError> {
        if !self.tell_all(key, &node, work).await? {
            // A dependent is not there yet: begin is still putting nodes, and will drive this one again.
            return Ok(());
        }
        interventions::close(self, key, &node).await?;
        for token in &node.tokens {
            self.send(&node, token).await?;
        }
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

    /// Its consequences have been done, and whoever they made claimable has been driven
    pub(super) async fn close(&self, key: NodeKey, node: NodeRun) -> Result<Work, EngineError> {
        let mut work = Work::default();
        match self.update(&key, &NodeUpdate::Close { out_ver: node.out_ver }).await? {
            // A patch added a dependent meanwhile.
            Applied::Refused(Some(now)) if now.status.is_terminal() && !now.closed => work.ended(key, now),
            Applied::Done(_) | Applied::Refused(_) => {}
        }
        Ok(work)
    }

    /// Tells every dependent, and puts on the list what the tellings make possible; `false` if one is missing
    async fn tell_all(&self, key: &NodeKey, node: &NodeRun, work: &mut Work) -> Result<bool, EngineError> {
        let update = if node.is_satisfying() {
            NodeUpdate::Tell { from: node.ordinal }
        } else {
            NodeUpdate::Skip { now: self.clock.now(), error: FailureSummary::dependency(node.ordinal) }
        };
        let dependents = node.out.iter().map(|ordinal| NodeKey::new(&key.scope, key.operation, *ordinal));
        let tellings: Vec<_> = dependents.map(|dependent| self.tell(dependent, &update).boxed()).collect();
        let told: Vec<_> = stream::iter(tellings).buffered(PARALLEL).try_collect().await?;
        let mut complete = true;
        for (dependent, applied) in told {
            match applied {
                Applied::Done(after) if after.status.is_terminal() && !after.closed => {
                    work.ended(dependent, after)
                }
                Applied::Done(after) if after.is_claimable() => work.drive(dependent, after),
                Applied::Done(_) | Applied::Refused(Some(_)) => {}
                Applied::Refused(None) => complete = false,
            }
        }
        Ok(complete)
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
