//! What a scenario's operation left undone, as an operation of its own
//!
//! Its plan is made from what the failed one ran at last, patches included. Nothing of the failed one is written to.

use super::{
    child::child_id,
    start::{Run, made},
};
use crate::{
    Engine, EngineError,
    delivery::{Origin, keep_snapshot},
    records::record,
    rollback::rollback_id,
    start::Placed,
};
use futures::{FutureExt as _, future::BoxFuture};
use serde_json::json;
use std::collections::BTreeSet;
use weir_domain::{
    actor::Actor,
    engine::{NodeRun, Operation, begun_once, left_undone},
    id::{Id as _, IntentId, OperationId, PlanId},
    intent::{Intent, IntentStatus},
    operation::{OperationStatus, OperationType},
    plan::{
        Graph, GraphError, Idempotency, NodeStatus, NodeType, Plan, PlanContext, PlanNode, PlanSnapshot,
        PlanStatus,
    },
    scope::Scope,
};
use weir_store::{Entity as _, Key, RetriedBy, TransactError, Write};

/// Why an operation is not retried
#[derive(Debug, thiserror::Error)]
pub enum RetryFailure {
    /// There is no such operation in this scope
    #[error("there is no operation `{0}`")]
    NotFound(OperationId),
    /// It is not over
    #[error("operation `{0}` has not ended yet: what fails of it is retried when all of it has ended")]
    Active(OperationId),
    /// Somebody is still at what follows from its end
    #[error("what follows from the end of operation `{0}` is not done yet: try again in a moment")]
    Unsettled(OperationId),
    /// All of it is done
    #[error("operation `{0}` has left nothing undone")]
    Nothing(OperationId),
    /// Another operation has done what was left
    #[error("operation `{0}` has left nothing undone: operation `{1}` has done the rest of it")]
    Done(OperationId, OperationId),
    /// Another operation was to do what was left, and has left something itself
    #[error("operation `{0}` was retried by operation `{1}`, which ended as {2}: retry that one")]
    Retried(OperationId, OperationId, &'static str),
    /// Something that is left may have been done, and may not be done twice
    #[error(
        "`{1}` of operation `{0}` may be done only once, and was begun: find out what it did, and plan anew what is \
         missing. A step that says `on_failure: pause` waits for a person who may mark it as done"
    )]
    Once(OperationId, String),
    /// Something else is planned anew, and not from where it failed
    #[error("operation `{0}` is no run of a scenario: {1}")]
    OtherType(OperationId, &'static str),
    /// What it did is not there any more
    #[error(
        "operation `{0}` is taken back by operation `{1}`: what it did has to be done again, so plan it anew"
    )]
    TakenBack(OperationId, OperationId),
    /// Another operation decides about it
    #[error("operation `{0}` is run by a node of operation `{1}`: retry that one")]
    PartOf(OperationId, OperationId),
    /// What is left is no plan
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// It could not be carried out
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Starts an operation of what `id` has left undone. Asked for again by the same request, it meets its own
pub async fn retry_scenario(
    engine: &Engine,
    scope: &Scope,
    actor: &Actor,
    origin: &Origin,
    id: OperationId,
    reason: Option<&str>,
) -> Result<Placed, RetryFailure> {
    let failed = engine.table.operation_get(scope, id).await.map_err(EngineError::from)?;
    let failed = failed.ok_or(RetryFailure::NotFound(id))?;
    allowed(&failed)?;
    if let Some(rollback) = rollback_id(&failed)
        && engine.table.operation_get(scope, rollback).await.map_err(EngineError::from)?.is_some()
    {
        return Err(RetryFailure::TakenBack(id, rollback));
    }
    let own = OperationId::derived(origin.now.0, &origin.seed);
    if let Some(by) = retried_by(engine, scope, id).await? {
        return retried(engine, scope, id, own, by).await;
    }
    let runs = engine.all_nodes(&failed).await?;
    let whole = engine.graph_of(&failed).await?;
    let left = left_undone(&whole, &runs)?.ok_or(RetryFailure::Nothing(id))?;
    if let Some(name) = not_twice(engine, &failed, &whole, &runs).await? {
        return Err(RetryFailure::Once(id, name));
    }
    let graph = PlanSnapshot::new(left).map_err(impossible)?;
    let (intent, plan) = records(engine, &failed, actor, origin, &graph).await?;
    let PlanContext::Scenario(context) = &plan.context else {
        return Err(impossible("its plan runs no scenario").into());
    };
    keep_snapshot(engine, &graph).await?;
    let operation_id = own;
    let run = Run { operation_id, plan: &plan, intent: &intent, context, graph: &graph, retry_of: Some(id) };
    let made = made(scope, actor, origin, &run)?;
    let metadata = json!({
        "plan_id": plan.plan_id, "operation_id": operation_id, "graph_hash": plan.graph_hash, "reason": reason,
    });
    let subject = ("operation", id.to_string());
    let writes = vec![
        Write::Create(record(scope, &intent)?),
        Write::Create(record(scope, &plan)?),
        Write::Create(record(scope, &RetriedBy { operation_id: id, retry_id: operation_id })?),
        engine.audit(scope, actor, "operation.retry", subject, metadata, origin.request_id)?,
    ];
    match engine.place(made, writes).await {
        // Somebody else's retry was recorded between the look and the write, and has ended already.
        Err(EngineError::Transact(TransactError::Conflict(at))) => {
            match retried_by(engine, scope, id).await? {
                Some(by) => retried(engine, scope, id, own, by).await,
                None => Err(EngineError::from(TransactError::Conflict(at)).into()),
            }
        }
        placed => Ok(placed?),
    }
}

