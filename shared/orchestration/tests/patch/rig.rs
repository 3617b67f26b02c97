//! The engine over tables and machines in memory, in which a process can be made to die at any write

use async_trait::async_trait;
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
    engine::{NodeRun, NodeUpdate, Operation, OperationInfo, OperationUpdate},
    id::{Id as _, IntentId, OperationId, PlanId},
    operation::{OperationStatus, OperationType},
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
use weir_store::{
    Applied, Due, Key, NodeKey, Page, Query, Record, StoreError, Table, TransactError, Write,
    memory::MemoryTable,
};

pub struct Time(AtomicI64, AtomicU64);

impl Clock for Time {
    fn now(&self) -> Millis {
        Millis(self.0.load(Ordering::Relaxed))
    }
    fn random(&self) -> u64 {
        self.1.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed).wrapping_mul(0xBF58_476D_1CE4_E5B9)
    }
}

/// A table whose caller dies: after so many writes nothing more comes through, the last one with its effect or without
pub struct Mortal {
    memory: Arc<MemoryTable>,
    left: AtomicI64,
    /// Whether the write at which it dies is carried out
    after: bool,
}

impl Mortal {
    fn dead() -> StoreError {
        StoreError::Unavailable("the process has died".into())
    }

    async fn write<T, E: From<StoreError>>(&self, write: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        match self.left.fetch_sub(1, Ordering::Relaxed) {
            1.. => write.await,
            0 if self.after => {
                write.await?;
                Err(Self::dead().into())
            }
            _ => Err(Self::dead().into()),
        }
    }
}

#[async_trait]
impl Table for Mortal {
    async fn get(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.memory.get(key).await
    }
    async fn query(&self, query: &Query, after: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        self.memory.query(query, after, limit).await
    }
    async fn transact(&self, writes: &[Write]) -> Result<(), TransactError> {
        self.write(self.memory.transact(writes)).await
    }
    async fn node_put(&self, key: &NodeKey, node: &NodeRun) -> Result<bool, StoreError> {
        self.write(self.memory.node_put(key, node)).await
    }
    async fn node_get(&self, key: &NodeKey) -> Result<Option<NodeRun>, StoreError> {
        self.memory.node_get(key).await
    }
    async fn node_update(&self, key: &NodeKey, update: &NodeUpdate) -> Result<Applied<NodeRun>, StoreError> {
        self.write(self.memory.node_update(key, update)).await
    }
    async fn nodes(
        &self,
        scope: &Scope,
        operation: OperationId,
        segment: u32,
    ) -> Result<Vec<NodeRun>, StoreError> {
        self.memory.nodes(scope, operation, segment).await
    }
    async fn operation_get(
        &self,
        scope: &Scope,
        operation: OperationId,
    ) -> Result<Option<Operation>, StoreError> {
        self.memory.operation_get(scope, operation).await
    }
    async fn operation_update(
        &self,
        scope: &Scope,
        operation: OperationId,
        update: &OperationUpdate,
    ) -> Result<Applied<Operation>, StoreError> {
        self.write(self.memory.operation_update(scope, operation, update)).await
    }
    async fn operations(
        &self,
        scope: &Scope,
        statuses: &[OperationStatus],
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Operation>, Option<String>), StoreError> {
        self.memory.operations(scope, statuses, after, limit).await
    }
    async fn due(&self, shard: u8, now: Millis, limit: usize) -> Result<Vec<Due>, StoreError> {
        self.memory.due(shard, now, limit).await
    }
    async fn queued(
        &self,
        scope: &Scope,
        target: &str,
        now: Millis,
        limit: usize,
    ) -> Result<Vec<NodeKey>, StoreError> {
        self.memory.queued(scope, target, now, limit).await
    }
}

/// What was sent to Step Functions and SQS
#[derive(Default)]
pub struct Told {
    pub segments: BTreeSet<String>,
    pub executions: BTreeMap<u32, SegmentInput>,
    pub jobs: Vec<Job>,
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
        Ok(())
    }
    async fn start_segment(&self, input: &SegmentInput) -> Result<(), MachinesError> {
        self.told(|sent| {
            sent.segments.insert(input.name());
            sent.executions.insert(input.segment, input.clone());
        });
        Ok(())
    }
    async fn succeed(&self, _: &str, _: &str) -> Result<Sent, MachinesError> {
        Ok(Sent::Gone)
    }
    async fn segment_runs(&self, _: &SegmentInput) -> Result<bool, MachinesError> {
        Ok(true)
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
        let clock = Arc::new(Time(AtomicI64::new(1_767_225_600_000), AtomicU64::new(7)));
        let (memory, cloud) = (Arc::new(MemoryTable::new()), Arc::new(Cloud::default()));
        let (objects, scope) = (Arc::new(MemoryObjects::new()), "patch".parse().unwrap());
        let id = OperationId::derived(1, "patch");
        let engine = engine(memory.clone(), &objects, &cloud, &clock, &scope);
        let rig = Self { memory, engine, cloud, clock, scope, id, objects, started: BTreeMap::new() };
        let snapshot = PlanSnapshot::new(graph.clone()).unwrap();
        rig.engine
            .ledger
            .plan_put(&snapshot.graph_hash, serde_json::to_vec(&snapshot).unwrap())
            .await
            .unwrap();
        let operation = Operation::new(OperationInfo {
            operation_id: id,
            scope: rig.scope.clone(),
            operation_type: OperationType::PipelineRun,
            plan_id: PlanId::derived(1, "patch"),
            intent_id: IntentId::derived(1, "patch"),
            graph_hash: snapshot.graph_hash,
            nodes: u32::try_from(graph.len()).unwrap(),
            segments: u32::try_from(graph.segments().len()).unwrap(),
            run_identity_hash: Digest::of_bytes(b"patch"),
            actor: Actor::system("alice"),
            title: "patched".to_owned(),
            created_at: rig.clock.now(),
            deadline: rig.clock.now() + Millis::from_secs(9_999_999),
            promotion_id: None,
            release_id: None,
            environment: None,
            rollback_of: None,
            retry_of: None,
            parent: None,
            exclusive: std::collections::BTreeSet::new(),
            context: BTreeMap::new(),
        });
        rig.memory.transact(&[Write::CreateOperation(Box::new(operation))]).await.unwrap();
        rig.engine.begin(&rig.scope, id, "root".to_owned()).await.unwrap();
        rig
    }

    /// An engine of another process, which dies at its write number `left`
    pub fn mortal(&self, left: i64, after: bool) -> Engine {
        let table = Mortal { memory: self.memory.clone(), left: AtomicI64::new(left), after };
        engine(Arc::new(table), &self.objects, &self.cloud, &self.clock, &self.scope)
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

    pub async fn status(&self, name: &str) -> NodeStatus {
        self.nodes().await[&name.parse().unwrap()].status
    }

    /// Starts and ends one attempt of the node
    pub async fn work(&mut self, name: &str, well: bool) {
        let run = self.nodes().await.remove(&name.parse().unwrap()).unwrap();
        self.do_job(run.ordinal, run.attempt, well).await;
    }

    async fn do_job(&mut self, ordinal: u32, attempt: u32, well: bool) {
        let key = NodeKey::new(&self.scope, self.id, ordinal);
        if !matches!(self.engine.start(&key, attempt, "worker").await.unwrap(), Started::Yes(_)) {
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
            self.clock.0.fetch_add(40_000, Ordering::Relaxed);
            assert_eq!(self.engine.reconcile().await.unwrap().failed, 0);
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
