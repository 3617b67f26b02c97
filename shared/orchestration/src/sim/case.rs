//! One run: a seed, a workload, its faults; and what it came to

use super::{
    SimError,
    chance::Chance,
    fault::{Fault, Faults, Plan, Point},
    pace::{Latency, Pace},
    people::Deed,
    record::Record,
    setup,
    violation::Violation,
    workload::{Story, Workload, operation_id},
    world::{World, locked},
};
use crate::evidence::evidence_id;
use std::{collections::BTreeMap, fmt, time::Duration};
use strum::VariantArray as _;
use weir_domain::{
    engine::Operation,
    evidence::PacketType,
    failure::FailureSummary,
    operation::{OperationStatus, OperationType},
    plan::{NodeStatus, OnFailure},
    scope::Scope,
    time::Millis,
};
use weir_store::{Entity as _, EvidenceRow, Key, Table as _};

/// Whatever waits for people and gates, which the watch holds to no time, never ends if it has not so long after the last
/// fault
const PATIENCE: Millis = Millis::from_secs(8 * 3600);

/// Once nothing goes wrong any more, what was left undone is done within so many passes of reconcile that find something,
/// and as many as there are between four looks at an operation: it, one that its node runs, their ways back
const ROUNDS_MAX: u64 = 60;

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
        let size = workload.size(Chance::new(seed).of("size"));
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
            Faults::Seeded => write!(f, " --faults seeded"),
            Faults::None => write!(f, " --faults none"),
            Faults::Listed(listed) => {
                write!(f, " --faults listed")?;
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
    /// How the first operation ended
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
    /// Those of them after which nothing could go wrong any more
    pub rounds_after: u64,
    /// Writes to node runs after they were put
    pub node_writes: u64,
    /// Calls of services, of all kinds
    pub calls: u64,
    /// States entered over all executions
    pub transitions: u64,
    /// From the first operation's creation to its end
    pub makespan: Millis,
    /// What people did and what came of it, and how often
    pub deeds: BTreeMap<&'static str, u64>,
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
    let helped = plan.is_any() || !story.alone;
    let world = World::new(pace, seed, plan, record, helped);
    let scope: Scope = "sim".parse().map_err(|e| set_up(&e))?;
    let engine = setup::engine(&world, &scope)?;
    world.connect(&engine);
    let operations = setup::operations(&world, &engine, &scope, &story).await?;
    if helped {
        tokio::spawn(world.clone().run_schedule());
    }
    for target in &story.targets {
        tokio::spawn(world.clone().run_agent(scope.clone(), target.clone()));
    }
    let retries = story.acts.iter().filter(|act| matches!(act.what, Deed::Retry(_))).count();
    locked(&world.record).to_place = operations.len() + retries;
    for (part, operation) in story.parts.iter().zip(operations) {
        tokio::spawn(world.clone().place(operation, Duration::from_secs(part.at_s)));
    }
    for act in story.acts {
        tokio::spawn(world.clone().run_act(scope.clone(), operation_id(act.of), act));
    }
    for number in 0..story.tenders {
        tokio::spawn(world.clone().tend(scope.clone(), number));
    }
    until_rest(&world).await;
    report(&world, &scope).await
}

fn set_up(error: &dyn fmt::Display) -> SimError {
    SimError::SetUp(error.to_string())
}

async fn until_rest(world: &World) {
    let end = world.plan.until + PATIENCE;
    while world.passed() < end {
        let early = world.passed() < Millis::from_secs(600);
        tokio::time::sleep(Duration::from_secs(if early { 5 } else { 60 })).await;
        if world.rests() || world.is_late() {
            return;
        }
    }
}

impl World {
    /// Nothing is on its way, nothing runs, and nothing has to be looked at
    fn rests(&self) -> bool {
        let record = locked(&self.record);
        let quiet = record.in_flight == 0 && record.to_place == 0;
        quiet && record.open().next().is_none() && locked(&self.watch).at_rest().is_empty()
    }