/// The operation that does again what `id` has left undone, if there is one
pub async fn retried_by(
    engine: &Engine,
    scope: &Scope,
    id: OperationId,
) -> Result<Option<OperationId>, EngineError> {
    let found = engine.table.read::<RetriedBy>(&Key::entity(scope, RetriedBy::KIND, id)).await?;
    Ok(found.map(|(found, _)| found.retry_id))
}

/// What is answered to who asks for a retry of `id`, which `by` was made for
async fn retried(
    engine: &Engine,
    scope: &Scope,
    id: OperationId,
    own: OperationId,
    by: OperationId,
) -> Result<Placed, RetryFailure> {
    let found = engine.operation(scope, by).await?;
    match found.status {
        _ if by == own => Ok(Placed::Own(own)),
        OperationStatus::Succeeded => Err(RetryFailure::Done(id, by)),
        OperationStatus::Failed | OperationStatus::Cancelled | OperationStatus::RolledBack => {
            Err(RetryFailure::Retried(id, by, found.status.as_str()))
        }
        OperationStatus::Created
        | OperationStatus::Queued
        | OperationStatus::Running
        | OperationStatus::WaitingGate
        | OperationStatus::WaitingIntervention
        | OperationStatus::Paused
        | OperationStatus::Verifying => Ok(Placed::Other(by)),
    }
}

/// Something that a retry of `operation` would do a second time though it may be done only once, by name
async fn not_twice(
    engine: &Engine,
    operation: &Operation,
    graph: &Graph,
    runs: &[NodeRun],
) -> Result<Option<String>, EngineError> {
    let mut begun = begun_once(graph, runs).filter(|(_, run)| !run.is_satisfying());
    if let Some((node, _)) = begun.next() {
        return Ok(Some(node.node_id.to_string()));
    }
    let is_left = |run: &&NodeRun| run.terms.kind == NodeType::SubOperation && !run.is_satisfying();
    for run in runs.iter().filter(is_left) {
        let Some(node) = graph.node(run.ordinal) else { continue };
        let info = &operation.info;
        if let Some(name) = done_by_node(engine, &info.scope, info.operation_id, run).await? {
            return Ok(Some(format!("{}.{name}", node.node_id)));
        }
    }
    Ok(None)
}

/// Something that another attempt of a node which runs an operation would do a second time though it may be done only
/// once, by name
pub(crate) async fn done_by_node(
    engine: &Engine,
    scope: &Scope,
    operation: OperationId,
    run: &NodeRun,
) -> Result<Option<String>, EngineError> {
    for attempt in 1..=run.attempt {
        let found = done_in(engine, scope, child_id(operation, run.ordinal, attempt)).await?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Something that the operation `id` of a node has begun and that may be done only once, by name: all of it is run again
///
/// What was done and then undone by its way back is not there any more.
fn done_in<'a>(
    engine: &'a Engine,
    scope: &'a Scope,
    id: OperationId,
) -> BoxFuture<'a, Result<Option<String>, EngineError>> {
    async move {
        let Some(child) = engine.table.operation_get(scope, id).await.map_err(EngineError::from)? else {
            return Ok(None);
        };
        let graph = engine.graph_of(&child).await?;
        if !may_do_once(&graph) {
            return Ok(None);
        }
        let runs = engine.all_nodes(&child).await?;
        let back = match rollback_id(&child) {
            Some(back) => engine.table.operation_get(scope, back).await?,
            None => None,
        };
        let is_back = back.is_some_and(|back| back.status == OperationStatus::Succeeded);
        let mut there = begun_once(&graph, &runs).filter(|(node, run)| {
            !(is_back && run.status == NodeStatus::Succeeded && node.compensation.is_some())
        });
        if let Some((node, _)) = there.next() {
            return Ok(Some(node.node_id.to_string()));
        }
        for run in runs.iter().filter(|run| run.terms.kind == NodeType::SubOperation) {
            let is_undone = is_back && run.status == NodeStatus::Succeeded;
            let Some(node) = graph.node(run.ordinal).filter(|_| !is_undone) else { continue };
            if let Some(name) = done_by_node(engine, scope, id, run).await? {
                return Ok(Some(format!("{}.{name}", node.node_id)));
            }
        }
        Ok(None)
    }
    .boxed()
}

