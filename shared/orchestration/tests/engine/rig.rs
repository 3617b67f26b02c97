//! The engine over tables and machines in memory, whose processes meet any trouble that a test wants

use crate::table::{Point, Trouble, Troubled};
use async_trait::async_trait;
use futures::FutureExt as _;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};
use weir_domain::{
    actor::Actor,
    canonical::Digest,
    engine::{NodeRun, Operation, OperationInfo, ParentNode},
    id::{Id as _, IntentId, OperationId, PlanId},
    operation::OperationType,
    plan::{Graph, NodeId, NodeStatus, PatchChanges, PlanNode, PlanSnapshot, patch::PatchRecord},
    scope::Scope,
    time::Millis,
};
use weir_ledger::{Ledger, LocalSigner, memory::MemoryObjects};
use weir_orchestration::{
    Clock, Engine, Outcome, PatchFailure, PatchWish, Started,
    delivery::Origin,
    machines::{Machines, MachinesError, OperationInput, SegmentInput, Sent},
    queues::{Job, Notice, QueueError, Queues},
};
use weir_store::{NodeKey, Table, Write, memory::MemoryTable};

pub struct Time(AtomicI64, AtomicU64);

impl Clock for Time {
    fn now(&self) -> Millis {
        Millis(self.0.load(Ordering::Relaxed))
    }
    fn random(&self) -> u64 {
        self.1.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed).wrapping_mul(0xBF58_476D_1CE4_E5B9)
    }
}

/// What was sent to Step Functions and SQS
#[derive(Default)]
pub struct Told {
    pub segments: BTreeSet<String>,
    pub executions: BTreeMap<u32, SegmentInput>,
    /// Segments of which no execution runs
    pub ended: BTreeSet<u32>,
    pub jobs: Vec<Job>,
    /// Tokens that were sent back
    pub sent: Vec<String>,
    /// Whether Step Functions takes no tokens for the moment
    pub throttled: bool,
    /// How often a root execution was started
    pub roots: u32,
}

#[derive(Default)]
pub struct Cloud(Mutex<Told>);

impl Cloud {
    pub fn told<T>(&self, look: impl FnOnce(&mut Told) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }
}

#[async_trait]
impl Machines for Cloud {
    async fn start_operation(&self, _: &OperationInput) -> Result<(), MachinesError> {
        self.told(|sent| sent.roots += 1);
        Ok(())
    }
    async fn start_segment(&self, input: &SegmentInput) -> Result<(), MachinesError> {
        self.told(|sent| {
            sent.segments.insert(input.name());
            sent.executions.insert(input.segment, input.clone());
        });
        Ok(())
    }
    async fn succeed(&self, token: &str, _: &str) -> Result<Sent, MachinesError> {
        self.told(|told| {
            if told.throttled {
                return Err(MachinesError("slow down".into()));
            }
            told.sent.push(token.to_owned());
            Ok(Sent::Gone)
        })
    }
    async fn segment_runs(&self, input: &SegmentInput) -> Result<bool, MachinesError> {
        Ok(self.told(|sent| !sent.ended.contains(&input.segment)))
    }
}

#[async_trait]
impl Queues for Cloud {
    async fn send_job(&self, job: &Job, _: Millis) -> Result<(), QueueError> {
        self.told(|sent| sent.jobs.push(job.clone()));
        Ok(())
    }
    async fn send_notice(&self, _: &Notice) -> Result<(), QueueError> {
        Ok(())
    }
}

/// One operation in a cloud in memory
pub struct Rig {
    pub memory: Arc<MemoryTable>,
    pub engine: Engine,
    pub cloud: Arc<Cloud>,
    pub clock: Arc<Time>,
    pub scope: Scope,
    pub id: OperationId,
    objects: Arc<MemoryObjects>,
    /// Every start of an attempt that won, by node
    pub started: BTreeMap<u32, u32>,
}

impl Rig {
    /// An operation over `graph` that has begun
    pub async fn begin(graph: &Graph) -> Self {
        let rig = Self::create(graph).await;
        rig.engine.begin(&rig.scope, rig.id, "root".to_owned()).await.unwrap();
        rig
    }