    /// Something was not done in its time
    fn is_late(&self) -> bool {
        let Some((_, engine)) = self.both() else { return false };
        let late = locked(&self.watch).overdue(self.now(), engine.check_in);
        late.iter().for_each(|violation| self.say(|| format!("VIOLATION {violation}"), None));
        let is_late = !late.is_empty();
        locked(&self.watch).found.extend(late);
        is_late
    }
}

async fn report(world: &World, scope: &Scope) -> Result<Report, SimError> {
    let operations = locked(&world.watch).operations();
    let mut violations = locked(&world.watch).found.clone();
    violations.extend(locked(&world.watch).at_rest());
    if locked(&world.record).to_place > 0 {
        violations.push(Violation::NeverPlaced);
    }
    for operation in operations.iter().filter(|it| !it.is_active()) {
        violations.extend(wrong_end(world, operation).await);
        violations.extend(no_packet(world, operation).await);
        let lock = Key::active_run(scope, &operation.info.run_identity_hash);
        if world.memory.get(&lock).await.map_err(|e| set_up(&e))?.is_some() {
            violations.push(Violation::StillLocked);
        }
    }
    let mut record = locked(&world.record);
    violations.extend(record.open().map(|name| Violation::ExecutionOpen(name.clone())));
    if record.rounds_after > ROUNDS_MAX + 4 * looks(world) {
        violations.push(Violation::TooManyRounds(record.rounds_after));
    }
    let first = operations.iter().find(|it| it.info.operation_id == operation_id(0));
    let watch = locked(&world.watch);
    let mut deeds = std::mem::take(&mut record.deeds);
    for operation in &operations {
        *deeds.entry("operation").or_default() += 1;
        *deeds.entry("sub-operation").or_default() += u64::from(operation.info.parent.is_some());
        let takes_back = operation.info.operation_type == OperationType::Rollback;
        *deeds.entry("way back").or_default() += u64::from(takes_back);
        *deeds.entry("patch applied").or_default() += u64::from(operation.patch_seq);
    }
    Ok(Report {
        status: first.map(|it| it.status),
        violations,
        injected: std::mem::take(&mut record.injected),
        writes: std::mem::take(&mut record.writes_made),
        doubled: watch.doubled(),
        rounds: record.rounds,
        rounds_after: record.rounds_after,
        node_writes: watch.node_writes,
        calls: record.calls(),
        transitions: record.transitions,
        makespan: first.and_then(|it| Some(it.completed_at? - it.info.created_at)).unwrap_or_default(),
        deeds,
        trace: record.trace.take().unwrap_or_default(),
    })
}

/// The passes of reconcile between two looks at an operation that rests
fn looks(world: &World) -> u64 {
    let between = world.both().map(|(_, engine)| engine.check_in.0 / 60_000);
    between.and_then(|minutes| u64::try_from(minutes).ok()).unwrap_or(0)
}

/// What leaves evidence has left it
async fn no_packet(world: &World, operation: &Operation) -> Option<Violation> {
    let info = &operation.info;
    let packet = match info.operation_type {
        OperationType::ScenarioRun => PacketType::ScenarioRun,
        OperationType::Rollback => PacketType::Rollback,
        OperationType::Deploy
        | OperationType::Promote
        | OperationType::DefinitionApply
        | OperationType::AssignmentsFetch
        | OperationType::AssignmentsRestore
        | OperationType::PipelineRun
        | OperationType::ProjectionsRebuild
        | OperationType::ReconcileAdapterRuns => return None,
    };
    let id = evidence_id(info.operation_id, packet);
    let found = world.memory.get(&Key::entity(&info.scope, EvidenceRow::KIND, id)).await.ok()?;
    found.is_none().then_some(Violation::NoPacket(info.operation_id))
}

/// The operation says of its nodes what is not so
async fn wrong_end(world: &World, operation: &Operation) -> Option<Violation> {
    let info = &operation.info;
    let (mut failed, mut cancelled) = (false, false);
    for segment in operation.segments() {
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
