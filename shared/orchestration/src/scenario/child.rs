//! Operations that a node of another operation runs
//!
//! The child's id is derived from the attempt that runs it, so it is started once however often that is decided. Its
//! end drives the node; where nobody did, reconcile looks at the node, which waits, within a minute. A node that has
//! ended otherwise has its child cancelled as one of its consequences; a child that is only then begun cancels itself.

use super::start::title;
use crate::{
    Engine, EngineError,
    engine::{Decided, Deciding},
    intents,
    rollback::rollback_id,
    start::{NewOperation, operation},
};
use futures::{FutureExt as _, future::BoxFuture};
use serde_json::json;
use weir_domain::{
    canonical::Digest,
    engine::{LOOK_AGAIN, NodeRun, Operation, ParentNode},
    failure::FailureSummary,
    id::{Id as _, OperationId, PlanId},
    operation::{OperationStatus, OperationType},
    plan::{NodeStatus, Plan, PlanContext},
};
use weir_store::{Entity as _, Key, NodeKey};

/// The operation that one attempt of a node runs
pub fn child_id(parent: OperationId, ordinal: u32, attempt: u32) -> OperationId {
    OperationId::derived(parent.millis(), &format!("{parent}/{ordinal}/{attempt}"))
}

/// Starts the child, or looks how it stands
///
/// A node whose time is over has its child cancelled, and fails when that has ended: nothing else may begin beside it,
/// nor its parent end over what it runs.
pub(crate) async fn decide(engine: &Engine, d: &Deciding<'_>) -> Result<Decided, EngineError> {
    let info = &d.operation.info;
    let id = child_id(info.operation_id, d.node.ordinal, d.node.attempt);
    let is_late = d.node.is_over(engine.clock.now());
    let Some(child) = engine.table.operation_get(&info.scope, id).await? else {
        return if is_late { Ok(Decided::No(d.too_late())) } else { start(engine, d, id).await };
    };
    if !child.is_active() && !is_settled(engine, &child).await? {
        return Ok(Decided::Later(engine.clock.now() + LOOK_AGAIN));
    }
    Ok(match child.status {
        OperationStatus::Succeeded => {
            // What it gave is what its node gives, before anybody who comes after the node may ask for it.
            let gave = engine.own_outputs(id).await?;
            engine.keep_outputs(info.operation_id, d.node, &gave).await?;
            Decided::Yes
        }
        OperationStatus::Cancelled if is_late && is_given_up(d.node, &child) => Decided::No(d.too_late()),
        OperationStatus::Failed | OperationStatus::Cancelled | OperationStatus::RolledBack => {
            let why = child.failure_summary.map_or_else(|| "it says no more".to_owned(), |it| it.message);
            let message = format!("operation {id} ended as {}: {why}", child.status.as_str());
            Decided::No(FailureSummary::new("sub_operation_failed", message))
        }
        OperationStatus::Created
        | OperationStatus::Queued
        | OperationStatus::Running
        | OperationStatus::WaitingGate
        | OperationStatus::WaitingIntervention
        | OperationStatus::Paused
        | OperationStatus::Verifying => {
            if is_late {
                give_up(engine, &child).await?;
            } else {
                hold_as_parent(engine, d.operation, &child).await?;
            }
            Decided::Later(engine.clock.now() + LOOK_AGAIN)
        }
    })
}

/// As what a child is paused that is held because its parent is, and cancelled that nobody waits for any more
pub const PARENT: &str = "system:parent";

/// Whether nothing goes on of what the attempt of a node that has failed ran; what does is asked to end
///
/// A person is asked about the node only then: another attempt would run a second child beside the first.
pub(crate) async fn nothing_goes_on(engine: &Engine, d: &Deciding<'_>) -> Result<bool, EngineError> {
    let info = &d.operation.info;
    let id = child_id(info.operation_id, d.node.ordinal, d.node.attempt);
    let Some(child) = engine.table.operation_get(&info.scope, id).await? else { return Ok(true) };
    give_up(engine, &child).await?;
    Ok(!child.is_active() && is_settled(engine, &child).await?)
}

/// Whether the child was cancelled because its node's time was over, and not with its parent
fn is_given_up(node: &NodeRun, child: &Operation) -> bool {
    !node.cancel && child.cancelled_by.as_deref() == Some(PARENT)
}

/// Cancels a child that goes on, once. Boxed, since a cancel has consequences, and these may have children
fn give_up<'a>(engine: &'a Engine, child: &'a Operation) -> BoxFuture<'a, Result<(), EngineError>> {
    async move {
        if child.is_active() && !child.cancel {
            engine.cancel(&child.info.scope, child.info.operation_id, PARENT).await?;
        }
        Ok(())
    }
    .boxed()
}

