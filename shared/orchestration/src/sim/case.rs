//! One run: a seed, a workload, its faults; and what it came to

use super::{
    SimError,
    chance::Chance,
    fault::{Fault, Faults, Plan, Point},
    machines::SimMachines,
    objects::SimObjects,
    pace::{Latency, Pace},
    queues::SimQueues,
    record::Record,
    table::SimTable,
    violation::Violation,
    workload::{Story, Workload},
    world::{World, locked},
};
use crate::{
    Engine, EngineError,
    start::{NewOperation, operation as new_operation},
};
use std::{fmt, sync::Arc, time::Duration};
use strum::VariantArray as _;
use weir_domain::{
    actor::Actor,
    canonical::Digest,
    engine::Operation,
    failure::FailureSummary,
    id::{Id as _, IntentId, OperationId, PlanId},
    operation::{OperationStatus, OperationType},
    plan::{Graph, NodeStatus, OnFailure, PlanSnapshot},
    scope::Scope,
    time::Millis,
};
use weir_ledger::{Ledger, LocalSigner};
use weir_store::{Key, Table as _};

/// Whatever has not ended so long after the last fault never will
const PATIENCE: Millis = Millis::from_secs(8 * 3600);

/// What is run
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// What decides everything that chance decides
    pub seed: u64,
    /// What is run
    pub workload: Workload,
    /// About how many nodes
    pub size: usize,
    /// What goes wrong
    pub faults: Faults,
    /// Whether everything that happens is written down
    pub trace: bool,
}

impl Case {
    /// The case that `seed` stands for: one workload after the other, mostly small
    pub fn of(seed: u64) -> Self {
        let count = Workload::VARIANTS.len() as u64;
        let at = usize::try_from(seed % count).unwrap_or(0);
        let workload = Workload::VARIANTS.get(at).copied().unwrap_or(Workload::Chain);
        Self::with(seed, workload)
    }

    /// `workload`, with everything else as `seed` decides
    pub fn with(seed: u64, workload: Workload) -> Self {
        let chance = Chance::new(seed).of("size");
        let most = if chance.of("large").one_in(10) { 12 } else { 6 };
        let size = 2 + usize::try_from(chance.below(most)).unwrap_or(4);
        let faults = if seed % 32 == 31 { Faults::None } else { Faults::Seeded };
        Self { seed, workload, size, faults, trace: false }
    }
}

impl fmt::Display for Case {
    /// The command that runs exactly this
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, workload, size, faults, .. } = self;
        write!(f, "cargo xtask sim --seed {seed} --workload {} --size {size}", workload.as_str())?;
        match faults {
            Faults::Seeded => Ok(()),
            Faults::None => write!(f, " --no-faults"),
            Faults::Listed(listed) => {
                write!(f, " --no-faults")?;
                listed
                    .iter()
                    .try_for_each(|(point, fault)| write!(f, " --fault '{point}={}'", fault.as_str()))
            }
        }
    }
}

/// What a run came to
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// How the operation ended
    pub status: Option<OperationStatus>,
    /// What should never have happened
    pub violations: Vec<Violation>,
    /// Every fault that happened, in order
    pub injected: Vec<(Point, Fault)>,
    /// Every external write, in order
    pub writes: Vec<Point>,
    /// Effects that happened more than once
    pub doubled: usize,
    /// Passes of reconcile that found something to do
    pub rounds: u64,
    /// Writes to node runs after they were put
    pub node_writes: u64,
    /// States entered over all executions
    pub transitions: u64,
    /// From the operation's creation to its end
    pub makespan: Millis,
    /// One line for everything that happened, if it was asked for
    pub trace: Vec<String>,
}

/// Runs `case` to its end, or until it is clear that it has none
pub fn play(case: &Case) -> Result<Report, SimError> {
    let chance = Chance::new(case.seed);
    let story = case.workload.story(chance, case.size)?;
    let plan = Plan::new(case.faults.clone(), chance);
    let pace = Pace { workers: 50, latency: Latency::default(), spread: true };
    simulate(story, pace, case.seed, plan, case.trace)
}

pub(super) fn simulate(
    story: Story,
    pace: Pace,
    seed: u64,
    plan: Plan,
    trace: bool,
) -> Result<Report, SimError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .map_err(|error| SimError::SetUp(error.to_string()))?;
    let record = Record::new(trace);
    runtime.block_on(live(story, pace, seed, plan, record))
}

async fn live(story: Story, pace: Pace, seed: u64, plan: Plan, record: Record) -> Result<Report, SimError> {
    let set_up = |error: &dyn std::fmt::Display| SimError::SetUp(error.to_string());
    let helped = plan.is_any();
    let world = World::new(pace, seed, plan, record, helped);
    let scope: Scope = "sim".parse().map_err(|e| set_up(&e))?;
    let engine = engine(&world, &scope)?;
    world.connect(&engine);
    let operation = operation(&engine, &scope, &story.graph).await?;
    let id = operation.info.operation_id;
    if helped {
        tokio::spawn(world.clone().run_schedule());
    }
    for target in &story.targets {
        tokio::spawn(world.clone().run_agent(scope.clone(), target.clone()));
    }
    place(&world, operation.clone()).await;
    for act in story.acts {
        tokio::spawn(world.clone().run_act(scope.clone(), id, act));
    }
    until_rest(&world, &scope, id).await;
    report(&world, &operation).await
}

