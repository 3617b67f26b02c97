//! The way back of an operation that has failed: a new operation, with evidence of its own
//!
//! What it does is planned by what failed (`delivery`, `scenario`); how it is recorded, started and told is the same.

use crate::{
    Engine, EngineError,
    delivery::keep_snapshot,
    records::record,
    start::{NewOperation, operation as new_operation},
};
use serde_json::{Map, json};
use weir_domain::{
    actor::Actor,
    canonical::Digest,
    definition::address::Address,
    engine::{NodeRun, Operation},
    id::{DeploymentId, EventId, Id as _, IntentId, OperationId, PlanId},
    intent::{Intent, IntentStatus},
    operation::{OperationStatus, OperationType},
    plan::{Graph, NodeStatus, Plan, PlanContext, PlanSnapshot, PlanStatus, ResourceBinding, ScenarioRef},
    time::Millis,
    timeline::{Level, TimelineEvent, TimelineKind},
};
use weir_store::Write;

/// Nodes that were not undone and that are named; the others are counted
const NAMED_MAX: usize = 5;

/// What takes an operation back
pub(crate) struct WayBack {
    /// What it changes
    pub subject: Address,
    /// By which recipe
    pub scenario: Option<ScenarioRef>,
    /// What it is about
    pub context: PlanContext,
    /// What is done
    pub graph: Graph,
    /// By whom, and why
    pub bindings: Vec<ResourceBinding>,
}

/// The operation that takes `failed` back, if there is one: its id is derived from the operation that it takes back
pub fn rollback_id(failed: &Operation) -> Option<OperationId> {
    failed.completed_at.map(|at| OperationId::derived(at.0, &seed(failed)))
}

fn seed(failed: &Operation) -> String {
    format!("rollback/{}", failed.info.operation_id)
}

/// Records the rollback of `failed` and starts it, once. Everything is derived from the moment of the failure, so that
/// whoever repeats this meets what was recorded
pub(crate) async fn place(engine: &Engine, failed: &Operation, way: WayBack) -> Result<(), EngineError> {
    let (info, scope) = (&failed.info, &failed.info.scope);
    let snapshot = PlanSnapshot::new(way.graph).map_err(impossible)?;
    keep_snapshot(engine, &snapshot).await?;
    let now = failed.completed_at.unwrap_or_else(|| engine.clock.now());
    let seed = seed(failed);
    let operation_id = OperationId::derived(now.0, &seed);
    let actor = Actor { on_behalf_of: Some(info.actor.person().to_owned()), ..Actor::system("rollback") };
    let id = IntentId::derived(now.0, &seed);
    let intent = Intent {
        id,
        actor: actor.clone(),
        action: "rollback".to_owned(),
        target_resource_type: way.subject.kind(),
        target_resource_id: way.subject.to_string(),
        desired_result: Map::from_iter([("rollback_of".to_owned(), json!(info.operation_id))]),
        constraints: Map::new(),
        scenario: way.scenario.as_ref().map(|it| it.scenario.clone()),
        inputs: Map::new(),
        status: IntentStatus::Planned,
        plan_id: Some(PlanId::from_body(id.body())),
        failure: None,
        created_at: now.into(),
    };
    let plan = Plan {
        plan_id: PlanId::from_body(id.body()),
        intent_id: id,
        operation_type: OperationType::Rollback,
        scenario_ref: way.scenario,
        status: PlanStatus::Active,
        effective_version: 1,
        graph_hash: snapshot.graph_hash.clone(),
        node_count: u32::try_from(snapshot.nodes.len()).unwrap_or(u32::MAX),
        customizations: Vec::new(),
        bindings: way.bindings,
        exclusive: info.exclusive.clone(),
        context: way.context,
        created_by: actor.clone(),
        created_at: now.into(),
        expires_at: None,
    };
    let made = new_operation(&snapshot.nodes, taking_back(failed, &plan, operation_id, now)?);
    let metadata = json!({ "rollback_of": info.operation_id, "operation_id": operation_id });
    let (message, action) = match info.operation_type.is_deployment() {
        true => (format!("rolled back by {}", DeploymentId::from(operation_id)), "deployment.rollback"),
        false => (format!("rolled back by {operation_id}"), "operation.rollback"),
    };
    let subject = ("operation", operation_id.to_string());
    let writes = vec![
        Write::Create(record(scope, &intent)?),
        Write::Create(record(scope, &plan)?),
        engine.event(failed, TimelineKind::RollbackStarted, message, Some(&actor))?,
        engine.audit(scope, &actor, action, subject, metadata, None)?,
    ];
    engine.place(made, writes).await?;
    Ok(())
}