/// Whether anything of the graph may be done only once, or runs an operation of which something may: its nodes need not
/// be read otherwise
fn may_do_once(graph: &Graph) -> bool {
    let is_once = |node: &PlanNode| {
        node.job_contract.as_ref().is_some_and(|contract| contract.idempotency == Idempotency::Once)
    };
    graph.nodes().iter().any(|node| node.node_type == NodeType::SubOperation || is_once(node))
}

fn allowed(failed: &Operation) -> Result<(), RetryFailure> {
    let id = failed.info.operation_id;
    let instead = match failed.info.operation_type {
        OperationType::ScenarioRun => None,
        OperationType::Deploy | OperationType::Promote => {
            Some("promote the release again, which changes only targets that do not run it")
        }
        OperationType::Rollback => Some("promote the release that should run there"),
        OperationType::DefinitionApply => Some("plan the definition again, and apply that"),
        OperationType::AssignmentsFetch
        | OperationType::AssignmentsRestore
        | OperationType::PipelineRun
        | OperationType::ProjectionsRebuild
        | OperationType::ReconcileAdapterRuns => Some("ask for another run"),
    };
    if let Some(instead) = instead {
        return Err(RetryFailure::OtherType(id, instead));
    }
    if let Some(parent) = &failed.info.parent {
        return Err(RetryFailure::PartOf(id, parent.operation));
    }
    match failed.status {
        OperationStatus::Failed | OperationStatus::Cancelled | OperationStatus::RolledBack => {}
        OperationStatus::Succeeded => return Err(RetryFailure::Nothing(id)),
        OperationStatus::Created
        | OperationStatus::Queued
        | OperationStatus::Running
        | OperationStatus::WaitingGate
        | OperationStatus::WaitingIntervention
        | OperationStatus::Paused
        | OperationStatus::Verifying => return Err(RetryFailure::Active(id)),
    }
    // Until then it holds the lock of its identity, and the resources that it may not share.
    if failed.finished { Ok(()) } else { Err(RetryFailure::Unsettled(id)) }
}

/// The intent and the plan of the retry: those of the failed operation, about what is left
async fn records(
    engine: &Engine,
    failed: &Operation,
    actor: &Actor,
    origin: &Origin,
    graph: &PlanSnapshot,
) -> Result<(Intent, Plan), EngineError> {
    let info = &failed.info;
    let key = Key::entity(&info.scope, Plan::KIND, info.plan_id);
    let plan = engine.table.read::<Plan>(&key).await?.ok_or_else(|| impossible("it has no plan"))?.0;
    let key = Key::entity(&info.scope, Intent::KIND, info.intent_id);
    let intent = engine.table.read::<Intent>(&key).await?.ok_or_else(|| impossible("it has no intent"))?.0;
    let (now, seed) = (origin.now, &origin.seed);
    let (intent_id, plan_id) = (IntentId::derived(now.0, seed), PlanId::derived(now.0, seed));
    let steps: BTreeSet<&str> = graph.nodes.nodes().iter().map(|node| node.node_id.as_str()).collect();
    let nodes = graph.nodes.nodes().iter().filter(|node| node.node_type != NodeType::Join).count();
    let bindings = plan.bindings.into_iter();
    let plan = Plan {
        plan_id,
        intent_id,
        status: PlanStatus::Active,
        effective_version: 1,
        graph_hash: graph.graph_hash.clone(),
        node_count: u32::try_from(nodes).unwrap_or(u32::MAX),
        bindings: bindings.filter(|binding| steps.contains(binding.requirement_id.as_str())).collect(),
        created_by: actor.clone(),
        created_at: now.into(),
        expires_at: None,
        ..plan
    };
    let intent = Intent {
        id: intent_id,
        actor: actor.clone(),
        status: IntentStatus::Planned,
        plan_id: Some(plan_id),
        failure: None,
        created_at: now.into(),
        ..intent
    };
    Ok((intent, plan))
}

fn impossible(error: impl std::fmt::Display) -> EngineError {
    EngineError::Inconsistent(format!("the retry cannot be planned: {error}"))
}