    /// An operation over `graph` that has yet to begin
    pub async fn create(graph: &Graph) -> Self {
        let clock = Arc::new(Time(AtomicI64::new(1_767_225_600_000), AtomicU64::new(7)));
        let (memory, cloud) = (Arc::new(MemoryTable::new()), Arc::new(Cloud::default()));
        let (objects, scope) = (Arc::new(MemoryObjects::new()), "patch".parse().unwrap());
        let engine = engine(memory.clone(), &objects, &cloud, &clock, &scope);
        let id = OperationId::derived(1, "patch");
        let rig = Self { memory, engine, cloud, clock, scope, id, objects, started: BTreeMap::new() };
        rig.record(graph, None).await;
        rig
    }

    /// The operation that the node's first attempt runs; it has yet to begin
    pub async fn child(&self, name: &str, graph: &Graph) -> Self {
        let graph_of_this = self.engine.graph_of(&self.operation().await).await.unwrap();
        let ordinal = graph_of_this.ordinal_of(&id(name)).unwrap();
        let rig = Self {
            id: OperationId::derived(self.id.millis(), &format!("{}/{ordinal}/1", self.id)),
            engine: self.peer(),
            memory: self.memory.clone(),
            cloud: self.cloud.clone(),
            clock: self.clock.clone(),
            scope: self.scope.clone(),
            objects: self.objects.clone(),
            started: BTreeMap::new(),
        };
        rig.record(graph, Some(ParentNode { operation: self.id, ordinal, attempt: 1 })).await;
        rig
    }

    async fn record(&self, graph: &Graph, parent: Option<ParentNode>) {
        let snapshot = PlanSnapshot::new(graph.clone()).unwrap();
        let document = serde_json::to_vec(&snapshot).unwrap();
        self.engine.ledger.plan_put(&snapshot.graph_hash, document).await.unwrap();
        let operation = Operation::new(OperationInfo {
            operation_id: self.id,
            scope: self.scope.clone(),
            operation_type: OperationType::PipelineRun,
            plan_id: PlanId::derived(1, "patch"),
            intent_id: IntentId::derived(1, "patch"),
            graph_hash: snapshot.graph_hash,
            nodes: u32::try_from(graph.len()).unwrap(),
            segments: u32::try_from(graph.segments().len()).unwrap(),
            run_identity_hash: Digest::of_bytes(b"patch"),
            actor: Actor::system("alice"),
            title: "patched".to_owned(),
            created_at: self.clock.now(),
            deadline: self.clock.now() + Millis::from_secs(9_999_999),
            promotion_id: None,
            release_id: None,
            environment: None,
            rollback_of: None,
            retry_of: None,
            parent,
            exclusive: BTreeSet::new(),
            context: BTreeMap::new(),
        });
        self.memory.transact(&[Write::CreateOperation(Box::new(operation))]).await.unwrap();
    }

    /// An engine of another process
    pub fn peer(&self) -> Engine {
        engine(self.memory.clone(), &self.objects, &self.cloud, &self.clock, &self.scope)
    }

    fn troubled(&self, trouble: Trouble) -> Engine {
        let table = Troubled { memory: self.memory.clone(), trouble };
        engine(Arc::new(table), &self.objects, &self.cloud, &self.clock, &self.scope)
    }

    /// An engine of another process, which dies at its write number `left`
    pub fn mortal(&self, left: i64, after: bool) -> Engine {
        self.troubled(Trouble::Dies { left: AtomicI64::new(left), after })
    }

    /// One whose first answer to each write gets lost, so that it is sent once more
    pub fn hard_of_hearing(&self) -> Engine {
        self.troubled(Trouble::SendsTwice)
    }