/// The operation that takes `failed` back
fn taking_back(
    failed: &Operation,
    plan: &Plan,
    operation_id: OperationId,
    now: Millis,
) -> Result<NewOperation, EngineError> {
    let info = &failed.info;
    Ok(NewOperation {
        operation_id,
        scope: info.scope.clone(),
        operation_type: OperationType::Rollback,
        plan_id: plan.plan_id,
        intent_id: plan.intent_id,
        graph_hash: plan.graph_hash.clone(),
        identity: Digest::of(&json!({ "type": "rollback", "of": info.operation_id })).map_err(impossible)?,
        actor: plan.created_by.clone(),
        title: format!("roll back {}", info.title),
        now,
        promotion_id: info.promotion_id,
        release_id: info.release_id,
        environment: info.environment.clone(),
        rollback_of: Some(info.operation_id),
        retry_of: None,
        parent: None,
        exclusive: plan.exclusive.clone(),
    })
}

/// There is no way back, or none that is needed: said on the timeline of what failed
pub(crate) async fn none(engine: &Engine, failed: &Operation, why: String) -> Result<(), EngineError> {
    let at = failed.completed_at;
    let event = told(failed, at, TimelineKind::RollbackStarted, Level::Warn, why)?;
    engine.commit(&[event]).await?;
    Ok(())
}

/// The way back has ended: what it came to is said where people look, on the timeline of what failed
pub(crate) async fn ended(
    engine: &Engine,
    rollback: &Operation,
    nodes: &[NodeRun],
) -> Result<(), EngineError> {
    let info = &rollback.info;
    let Some(of) = info.rollback_of else { return Ok(()) };
    let failed = engine.operation(&info.scope, of).await?;
    let (level, message) = if rollback.status == OperationStatus::Succeeded {
        (Level::Info, format!("{} has taken back what this operation did", info.operation_id))
    } else {
        (Level::Error, incomplete(engine, rollback, nodes).await?)
    };
    let event = told(&failed, rollback.completed_at, TimelineKind::RollbackEnded, level, message)?;
    engine.commit(&[event]).await?;
    Ok(())
}

/// What was not undone, and why
async fn incomplete(engine: &Engine, rollback: &Operation, nodes: &[NodeRun]) -> Result<String, EngineError> {
    let graph = engine.graph_of(rollback).await?;
    let left = nodes.iter().filter(|node| node.status != NodeStatus::Succeeded);
    let left = left.filter_map(|node| graph.node(node.ordinal)).filter(|node| node.job_contract.is_some());
    let left: Vec<String> = left.map(|node| format!("`{}`", node.node_id)).collect();
    let named = left.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    let more = left.len().saturating_sub(NAMED_MAX);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let why = rollback.failure_summary.as_ref().map_or("it says no more", |it| it.message.as_str());
    let (id, status) = (rollback.info.operation_id, rollback.status.as_str());
    Ok(format!("{id} ended as {status} ({why}): not done, and left as it is: {named}{more}"))
}

/// An event of which there is one however often it is written
fn told(
    operation: &Operation,
    at: Option<Millis>,
    kind: TimelineKind,
    level: Level,
    message: String,
) -> Result<Write, EngineError> {
    let id = operation.info.operation_id;
    let at = at.unwrap_or(operation.info.created_at);
    let event = EventId::derived(at.0, &format!("{id}/{}", <&str>::from(kind)));
    let event = TimelineEvent { level, ..TimelineEvent::new(event, at.into(), id, kind, message) };
    Ok(Write::Create(record(&operation.info.scope, &event)?))
}

fn impossible(error: impl std::fmt::Display) -> EngineError {
    EngineError::Inconsistent(format!("the rollback cannot be planned: {error}"))
}