/// Holds the child while its parent is held, and lets it go on when that one goes on. What a person paused stays so
///
/// Boxed, since a held child may have children.
fn hold_as_parent<'a>(
    engine: &'a Engine,
    parent: &'a Operation,
    child: &'a Operation,
) -> BoxFuture<'a, Result<(), EngineError>> {
    async move {
        let (scope, id) = (&child.info.scope, child.info.operation_id);
        let by_parent = child.paused_by.as_deref() == Some(PARENT);
        if parent.paused && !child.paused {
            engine.pause(scope, id, PARENT).await?;
        } else if !parent.paused && child.paused && by_parent {
            let parent = async || engine.operation(&parent.info.scope, parent.info.operation_id).await;
            // It may have been paused, and the child because of that, after it was looked at.
            if parent().await?.paused {
                return Ok(());
            }
            engine.resume(scope, id).await?;
            // Or after that look, by somebody who found the child held already: one of the two sees the other.
            if parent().await?.paused {
                engine.pause(scope, id, PARENT).await?;
            }
        }
        Ok(())
    }
    .boxed()
}

/// Whether all that follows from the operation's end has been done, its way back included, which uses what the parent
/// holds alone
async fn is_settled(engine: &Engine, child: &Operation) -> Result<bool, EngineError> {
    let Some(id) = rollback_id(child).filter(|_| child.finished) else { return Ok(child.finished) };
    let found = engine.table.operation_get(&child.info.scope, id).await?;
    Ok(found.is_none_or(|rollback| rollback.finished))
}

async fn start(engine: &Engine, d: &Deciding<'_>, id: OperationId) -> Result<Decided, EngineError> {
    let info = &d.operation.info;
    let Some(plan) = child_plan(engine, d).await? else {
        let message = "the plan has no plan for the operation that this node runs".to_owned();
        return Ok(Decided::No(FailureSummary::new("sub_operation_missing", message)));
    };
    let PlanContext::Scenario(context) = &plan.context else {
        return Err(EngineError::Inconsistent(format!("plan `{}` runs no scenario", plan.plan_id)));
    };
    let graph = intents::snapshot(engine, &plan).await?;
    let identity =
        json!({ "parent": info.operation_id, "ordinal": d.node.ordinal, "attempt": d.node.attempt });
    let new = NewOperation {
        operation_id: id,
        scope: info.scope.clone(),
        operation_type: OperationType::ScenarioRun,
        plan_id: plan.plan_id,
        intent_id: info.intent_id,
        graph_hash: plan.graph_hash.clone(),
        identity: Digest::of(&identity).map_err(|error| EngineError::Inconsistent(error.to_string()))?,
        actor: info.actor.clone(),
        title: title(context),
        now: engine.clock.now(),
        promotion_id: None,
        release_id: None,
        environment: info.environment.clone(),
        rollback_of: None,
        retry_of: None,
        parent: Some(ParentNode {
            operation: info.operation_id,
            ordinal: d.node.ordinal,
            attempt: d.node.attempt,
        }),
        // Its parent holds what the child uses alone, too.
        exclusive: std::collections::BTreeSet::new(),
    };
    engine.place(operation(&graph.nodes, new), Vec::new()).await?;
    Ok(Decided::Later(engine.clock.now() + LOOK_AGAIN))
}

/// The plan that the node's binding names
async fn child_plan(engine: &Engine, d: &Deciding<'_>) -> Result<Option<Plan>, EngineError> {
    let info = &d.operation.info;
    let read = async |id: PlanId| engine.table.read::<Plan>(&Key::entity(&info.scope, Plan::KIND, id)).await;
    let Some((parent, _)) = read(info.plan_id).await? else { return Ok(None) };
    let node = d.plan_node.node_id.as_str();
    let binding = parent.bindings.iter().find(|binding| binding.requirement_id == node);
    let Some(id) = binding.and_then(|binding| binding.sub_operation_plan_id) else { return Ok(None) };
    Ok(read(id).await?.map(|(plan, _)| plan))
}

/// The node has ended: a child that has not is not wanted any more
pub(crate) async fn cancel_child(engine: &Engine, key: &NodeKey, node: &NodeRun) -> Result<(), EngineError> {
    if node.attempt == 0 || node.status == NodeStatus::Succeeded {
        return Ok(());
    }
    let id = child_id(key.operation, key.ordinal, node.attempt);
    match engine.table.operation_get(&key.scope, id).await? {
        Some(child) => give_up(engine, &child).await,
        None => Ok(()),
    }
}

/// The child, or what took it back, has ended: the node that runs it looks again. Boxed, since that may end the parent, too
pub(crate) fn ended<'a>(engine: &'a Engine, child: &'a Operation) -> BoxFuture<'a, Result<(), EngineError>> {
    async move {
        let failed = match child.info.rollback_of {
            Some(id) => engine.table.operation_get(&child.info.scope, id).await?,
            None => None,
        };
        let parent = failed.as_ref().map_or(child.info.parent, |failed| failed.info.parent);
        let Some(parent) = parent else { return Ok(()) };
        let key = NodeKey::new(&child.info.scope, parent.operation, parent.ordinal);
        engine.drive_node(&key).await
    }
    .boxed()
}
