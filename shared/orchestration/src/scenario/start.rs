//! The start of a scenario's operation

use crate::{
    Engine, EngineError,
    delivery::{DeliveryError, Origin},
    intents,
    records::record,
    start::{NewOperation, Placed, operation},
};
use serde_json::{Map, json};
use weir_domain::{
    actor::Actor,
    engine::Operation,
    id::{Id as _, OperationId, PlanId},
    intent::Intent,
    operation::OperationType,
    plan::{Plan, PlanCommand, PlanContext, PlanSnapshot, PlanStatus, ScenarioContext},
    scope::Scope,
};
use weir_store::{Entity as _, Key, Write};

/// Starts a plan of a scenario. Started again, whoever asks meets the same operation: its id follows from the plan's
pub async fn start_scenario(
    engine: &Engine,
    scope: &Scope,
    actor: &Actor,
    origin: &Origin,
    plan_id: PlanId,
) -> Result<Placed, DeliveryError> {
    let key = Key::entity(scope, Plan::KIND, plan_id);
    let read = engine.table.read::<Plan>(&key).await.map_err(EngineError::from)?;
    let (plan, version) = read.ok_or(DeliveryError::NoPlan(plan_id))?;
    let PlanContext::Scenario(context) = &plan.context else {
        return Err(DeliveryError::Incomplete("the plan runs no scenario".to_owned()));
    };
    if plan.operation_type != OperationType::ScenarioRun {
        return Err(DeliveryError::NotStartable(plan_id, plan.status));
    }
    let operation_id = operation_of(&plan);
    if let Some(parent) = context.part_of {
        return Err(DeliveryError::PartOf(plan_id, parent));
    }
    if plan.status == PlanStatus::Active {
        return Ok(Placed::Other(operation_id));
    }
    if plan.status == PlanStatus::Unbound {
        return Err(DeliveryError::Unbound(plan_id, missing(engine, scope, &plan).await?));
    }
    let expired = plan.expires_at.is_some_and(|at| at.millis() < engine.clock.now());
    if plan.status != PlanStatus::Ready || expired {
        return Err(DeliveryError::NotStartable(plan_id, plan.status));
    }
    let graph = intents::snapshot(engine, &plan).await?;
    let key = Key::entity(scope, Intent::KIND, plan.intent_id);
    let intent = engine.table.read::<Intent>(&key).await.map_err(EngineError::from)?;
    let (intent, _) = intent.ok_or(DeliveryError::NoPlan(plan_id))?;
    let run = Run { operation_id, plan: &plan, intent: &intent, context, graph: &graph, retry_of: None };
    let made = made(scope, actor, origin, &run)?;
    let status = plan.status.after(PlanCommand::Activate).unwrap_or(plan.status);
    let active = Plan { status, ..plan.clone() };
    let metadata = json!({ "plan_id": plan_id, "operation_id": operation_id, "graph_hash": plan.graph_hash });
    let subject = ("operation", operation_id.to_string());
    let writes = vec![
        Write::Replace { expected: version, record: record(scope, &active)? },
        engine.audit(scope, actor, "operation.create", subject, metadata, origin.request_id)?,
    ];
    Ok(engine.place(made, writes).await?)
}

/// What has no provider, with the reason: what the plan itself asks for, and what the operations that it runs ask for
async fn missing(engine: &Engine, scope: &Scope, plan: &Plan) -> Result<Vec<String>, EngineError> {
    let mut told = weir_domain::planner::missing(plan);
    let mut open: Vec<PlanId> = plan.bindings.iter().filter_map(|it| it.sub_operation_plan_id).collect();
    while let Some(id) = open.pop() {
        let key = Key::entity(scope, Plan::KIND, id);
        let Some((child, _)) = engine.table.read::<Plan>(&key).await? else { continue };
        let scenario = child.scenario_ref.as_ref().map(|it| it.scenario.to_string()).unwrap_or_default();
        let own = weir_domain::planner::missing(&child);
        told.extend(own.into_iter().map(|what| format!("in the operation of `{scenario}`: {what}")));
        open.extend(child.bindings.iter().filter_map(|it| it.sub_operation_plan_id));
    }
    Ok(told)
}

fn operation_of(plan: &Plan) -> OperationId {
    OperationId::derived(plan.created_at.millis().0, &format!("plan/{}", plan.plan_id))
}

/// The run of a plan of a scenario that is to be placed
pub(crate) struct Run<'a> {
    pub operation_id: OperationId,
    pub plan: &'a Plan,
    pub intent: &'a Intent,
    pub context: &'a ScenarioContext,
    pub graph: &'a PlanSnapshot,
    pub retry_of: Option<OperationId>,
}

/// The operation that runs it
pub(crate) fn made(
    scope: &Scope,
    actor: &Actor,
    origin: &Origin,
    run: &Run<'_>,
) -> Result<Operation, EngineError> {
    let Run { operation_id, plan, intent, context, graph, retry_of } = *run;
    let scenario = plan.scenario_ref.as_ref().map(|it| it.scenario.clone());
    let about = Map::from_iter([
        ("type".to_owned(), json!(OperationType::ScenarioRun)),
        ("scope".to_owned(), json!(scope)),
        ("scenario".to_owned(), json!(scenario)),
        ("action".to_owned(), json!(context.action)),
        ("resource".to_owned(), json!(context.resource)),
        ("inputs".to_owned(), json!(context.inputs)),
    ]);
    let new = NewOperation {
        operation_id,
        scope: scope.clone(),
        operation_type: OperationType::ScenarioRun,
        plan_id: plan.plan_id,
        intent_id: plan.intent_id,
        graph_hash: plan.graph_hash.clone(),
        identity: intents::identity(about, &intent.constraints, &plan.customizations)?,
        actor: actor.clone(),
        title: title(context),
        now: origin.now,
        promotion_id: None,
        release_id: None,
        environment: context.environment.as_ref().map(ToString::to_string),
        rollback_of: None,
        retry_of,
        parent: None,
        exclusive: plan.exclusive.clone(),
    };
    let mut made = operation(&graph.nodes, new);
    made.info.context.extend(scenario.map(|scenario| ("scenario".to_owned(), scenario.to_string())));
    made.info.context.insert("resource".to_owned(), context.resource.to_string());
    Ok(made)
}

pub(super) fn title(context: &ScenarioContext) -> String {
    format!("{} {}", context.action, context.resource)
}
