//! Begin: put every node, start every segment, drive the roots

use super::{Engine, PARALLEL};
use crate::{
    EngineError,
    machines::{OperationInput, SegmentInput},
};
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream, try_join};
use std::sync::Arc;
use weir_domain::{
    engine::{NodeRun, Operation, OperationUpdate, TODO_BEGIN, Terms},
    id::OperationId,
    plan::{Graph, NodeSeed},
    scope::Scope,
};
use weir_store::{Applied, NodeKey};

/// A decision made inside a function: none takes longer than the function may
const DECISION_TIMEOUT_S: u32 = 60;

impl Engine {
    /// The root execution waits with `token` until the operation has ended
    pub async fn begin(&self, scope: &Scope, id: OperationId, token: String) -> Result<(), EngineError> {
        let arrived = OperationUpdate::Arrive { token: token.clone() };
        match self.table.operation_update(scope, id, &arrived).await? {
            Applied::Refused(_) => Err(EngineError::Inconsistent(format!("there is no operation `{id}`"))),
            Applied::Done(operation) if operation.is_active() => self.begin_steps(&operation).await,
            Applied::Done(operation) => self.send_root(&operation, &token).await.map(|_| ()),
        }
    }

    /// All steps of begin. Each may be repeated by anyone: whoever finds `begin` under way runs them again
    pub(crate) async fn begin_steps(&self, operation: &Operation) -> Result<(), EngineError> {
        if !operation.todo.contains(TODO_BEGIN) {
            return Ok(());
        }
        let info = &operation.info;
        if self.is_orphan(operation).await? {
            self.cancel(&info.scope, info.operation_id, "system:parent").await?;
        }
        // Whoever is first in its queues begins; one that was cancelled claims nothing, and so need not wait for that.
        if !operation.cancel && !operation.materialised && !self.behind(operation).await?.is_empty() {
            return Ok(());
        }
        // The plan itself: a patch puts its nodes on its own, and may be there when begin is done again.
        let graph = self.graph(&info.graph_hash).await?;
        self.put_nodes(operation, &graph).await?;
        // Only from here on may anything be driven: a node whose dependents are not there yet cannot tell them.
        let materialise = OperationUpdate::Materialise { now: self.clock.now() };
        let operation = match self.update_operation(operation, &materialise).await? {
            Applied::Done(operation) | Applied::Refused(Some(operation)) => operation,
            Applied::Refused(None) => return Ok(()),
        };
        // Every root, although its arrival drives it too: all its arrivals may be lost. A root is looked at as it was
        // put: if it has moved since, the claim's condition says so.
        let seen = Arc::new(operation);
        let roots = graph.seeds().filter(|seed| seed.unmet.is_empty());
        let roots = roots.map(|seed| {
            let key = NodeKey::new(&info.scope, info.operation_id, seed.ordinal);
            self.drive_seen(key, node_run(&seed), Arc::clone(&seen)).boxed()
        });
        let roots: Vec<_> = roots.collect();
        let roots = stream::iter(roots).buffered(PARALLEL).try_for_each(|()| async { Ok(()) });
        try_join!(self.start_segments(&seen, &graph), roots)?;
        let operation = self.operation(&info.scope, info.operation_id).await?;
        if operation.cancel {
            self.sweep_cancelled(&operation).await?;
        }
        self.done(&operation, TODO_BEGIN).await
    }

    /// Whether the node that runs the operation has ended already, or has failed and waits for a person: asked after the
    /// operation is there, so that of who ends the node and who begins the operation at least one sees the other
    async fn is_orphan(&self, operation: &Operation) -> Result<bool, EngineError> {
        let Some(parent) = operation.info.parent else { return Ok(false) };
        let key = NodeKey::new(&operation.info.scope, parent.operation, parent.ordinal);
        let node = self.table.node_get(&key).await?;
        Ok(node.is_none_or(|node| {
            node.status.is_terminal() || node.awaits_person() || node.attempt != parent.attempt
        }))
    }

    async fn put_nodes(&self, operation: &Operation, graph: &Graph) -> Result<(), EngineError> {
        let info = &operation.info;
        let puts = graph.seeds().map(|seed| {
            let key = NodeKey::new(&info.scope, info.operation_id, seed.ordinal);
            self.put_node(key, node_run(&seed)).boxed()
        });
        let puts: Vec<_> = puts.collect();
        stream::iter(puts).buffer_unordered(PARALLEL).try_for_each(|()| async { Ok(()) }).await
    }

    /// A node that is there already stays as it is: it may have moved
    async fn put_node(&self, key: NodeKey, node: NodeRun) -> Result<(), EngineError> {
        self.table.node_put(&key, &node).await?;
        Ok(())
    }

    pub(super) async fn start_segments(
        &self,
        operation: &Operation,
        graph: &Graph,
    ) -> Result<(), EngineError> {
        for segment in graph.segments().iter().filter(|segment| operation.open.contains(&segment.index)) {
            self.machines.start_segment(&segment_input(operation, segment.index, graph)).await?;
        }
        Ok(())
    }

    /// Starts the root execution: repeatable, since its name is the operation's id
    pub async fn start_root(&self, scope: &Scope, operation: OperationId) -> Result<(), EngineError> {
        let input = OperationInput { scope: scope.clone(), operation };
        Ok(self.machines.start_operation(&input).await?)
    }
}

pub(super) fn segment_input(operation: &Operation, segment: u32, graph: &Graph) -> SegmentInput {
    let found = graph.segment(segment);
    SegmentInput {
        scope: operation.info.scope.clone(),
        operation: operation.info.operation_id,
        segment,
        nodes: found.map(|found| found.mapped.clone()).unwrap_or_default(),
        patch: found.map_or(0, |found| found.patch),
        revival: operation.revivals,
    }
}

pub(in crate::engine) fn node_run(seed: &NodeSeed<'_>) -> NodeRun {
    let terms = Terms {
        kind: seed.node_type,
        runs: seed.executor.clone(),
        on_failure: seed.on_failure,
        attempts: seed.attempts,
        timeout_s: seed.timeout_s.unwrap_or(DECISION_TIMEOUT_S),
        backoff: seed.backoff,
        deadline_s: seed.deadline_s,
    };
    NodeRun::new(seed.ordinal, seed.segment, terms, seed.unmet.iter().copied(), seed.out.iter().copied())
}
