//! A simulated cloud: the real engine over a table, queues and state machines that live in memory
//!
//! Single-threaded and seeded; time is virtual and passes only while everybody waits, so that an hour's
//! operation takes milliseconds and the same seed gives the same run. What a call to each service costs is a
//! parameter: the makespan that comes out is that of the engine's own decisions. Nothing fails here yet.

mod cloud;
mod invariants;
mod table;

pub use cloud::{Latency, Workload};
pub use invariants::Violation;

use crate::{Clock, Engine, EngineError};
use cloud::Cloud;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::time::Instant;
use weir_domain::{
    actor::Actor,
    canonical::Digest,
    engine::{Operation, OperationInfo},
    id::{Id as _, IntentId, OperationId, PlanId},
    operation::{OperationStatus, OperationType},
    plan::{Graph, PlanSnapshot},
    scope::Scope,
    time::Millis,
};
use weir_ledger::{Ledger, LocalSigner, memory::MemoryObjects};
use weir_store::{Table as _, Write, memory::MemoryTable};

/// When virtual time begins: 2026-01-01T00:00:00Z
const EPOCH: Millis = Millis(1_767_225_600_000);

/// What one simulated run came to
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// How the operation ended
    pub status: OperationStatus,
    /// From its creation to its end
    pub makespan: Millis,
    /// No engine can be faster: the longest path, or the work shared out over every worker
    pub floor: Millis,
    /// Writes to node runs after they were put
    pub node_writes: u64,
    /// States entered over all executions
    pub transitions: u64,
    /// What should never have happened
    pub violations: Vec<Violation>,
}

impl Run {
    /// How much longer it took than any engine must
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a run are far below 2^52")]
    pub fn makespan_ratio(&self) -> f64 {
        self.makespan.0 as f64 / self.floor.0.max(1) as f64
    }
}

/// Why a run could not be carried out
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The engine gave up on something
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The run could not be set up
    #[error("{0}")]
    SetUp(String),
}

/// Virtual time, and chance from a seed
struct VirtualClock {
    start: Instant,
    chance: AtomicU64,
}

impl Clock for VirtualClock {
    fn now(&self) -> Millis {
        let passed = i64::try_from(self.start.elapsed().as_millis()).unwrap_or(i64::MAX);
        EPOCH + Millis(passed)
    }

    /// `SplitMix64`
    fn random(&self) -> u64 {
        let state = self.chance.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

/// Runs `graph` once, to its end
pub fn run(graph: Graph, workload: &Workload, seed: u64) -> Result<Run, SimError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .map_err(|error| SimError::SetUp(error.to_string()))?;
    runtime.block_on(simulate(graph, workload, seed))
}

async fn simulate(graph: Graph, workload: &Workload, seed: u64) -> Result<Run, SimError> {
    let set_up = |error: &dyn std::fmt::Display| SimError::SetUp(error.to_string());
    let clock = Arc::new(VirtualClock { start: Instant::now(), chance: AtomicU64::new(seed) });
    let memory = Arc::new(MemoryTable::new());
    let scope: Scope = "sim".parse().map_err(|e| set_up(&e))?;
    let ledger = Ledger::new(Arc::new(MemoryObjects::new()), scope.workspace.clone());
    let signer = LocalSigner::from_seed("sim").map_err(|e| set_up(&e))?;
    let cloud = Cloud::new(workload.clone());
    let engine = Arc::new(Engine::new(
        Arc::new(table::Latent::new(memory.clone(), workload.latency.table)),
        Arc::new(ledger),
        cloud.clone(),
        cloud.clone(),
        Arc::new(signer),
        clock.clone(),
    ));
    cloud.connect(&engine);

    let operation = create(&engine, &memory, &scope, &graph).await?;
    let begun = clock.now();
    engine.start_root(&scope, operation).await?;
    let ended = cloud.ended(&memory, &scope, operation).await.map_err(|e| set_up(&e))?;
    let makespan = ended.completed_at.unwrap_or(begun) - begun;
    let changes = memory.changes_since(0);
    Ok(Run {
        status: ended.status,
        makespan,
        floor: cloud::floor(&graph, workload),
        node_writes: invariants::node_writes(&changes),
        transitions: cloud.transitions(),
        violations: invariants::check(&graph, &changes),
    })
}

async fn create(
    engine: &Engine,
    memory: &MemoryTable,
    scope: &Scope,
    graph: &Graph,
) -> Result<OperationId, SimError> {
    let set_up = |error: String| SimError::SetUp(error);
    let now = engine.clock.now();
    let snapshot = PlanSnapshot::new(graph.clone()).map_err(|e| set_up(e.to_string()))?;
    let bytes = serde_json::to_vec(&snapshot).map_err(|e| set_up(e.to_string()))?;
    engine.ledger.plan_put(&snapshot.graph_hash, bytes).await.map_err(EngineError::from)?;
    let operation_id = OperationId::derived(now.0, "sim");
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let operation = Operation::new(OperationInfo {
        operation_id,
        scope: scope.clone(),
        operation_type: OperationType::Deploy,
        plan_id: PlanId::derived(now.0, "sim"),
        intent_id: IntentId::derived(now.0, "sim"),
        run_identity_hash: Digest::of_bytes(b"sim"),
        nodes: count(graph.len()),
        segments: count(graph.segments().len()),
        graph_hash: snapshot.graph_hash,
        actor: Actor::system("sim"),
        title: "simulated".to_owned(),
        created_at: now,
        deadline: now + Millis::from_secs(360 * 24 * 3600),
        promotion_id: None,
        release_id: None,
        environment: None,
        rollback_of: None,
        context: std::collections::BTreeMap::new(),
    });
    memory
        .transact(&[Write::CreateOperation(Box::new(operation))])
        .await
        .map_err(|e| set_up(e.to_string()))?;
    Ok(operation_id)
}