    /// One of which all is read before the first write at `point` is made; then `what` happens, and then that write
    pub fn overtaken(
        &self,
        point: fn(Point<'_>) -> bool,
        what: impl Future<Output = ()> + Send + 'static,
    ) -> Engine {
        self.troubled(Trouble::Overtaken { point, what: Mutex::new(Some(what.boxed())) })
    }

    pub fn pass(&self, time: Millis) {
        self.clock.0.fetch_add(time.0, Ordering::Relaxed);
    }

    pub async fn reconcile(&self) {
        assert_eq!(self.engine.reconcile().await.unwrap().failed, 0);
    }

    pub async fn key(&self, name: &str) -> NodeKey {
        NodeKey::new(&self.scope, self.id, self.node(name).await.ordinal)
    }

    pub async fn patch_by(
        &self,
        engine: &Engine,
        seed: &str,
        changes: &PatchChanges,
    ) -> Result<PatchRecord, PatchFailure> {
        let origin = Origin { now: Millis(1_767_225_600_000), seed: seed.to_owned(), request_id: None };
        let actor = Actor::system("bob");
        let wish = PatchWish { actor: &actor, reason: "because", changes };
        engine.patch(&self.scope, self.id, &origin, wish).await
    }

    pub async fn patch(&self, seed: &str, changes: &PatchChanges) -> Result<PatchRecord, PatchFailure> {
        self.patch_by(&self.engine, seed, changes).await
    }

    pub async fn operation(&self) -> Operation {
        self.memory.operation_get(&self.scope, self.id).await.unwrap().unwrap()
    }

    /// Every node of the operation, by name
    pub async fn nodes(&self) -> BTreeMap<NodeId, NodeRun> {
        let operation = self.operation().await;
        let graph = self.engine.graph_of(&operation).await.unwrap();
        let nodes = self.engine.all_nodes(&operation).await.unwrap();
        nodes.into_iter().map(|run| (graph.node(run.ordinal).unwrap().node_id.clone(), run)).collect()
    }

    pub async fn node(&self, name: &str) -> NodeRun {
        self.nodes().await.remove(&id(name)).unwrap()
    }

    pub async fn status(&self, name: &str) -> NodeStatus {
        self.node(name).await.status
    }

    /// Starts the node's attempt
    pub async fn start(&self, name: &str) -> Started {
        let (key, seen) = (self.key(name).await, self.node(name).await);
        self.engine.start(&key, &seen, "worker").await.unwrap()
    }

    /// Starts and ends one attempt of the node
    pub async fn work(&mut self, name: &str, well: bool) {
        let run = self.node(name).await;
        self.do_job(run.ordinal, run.attempt, well).await;
    }

    async fn do_job(&mut self, ordinal: u32, attempt: u32, well: bool) {
        let key = NodeKey::new(&self.scope, self.id, ordinal);
        let node = self.nodes().await.into_values().find(|node| node.ordinal == ordinal);
        let seen = NodeRun { attempt, ..node.unwrap() };
        if !matches!(self.engine.start(&key, &seen, "worker").await.unwrap(), Started::Yes(_)) {
            return;
        }
        *self.started.entry(ordinal).or_default() += 1;
        let error = weir_domain::failure::FailureSummary::new("broke", "it broke");
        let outcome = if well { Outcome::Succeeded } else { Outcome::Failed { error, retryable: false } };
        self.engine.report(&key, attempt, outcome, format!("{ordinal}/{attempt}")).await.unwrap();
    }

    /// Does all work, whatever comes of it, until nothing moves: jobs, segments' ends, and reconcile after patience
    pub async fn settle(&mut self) {
        for _ in 0..50 {
            let jobs = self.cloud.told(|sent| std::mem::take(&mut sent.jobs));
            for job in jobs {
                self.do_job(job.ordinal, job.attempt, true).await;
            }
            for segment in self.cloud.told(|sent| sent.executions.keys().copied().collect::<Vec<_>>()) {
                self.engine.segment_finish(&self.scope, self.id, segment).await.unwrap();
            }
            let operation = self.operation().await;
            if operation.finished && operation.todo.is_empty() {
                return;
            }
            self.pass(Millis::from_secs(40));
            self.reconcile().await;
        }
        panic!("it does not end: {:?}", self.operation().await);
    }
}

fn engine(
    table: Arc<dyn Table>,
    objects: &Arc<MemoryObjects>,
    cloud: &Arc<Cloud>,
    clock: &Arc<Time>,
    scope: &Scope,
) -> Engine {
    let ledger = Ledger::new(objects.clone(), scope.workspace.clone());
    let signer = LocalSigner::from_seed("patch").unwrap();
    Engine::new(table, Arc::new(ledger), cloud.clone(), cloud.clone(), Arc::new(signer), clock.clone())
}

pub fn id(name: &str) -> NodeId {
    name.parse().unwrap()
}

/// A job that waits for `needs`
pub fn job(name: &str, needs: &[&str]) -> PlanNode {
    use weir_domain::plan::{Executor, NodeType};
    let contract = serde_json::json!({ "capability": "test", "timeout_s": 60, "attempts": 3 });
    PlanNode {
        depends_on: needs.iter().map(|need| id(need)).collect(),
        job_contract: serde_json::from_value(contract).unwrap(),
        ..PlanNode::new(id(name), NodeType::Job, name, Executor::Job)
    }
}
