//! The way back: a failed deployment is taken back by a new operation, with evidence of its own

use super::{
    conclude::was_deployed,
    gather::{recipe, target_state},
    request::keep_snapshot,
};
use crate::{
    Engine, EngineError,
    records::record,
    start::{NewOperation, operation as new_operation},
};
use serde_json::{Map, json};
use std::collections::BTreeSet;
use weir_domain::{
    actor::Actor,
    canonical::Digest,
    definition::{
        address::Address,
        spec::{Component, OnFailure},
    },
    delivery::Installed,
    engine::{NodeRun, Operation},
    id::{DeploymentId, Id as _, IntentId, OperationId, PlanId},
    intent::{Intent, IntentStatus},
    operation::OperationType,
    plan::{
        DeliveryContext, Executor, Plan, PlanContext, PlanSnapshot, PlanStatus, ResourceBinding, ScenarioRef,
    },
    planner::{Deployable, Planned, RollbackRequest, plan_rollback},
    time::Millis,
    timeline::TimelineKind,
};
use weir_store::{Entity as _, Key, Write};

/// Starts the rollback of `failed`, once: its ids are derived from the operation that it takes back
pub(super) async fn start_rollback(
    engine: &Engine,
    failed: &Operation,
    nodes: &[NodeRun],
) -> Result<(), EngineError> {
    let Some(context) = delivery(engine, failed).await? else { return Ok(()) };
    if context.delivery.on_failure != OnFailure::Rollback {
        return Ok(());
    }
    let scope = &failed.info.scope;
    let before = before(engine, failed, nodes).await?;
    if before.is_empty() {
        let message = "no target had anything before that could be put back".to_owned();
        let event = engine.event(failed, TimelineKind::RollbackStarted, message, None)?;
        engine.commit(&[event]).await?;
        return Ok(());
    }
    let (scenario, template) = recipe(engine, scope, "rollback", None).await.map_err(impossible)?;
    let mut components: Vec<(Address, Installed, Component)> = Vec::new();
    for (target, installed) in before {
        if let Some(component) = engine.resource::<Component>(scope, &installed.component).await? {
            components.push((target, installed, component));
        }
    }
    let targets =
        components.iter().map(|(target, installed, spec)| (target.clone(), deployable(installed, spec)));
    let request =
        RollbackRequest { delivery: &context.delivery, targets: targets.collect(), template: &template };
    let planned = plan_rollback(&request).map_err(impossible)?;
    place(engine, failed, context, scenario, planned).await
}

fn deployable<'a>(installed: &Installed, spec: &'a Component) -> Deployable<'a> {
    Deployable {
        component: installed.component.clone(),
        digest: installed.digest.clone(),
        size: installed.size,
        version: installed.version.clone(),
        release: installed.release_id,
        spec,
    }
}

/// What each target that the operation may have changed had before it
async fn before(
    engine: &Engine,
    failed: &Operation,
    nodes: &[NodeRun],
) -> Result<Vec<(Address, Installed)>, EngineError> {
    let mut found = Vec::new();
    for node in nodes.iter().filter(|node| was_deployed(node)) {
        let Executor::Agent(target) = &node.terms.runs else { continue };
        let Some((state, _)) = target_state(engine, &failed.info.scope, target).await? else { continue };
        let installed = if state.current.operation_id == failed.info.operation_id {
            state.previous
        } else {
            // Its deployment never reported success: what it had is what it is supposed to have.
            Some(state.current)
        };
        if let Some(installed) = installed
            && !found.iter().any(|(known, _)| known == target)
        {
            found.push((target.clone(), installed));
        }
    }
    Ok(found)
}

/// What the operation's plan was about
async fn delivery(engine: &Engine, operation: &Operation) -> Result<Option<DeliveryContext>, EngineError> {
    let key = Key::entity(&operation.info.scope, Plan::KIND, operation.info.plan_id);
    let Some((plan, _)) = engine.table.read::<Plan>(&key).await? else { return Ok(None) };
    match plan.context {
        PlanContext::Delivery(context) => Ok(Some(context)),
        PlanContext::Definition(_) | PlanContext::Scenario(_) | PlanContext::None {} => Ok(None),
    }
}

/// Records the rollback and starts it. Everything is derived from the moment of the failure, so that whoever
/// repeats this meets what was recorded
async fn place(
    engine: &Engine,
    failed: &Operation,
    context: DeliveryContext,
    scenario: ScenarioRef,
    planned: Planned,
) -> Result<(), EngineError> {
    let (info, scope) = (&failed.info, &failed.info.scope);
    let snapshot = PlanSnapshot::new(planned.graph).map_err(impossible)?;
    keep_snapshot(engine, &snapshot).await?;
    let now = failed.completed_at.unwrap_or_else(|| engine.clock.now());
    let seed = format!("rollback/{}", info.operation_id);
    let operation_id = OperationId::derived(now.0, &seed);
    let actor = Actor { on_behalf_of: Some(info.actor.person().to_owned()), ..Actor::system("rollback") };
    let id = IntentId::derived(now.0, &seed);
    let intent = Intent {
        id,
        actor: actor.clone(),
        action: "rollback".to_owned(),
        target_resource_type: context.environment.kind(),
        target_resource_id: context.environment.to_string(),
        desired_result: Map::from_iter([("rollback_of".to_owned(), json!(info.operation_id))]),
        constraints: Map::new(),
        scenario: Some(scenario.scenario.clone()),
        inputs: Map::new(),
        status: IntentStatus::Planned,
        plan_id: Some(PlanId::from_body(id.body())),
        failure: None,
        created_at: now.into(),
    };
    let context = DeliveryContext { rollback_of: Some(DeploymentId::from(info.operation_id)), ..context };
    let exclusive = info.exclusive.clone();
    let plan = Plan { exclusive, ..plan(&intent, &snapshot, context, scenario, planned.bindings) };
    let made = new_operation(&snapshot.nodes, taking_back(failed, &plan, operation_id, now)?);
    let metadata = json!({ "rollback_of": info.operation_id, "operation_id": operation_id });
    let message = format!("rolled back by {}", DeploymentId::from(operation_id));
    let subject = ("operation", operation_id.to_string());
    let writes = vec![
        Write::Create(record(scope, &intent)?),
        Write::Create(record(scope, &plan)?),
        engine.event(failed, TimelineKind::RollbackStarted, message, Some(&actor))?,
        engine.audit(scope, &actor, "deployment.rollback", subject, metadata, None)?,
    ];
    engine.place(made, writes).await?;
    Ok(())
}

fn plan(
    intent: &Intent,
    snapshot: &PlanSnapshot,
    context: DeliveryContext,
    scenario: ScenarioRef,
    bindings: Vec<ResourceBinding>,
) -> Plan {
    Plan {
        plan_id: PlanId::from_body(intent.id.body()),
        intent_id: intent.id,
        operation_type: OperationType::Rollback,
        scenario_ref: Some(scenario),
        status: PlanStatus::Active,
        effective_version: 1,
        graph_hash: snapshot.graph_hash.clone(),
        node_count: u32::try_from(snapshot.nodes.len()).unwrap_or(u32::MAX),
        customizations: Vec::new(),
        bindings,
        exclusive: BTreeSet::new(),
        context: PlanContext::Delivery(context),
        created_by: intent.actor.clone(),
        created_at: intent.created_at,
        expires_at: None,
    }
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

fn impossible(error: impl std::fmt::Display) -> EngineError {
    EngineError::Inconsistent(format!("the rollback cannot be planned: {error}"))
}