fn engine(world: &Arc<World>, scope: &Scope) -> Result<Arc<Engine>, SimError> {
    let signer = LocalSigner::from_seed("sim").map_err(|error| SimError::SetUp(error.to_string()))?;
    let objects = SimObjects::new(world.clone());
    let mut engine = Engine::new(
        Arc::new(SimTable(world.clone())),
        Arc::new(Ledger::new(Arc::new(objects), scope.workspace.clone())),
        Arc::new(SimMachines(world.clone())),
        Arc::new(SimQueues::new(world.clone())),
        Arc::new(signer),
        world.clone(),
    );
    if world.chance.of("check in").one_in(2) {
        engine.check_in = Millis::from_secs(300); // as on an emulator
    }
    Ok(Arc::new(engine))
}

async fn operation(engine: &Engine, scope: &Scope, graph: &Graph) -> Result<Operation, SimError> {
    let set_up = |error: &dyn std::fmt::Display| SimError::SetUp(error.to_string());
    let now = engine.clock.now();
    let snapshot = PlanSnapshot::new(graph.clone()).map_err(|e| set_up(&e))?;
    let bytes = serde_json::to_vec(&snapshot).map_err(|e| set_up(&e))?;
    engine.ledger.plan_put(&snapshot.graph_hash, bytes).await.map_err(EngineError::from)?;
    let new = NewOperation {
        operation_id: OperationId::derived(now.0, "sim"),
        scope: scope.clone(),
        operation_type: OperationType::PipelineRun,
        plan_id: PlanId::derived(now.0, "sim"),
        intent_id: IntentId::derived(now.0, "sim"),
        graph_hash: snapshot.graph_hash,
        identity: Digest::of_bytes(b"sim"),
        actor: Actor::system("sim"),
        title: "simulated".to_owned(),
        now,
        promotion_id: None,
        release_id: None,
        environment: None,
        rollback_of: None,
        retry_of: None,
        parent: None,
        exclusive: std::collections::BTreeSet::new(),
    };
    Ok(new_operation(graph, new))
}

/// The caller asks until it is answered, with the same ids each time
async fn place(world: &World, operation: Operation) {
    loop {
        let asked = operation.clone();
        let placed = world
            .invoke("operation_create", move |_, engine| async move {
                engine.place(asked, Vec::new()).await.map(drop)
            })
            .await;
        if placed.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

async fn until_rest(world: &World, scope: &Scope, id: OperationId) {
    let end = world.plan.until + PATIENCE;
    while world.passed() < end {
        let early = world.passed() < Millis::from_secs(600);
        tokio::time::sleep(Duration::from_secs(if early { 5 } else { 60 })).await;
        let ended = world.memory.operation_get(scope, id).await.ok().flatten();
        let ended = ended.is_some_and(|it| !it.is_active() && it.finished && it.todo.is_empty());
        if ended && world.rests() {
            return;
        }
    }
}

impl World {
    /// Nothing is on its way, nothing runs, and nothing has to be looked at
    fn rests(&self) -> bool {
        let record = locked(&self.record);
        let quiet = record.in_flight == 0;
        let ended = record.executions.values().all(|it| !it.running || it.excused);
        quiet && ended && locked(&self.watch).at_rest().is_empty()
    }
}

async fn report(world: &World, operation: &Operation) -> Result<Report, SimError> {
    let info = &operation.info;
    let (scope, id) = (&info.scope, info.operation_id);
    let set_up = |error: &dyn std::fmt::Display| SimError::SetUp(error.to_string());
    let ended = world.memory.operation_get(scope, id).await.map_err(|e| set_up(&e))?;
    let mut violations = locked(&world.watch).found.clone();
    violations.extend(locked(&world.watch).at_rest());
    if let Some(ended) = ended.as_ref().filter(|it| !it.is_active()) {
        violations.extend(wrong_end(world, ended).await);
        let lock = Key::active_run(scope, &info.run_identity_hash);
        if world.memory.get(&lock).await.map_err(|e| set_up(&e))?.is_some() {
            violations.push(Violation::StillLocked);
        }
    }
    let mut record = locked(&world.record);
    for (name, execution) in &record.executions {
        if execution.running && !execution.excused {
            violations.push(Violation::ExecutionOpen(name.clone()));
        }
    }
    let created = info.created_at;
    let watch = locked(&world.watch);
    Ok(Report {
        status: ended.as_ref().map(|it| it.status),
        violations,
        injected: std::mem::take(&mut record.injected),
        writes: std::mem::take(&mut record.writes_made),
        doubled: watch.doubled(),
        rounds: record.rounds,
        node_writes: watch.node_writes,
        transitions: record.transitions,
        makespan: ended.and_then(|it| it.completed_at).map_or(Millis(0), |at| at - created),
        trace: record.trace.take().unwrap_or_default(),
    })
}

/// The operation says of its nodes what is not so
async fn wrong_end(world: &World, operation: &Operation) -> Option<Violation> {
    let info = &operation.info;
    let (mut failed, mut cancelled) = (false, false);
    for segment in 0..info.segments {
        for node in world.memory.nodes(&info.scope, info.operation_id, segment).await.ok()? {
            failed |= node.status == NodeStatus::Failed && node.terms.on_failure != OnFailure::Continue;
            cancelled |= node.error.is_some_and(|error| error == FailureSummary::cancelled());
        }
    }
    let nodes_say = if failed { OperationStatus::Failed } else { OperationStatus::Succeeded };
    let said = operation.status;
    // A cancel that came when every node had ended may be too late to be told.
    let right = match operation.cancel {
        true => said == OperationStatus::Cancelled || (said == nodes_say && !cancelled),
        false => said == nodes_say,
    };
    (!right).then(|| Violation::WrongEnd(format!("{}, and not {}", said.as_str(), nodes_say.as_str())))
}
