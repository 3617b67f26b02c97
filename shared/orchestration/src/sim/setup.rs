//! What is there before a run begins: engine, plans, operations that will be asked for

use super::{
    SimError,
    machines::SimMachines,
    objects::SimObjects,
    queues::SimQueues,
    signer::SimSigner,
    table::SimTable,
    workload::{Part, Story, operation_id},
    world::{EPOCH, World, locked},
};
use crate::{
    Engine, EngineError,
    delivery::Origin,
    records::record,
    scenario::{Run, made},
    start::{NewOperation, operation as new_operation},
};
use futures::{FutureExt as _, future::BoxFuture};
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};
use weir_domain::{
    actor::Actor,
    canonical::Digest,
    engine::Operation,
    id::{Id as _, IntentId, PlanId},
    intent::{Intent, IntentStatus},
    operation::OperationType,
    plan::{BindingStatus, Plan, PlanContext, PlanSnapshot, PlanStatus, ResourceBinding, ScenarioContext},
    scope::Scope,
    time::Millis,
};
use weir_ledger::{Ledger, LocalSigner};
use weir_store::{Table as _, Write};

fn set_up(error: &dyn std::fmt::Display) -> SimError {
    SimError::SetUp(error.to_string())
}

/// The key that every run signs with: to make one takes longer than most runs
fn signer() -> Option<Arc<LocalSigner>> {
    static SIGNER: OnceLock<Option<Arc<LocalSigner>>> = OnceLock::new();
    SIGNER.get_or_init(|| LocalSigner::from_seed("sim").ok().map(Arc::new)).clone()
}

/// The engine over the world's services
pub(super) fn engine(world: &Arc<World>, scope: &Scope) -> Result<Arc<Engine>, SimError> {
    let key = signer().ok_or_else(|| SimError::SetUp("there is no key to sign with".to_owned()))?;
    let signer = Arc::new(SimSigner::new(world.clone(), key));
    let objects = SimObjects::new(world.clone());
    let mut engine = Engine::new(
        Arc::new(SimTable(world.clone())),
        Arc::new(Ledger::new(Arc::new(objects), scope.workspace.clone())),
        Arc::new(SimMachines(world.clone())),
        Arc::new(SimQueues::new(world.clone())),
        signer,
        world.clone(),
    );
    if world.chance.of("check in").one_in(2) {
        engine.check_in = Millis::from_secs(300); // as on an emulator
    }
    Ok(Arc::new(engine))
}

/// The operations of `story`, whose plans are kept
pub(super) async fn operations(
    world: &World,
    engine: &Engine,
    scope: &Scope,
    story: &Story,
) -> Result<Vec<Operation>, SimError> {
    let mut operations = Vec::new();
    for (place, part) in story.parts.iter().enumerate() {
        let seed = format!("sim/{place}");
        let plan = plan(world, engine, scope, part, &seed, None).await?;
        let first = part.takes_back.then(|| operation_id(0));
        if part.scenario {
            operations.push(scenario(world, scope, part, &plan).await?);
            continue;
        }
        let new = NewOperation {
            operation_id: operation_id(place),
            scope: scope.clone(),
            operation_type: OperationType::PipelineRun,
            plan_id: plan.plan_id,
            intent_id: plan.intent_id,
            graph_hash: plan.graph_hash,
            identity: Digest::of_bytes(seed.as_bytes()),
            actor: Actor::system("sim"),
            title: "simulated".to_owned(),
            now: EPOCH,
            promotion_id: None,
            release_id: None,
            environment: None,
            rollback_of: first,
            retry_of: None,
            parent: None,
            exclusive: part.exclusive.clone(),
        };
        operations.push(new_operation(&part.graph, new));
    }
    Ok(operations)
}

