//! Reconcile: whatever was left undone says so in the wake index; find it and drive it

use super::{Engine, begin::segment_input, cancel::DEADLINE};
use crate::EngineError;
use weir_domain::{
    engine::{
        NodeRun, Operation, OperationUpdate, TODO_BEGIN, TODO_CANCEL, TODO_FINISH, TODO_PATCH, TODO_PATIENCE,
        TODO_RESUME,
    },
    id::OperationId,
    operation::{RepairCause, RepairEffect},
    plan::NodeStatus,
    scope::Scope,
    time::Millis,
};
use weir_store::{Applied, NodeKey};

/// What a look at something that was due found, and what came of it
pub(super) struct Look {
    /// Why it was due
    pub cause: Option<RepairCause>,
    /// What came of it
    pub effect: RepairEffect,
}

impl Engine {
    /// Drives a node that is due; none where it is not due any more
    pub(super) async fn look_after_node(&self, key: &NodeKey) -> Result<Option<Look>, EngineError> {
        let Some(before) = self.table.node_get(key).await? else { return Ok(None) };
        let cause = RepairCause::of_node(&before, self.clock.now());
        self.drive_from(key.clone(), before.clone()).await?;
        let Some(cause) = cause else { return Ok(None) };
        // What came of it is only told: that it cannot be read is no reason to call it undone.
        let after = self.table.node_get(key).await.ok().flatten();
        let effect =
            after.map_or(RepairEffect::Driven, |after| RepairEffect::of_node(cause, &before, &after));
        Ok(Some(Look { cause: Some(cause), effect }))
    }

    /// Drives an operation that is due; none where there is none
    pub(super) async fn look_after(
        &self,
        scope: &Scope,
        id: OperationId,
    ) -> Result<Option<Look>, EngineError> {
        let Some(before) = self.table.operation_get(scope, id).await? else { return Ok(None) };
        let now = self.clock.now();
        self.drive_operation(scope, id).await?;
        let after =
            self.table.operation_get(scope, id).await.ok().flatten().unwrap_or_else(|| before.clone());
        let cause = RepairCause::of_operation(&before, &after, now);
        let effect = RepairEffect::of_operation(cause, &before, &after);
        Ok(Some(Look { cause: Some(cause), effect }))
    }

    /// Runs again every activity that an operation has under way; each is idempotent from its first step
    pub async fn drive_operation(&self, scope: &Scope, id: OperationId) -> Result<(), EngineError> {
        let Some(operation) = self.table.operation_get(scope, id).await? else { return Ok(()) };
        if operation.todo.is_empty() {
            return self.check_in(&operation).await;
        }
        for name in operation.todo.clone() {
            self.snooze(&operation, &name).await?;
            match name.as_str() {
                TODO_BEGIN => {
                    self.start_root(scope, id).await?;
                    self.begin_steps(&operation).await?;
                }
                TODO_CANCEL => self.sweep_cancelled(&operation).await?,
                TODO_FINISH => self.finish_again(&operation).await?,
                resume if resume.starts_with(TODO_RESUME) => self.sweep_resumed(&operation, resume).await?,
                other => match other.strip_prefix(TODO_PATCH).and_then(|sequence| sequence.parse().ok()) {
                    Some(sequence) => self.patch_steps(&operation, sequence).await?,
                    None => {
                        return Err(EngineError::Inconsistent(format!("nobody knows how to do `{name}`")));
                    }
                },
            }
        }
        Ok(())
    }

    /// The activity is being run: nobody else needs to for a while
    async fn snooze(&self, operation: &Operation, name: &str) -> Result<(), EngineError> {
        let wake = self.clock.now() + TODO_PATIENCE;
        self.update_operation(operation, &OperationUpdate::AddTodo { name: name.to_owned(), wake }).await?;
        Ok(())
    }

    /// An operation that rests: end it if its time is over, otherwise see that its executions still run
    async fn check_in(&self, operation: &Operation) -> Result<(), EngineError> {
        if !operation.is_active() {
            // All is done but its last write, which lets it rest for ever.
            self.update_operation(operation, &OperationUpdate::Rest { wake: None }).await?;
            return Ok(());
        }
        let info = &operation.info;
        if info.deadline <= self.clock.now() && !operation.cancel {
            self.cancel(&info.scope, info.operation_id, DEADLINE).await?;
            return Ok(());
        }
        let rest = OperationUpdate::Rest { wake: Some(self.next_check_in(operation)) };
        self.update_operation(operation, &rest).await?;
        if operation.materialised && operation.open.is_empty() {
            // Whoever closed the last segment died before the operation was ended.
            return self.finish(operation).await;
        }
        let graph = self.graph_of(operation).await?;
        for segment in operation.open.clone() {
            // Its execution first: one that ends between the two looks leaves nothing, and is not started anew.
            let runs = self.machines.segment_runs(&segment_input(operation, segment, &graph)).await?;
            let left = self.left_in_segment(&info.scope, info.operation_id, segment).await?;
            if left && !runs {
                self.revive(operation).await?;
                break;
            }
        }
        Ok(())
    }

    /// A segment's execution has gone as far as its history may: the open ones go on in new executions
    pub async fn revive_segments(&self, scope: &Scope, id: OperationId) -> Result<(), EngineError> {
        let operation = self.operation(scope, id).await?;
        if operation.is_active() { self.revive(&operation).await } else { Ok(()) }
    }

    /// Starts every open segment's execution anew; an execution too many finds ended nodes and ends at once
    async fn revive(&self, operation: &Operation) -> Result<(), EngineError> {
        let revive = OperationUpdate::Revive { seen: operation.revivals };
        if let Applied::Done(after) = self.update_operation(operation, &revive).await? {
            let graph = self.graph_of(&after).await?;
            self.start_segments(&after, &graph).await?;
        }
        Ok(())
    }

    /// When an operation that rests is looked at again: soon enough, and not later than its deadline
    pub(super) fn next_check_in(&self, operation: &Operation) -> Millis {
        let soon = self.clock.now() + self.check_in;
        if operation.cancel { soon } else { soon.min(operation.info.deadline) }
    }

    /// Drives every node that a pause held back, as the resume called `name` has to, and lets go on what nodes run
    pub(super) async fn sweep_resumed(&self, operation: &Operation, name: &str) -> Result<(), EngineError> {
        let is_held = |node: &NodeRun| node.status == NodeStatus::Pending || node.runs_operation();
        self.sweep(operation, is_held).await?;
        self.done(operation, name).await
    }

    /// Drives every node that is `wanted`
    pub(super) async fn sweep(
        &self,
        operation: &Operation,
        wanted: impl Fn(&NodeRun) -> bool + Send,
    ) -> Result<(), EngineError> {
        let info = &operation.info;
        for segment in operation.segments() {
            for node in self.table.nodes(&info.scope, info.operation_id, segment).await? {
                if wanted(&node) {
                    self.drive_from(NodeKey::new(&info.scope, info.operation_id, node.ordinal), node).await?;
                }
            }
        }
        Ok(())
    }
}
