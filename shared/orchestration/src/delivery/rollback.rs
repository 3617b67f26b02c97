//! The way back: a failed deployment is taken back by a new operation, with evidence of its own

use super::{
    DeliveryError,
    conclude::was_deployed,
    gather::{jobs, recipe, sites, target_state, targets},
};
use crate::{
    Engine, EngineError,
    rollback::{self, WayBack},
    scenario::{offers, scenarios},
};
use weir_domain::{
    definition::{
        address::Address,
        spec::{Component, OnFailure},
    },
    delivery::Installed,
    engine::{NodeRun, Operation},
    id::DeploymentId,
    plan::{self, DeliveryContext, Executor, NodeStatus, Plan, PlanContext},
    planner::{Deployable, Offers, Recipe, RollbackRequest, Site, bind_delivery, plan_rollback},
    scope::Scope,
};
use weir_store::{Entity as _, Key};

/// Starts the rollback of `failed`, once: its ids are derived from the operation that it takes back
pub(super) async fn start_rollback(
    engine: &Engine,
    failed: &Operation,
    nodes: &[NodeRun],
) -> Result<(), EngineError> {
    let Some(context) = delivery(engine, failed).await? else { return Ok(()) };
    if context.delivery.on_failure != OnFailure::Rollback && !nodes.iter().any(asks_to_roll_back) {
        return Ok(());
    }
    let before = before(engine, failed, nodes).await?;
    if before.is_empty() {
        let why = "no target had anything before that could be put back".to_owned();
        return rollback::none(engine, failed, why).await;
    }
    match way_back(engine, failed, context, before).await {
        Ok(way) => rollback::place(engine, failed, way).await,
        Err(DeliveryError::Engine(error)) => Err(error),
        // Nobody who tries again plans it either: what failed ends without it, and lets others begin.
        Err(error) => {
            let why = format!("nothing is rolled back, and what was done is left as it is: {error}");
            rollback::none(engine, failed, why).await
        }
    }
}

/// What puts back on each target what it had `before`, by the recipe that is applied now
async fn way_back(
    engine: &Engine,
    failed: &Operation,
    context: DeliveryContext,
    before: Vec<(Address, Installed)>,
) -> Result<WayBack, DeliveryError> {
    let scope = &failed.info.scope;
    let scenarios = scenarios(engine, scope).await?;
    let (scenario, template) = recipe(engine, scope, &scenarios, "rollback", None).await?;
    let mut components: Vec<(Address, Installed, Component)> = Vec::new();
    for (target, installed) in before {
        if let Some(component) = engine.resource::<Component>(scope, &installed.component).await? {
            components.push((target, installed, component));
        }
    }
    let targets =
        components.iter().map(|(target, installed, spec)| (target.clone(), deployable(installed, spec)));
    let (sites, offers) = around(engine, scope, &context, &components).await?;
    let jobs = jobs(engine, scope, &template).await?;
    let recipe = Recipe { template: &template, jobs: &jobs, sites: &sites };
    let request = RollbackRequest { delivery: &context.delivery, targets: targets.collect(), recipe };
    let graph = plan_rollback(&request)?;
    let bindings = bind_delivery(&recipe, &offers, &scenarios);
    let subject = context.environment.clone();
    let context =
        DeliveryContext { rollback_of: Some(DeploymentId::from(failed.info.operation_id)), ..context };
    let (scenario, context) = (Some(scenario), PlanContext::Delivery(context));
    Ok(WayBack { subject, scenario, context, graph, bindings })
}

/// Whether a step has failed whose template says that its failure takes everything back, whatever its environment says
fn asks_to_roll_back(node: &NodeRun) -> bool {
    node.status == NodeStatus::Failed && node.terms.on_failure == plan::OnFailure::Rollback
}

/// Where the way back goes, and who may go it: told, never a reason not to go
async fn around(
    engine: &Engine,
    scope: &Scope,
    context: &DeliveryContext,
    components: &[(Address, Installed, Component)],
) -> Result<(Vec<Site>, Offers), DeliveryError> {
    let mut targets = targets(engine, scope, &context.environment).await?;
    targets.retain(|(address, _)| components.iter().any(|(target, ..)| target == address));
    Ok((sites(targets, None), offers(engine, scope).await?))
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