/// The operation that runs `plan`, as whoever starts a scenario makes it, and the intent that it is for
async fn scenario(world: &World, scope: &Scope, part: &Part, plan: &Plan) -> Result<Operation, SimError> {
    let PlanContext::Scenario(context) = &plan.context else {
        return Err(SimError::SetUp("its plan runs no scenario".to_owned()));
    };
    let actor = Actor::system("sim");
    let intent = Intent {
        id: plan.intent_id,
        actor: actor.clone(),
        action: context.action.clone(),
        target_resource_type: context.resource.kind(),
        target_resource_id: context.resource.to_string(),
        desired_result: serde_json::Map::new(),
        constraints: serde_json::Map::new(),
        scenario: None,
        inputs: serde_json::Map::new(),
        status: IntentStatus::Planned,
        plan_id: Some(plan.plan_id),
        failure: None,
        created_at: EPOCH.into(),
    };
    let write = Write::Create(record(scope, &intent)?);
    world.memory.transact(&[write]).await.map_err(|error| set_up(&error))?;
    let graph = PlanSnapshot::new(part.graph.clone()).map_err(|error| set_up(&error))?;
    let origin = Origin { now: EPOCH, seed: "sim".to_owned(), request_id: None };
    let run =
        Run { operation_id: operation_id(0), plan, intent: &intent, context, graph: &graph, retry_of: None };
    Ok(made(scope, &actor, &origin, &run)?)
}

/// Keeps the plan of `part`, and first those of the operations that its nodes run
///
/// Before the run, so nothing of it fails.
fn plan<'a>(
    world: &'a World,
    engine: &'a Engine,
    scope: &'a Scope,
    part: &'a Part,
    seed: &'a str,
    parent: Option<PlanId>,
) -> BoxFuture<'a, Result<Plan, SimError>> {
    async move {
        let plan_id = PlanId::derived(EPOCH.0, seed);
        let mut bindings = Vec::new();
        for (node, child) in &part.children {
            let seed = format!("{seed}/{node}");
            let child = self::plan(world, engine, scope, child, &seed, Some(plan_id)).await?;
            bindings.push(ResourceBinding {
                requirement_id: node.to_string(),
                capability_key: "sim".to_owned(),
                constraints: serde_json::Map::new(),
                binding_status: BindingStatus::SubOperation,
                selected_resource_id: None,
                sub_operation_plan_id: Some(child.plan_id),
                resolution_reason: "simulated".to_owned(),
            });
        }
        let snapshot = PlanSnapshot::new(part.graph.clone()).map_err(|error| set_up(&error))?;
        let bytes = serde_json::to_vec(&snapshot).map_err(|error| set_up(&error))?;
        engine.ledger.plan_put(&snapshot.graph_hash, bytes).await.map_err(EngineError::from)?;
        locked(&world.watch).knows(snapshot.graph_hash.clone(), part.graph.clone());
        let plan = of(part, plan_id, snapshot.graph_hash, bindings, parent)?;
        let write = Write::Create(record(scope, &plan)?);
        world.memory.transact(&[write]).await.map_err(|error| set_up(&error))?;
        Ok(plan)
    }
    .boxed()
}

fn of(
    part: &Part,
    plan_id: PlanId,
    graph_hash: Digest,
    bindings: Vec<ResourceBinding>,
    part_of: Option<PlanId>,
) -> Result<Plan, SimError> {
    let context = ScenarioContext {
        action: "simulate".to_owned(),
        resource: "target.sim.t1".parse().map_err(|error| set_up(&error))?,
        environment: None,
        inputs: serde_json::Map::new(),
        outputs: std::collections::BTreeMap::new(),
        part_of,
        risk: None,
    };
    Ok(Plan {
        plan_id,
        intent_id: IntentId::derived(EPOCH.0, "sim"),
        operation_type: OperationType::ScenarioRun,
        scenario_ref: None,
        status: PlanStatus::Ready,
        effective_version: 1,
        graph_hash,
        node_count: u32::try_from(part.graph.len()).unwrap_or(u32::MAX),
        customizations: Vec::new(),
        bindings,
        exclusive: part.exclusive.clone(),
        context: PlanContext::Scenario(context),
        created_by: Actor::system("sim"),
        created_at: EPOCH.into(),
        expires_at: None,
    })
}

impl World {
    /// Asks for `operation` when its time has come, until that is answered: with the same ids each time
    pub async fn place(self: Arc<Self>, operation: Operation, at: Duration) {
        tokio::time::sleep(at).await;
        loop {
            let asked = operation.clone();
            let placed = self
                .invoke("operation_create", move |_, engine| async move {
                    engine.place(asked, Vec::new()).await.map(drop)
                })
                .await;
            if placed.is_ok() {
                locked(&self.record).to_place -= 1;
                return;
            }
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    }
}
