//! Queues, workers and the two state machines

use crate::{
    Engine, Outcome, SegmentNext, Started,
    machines::{Machines, MachinesError, OperationInput, SegmentInput, Sent},
    queues::{Job, Notice, QueueError, Queues},
};
use async_trait::async_trait;
use futures::{FutureExt as _, future::join_all};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Notify, Semaphore, oneshot};
use weir_domain::{engine::Operation, id::OperationId, plan::Graph, scope::Scope, time::Millis};
use weir_store::{NodeKey, StoreError, Table as _, memory::MemoryTable};

/// No attempt of a simulated node takes longer
const TIMEOUT_S: u32 = 3_600;

/// What a call to each service takes
#[derive(Debug, Clone, Copy)]
pub struct Latency {
    /// One request to the table
    pub table: Duration,
    /// From a message's sending to its handler
    pub queue: Duration,
    /// From one state to the next, the function's start included
    pub transition: Duration,
}

impl Default for Latency {
    /// About what the services take within one region
    fn default() -> Self {
        let ms = Duration::from_millis;
        Self { table: ms(4), queue: ms(10), transition: ms(25) }
    }
}

/// What is run, and on how much
#[derive(Debug, Clone)]
pub struct Workload {
    /// How long the work of one node takes
    pub work: Duration,
    /// How many nodes can be worked on at a time
    pub workers: usize,
    /// What the services take
    pub latency: Latency,
}

/// The services around the table
pub(super) struct Cloud {
    workload: Workload,
    workers: Semaphore,
    engine: OnceLock<Weak<Engine>>,
    /// Who waits for which task token
    waiting: Mutex<BTreeMap<String, oneshot::Sender<()>>>,
    /// Every execution that was ever started, by name
    started: Mutex<BTreeSet<String>>,
    tokens: AtomicU64,
    transitions: AtomicU64,
    ended: Notify,
    me: Weak<Self>,
}

impl Cloud {
    pub fn new(workload: Workload) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            workers: Semaphore::new(workload.workers),
            workload,
            engine: OnceLock::new(),
            waiting: Mutex::default(),
            started: Mutex::default(),
            tokens: AtomicU64::new(0),
            transitions: AtomicU64::new(0),
            ended: Notify::new(),
            me: me.clone(),
        })
    }

    /// Gives the functions their engine
    pub fn connect(&self, engine: &Arc<Engine>) {
        self.engine.get_or_init(|| Arc::downgrade(engine));
    }

    pub fn transitions(&self) -> u64 {
        self.transitions.load(Ordering::Relaxed)
    }

    /// The operation, when its root execution has ended
    pub async fn ended(
        &self,
        memory: &MemoryTable,
        scope: &Scope,
        id: OperationId,
    ) -> Result<Operation, StoreError> {
        loop {
            self.ended.notified().await;
            if let Some(operation) = memory.operation_get(scope, id).await?
                && !operation.is_active()
            {
                return Ok(operation);
            }
        }
    }

    fn both(&self) -> Option<(Arc<Self>, Arc<Engine>)> {
        Some((self.me.upgrade()?, self.engine.get()?.upgrade()?))
    }

    async fn enter_state(&self) {
        self.transitions.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(self.workload.latency.transition).await;
    }

    /// A new task token, and what ends when it is sent back
    fn token(&self) -> (String, oneshot::Receiver<()>) {
        let token = format!("token-{}", self.tokens.fetch_add(1, Ordering::Relaxed));
        let (send, receive) = oneshot::channel();
        locked(&self.waiting).insert(token.clone(), send);
        (token, receive)
    }

    /// `operation.asl.json`
    async fn run_operation(&self, engine: &Engine, input: OperationInput) {
        let (token, ended) = self.token();
        self.enter_state().await; // Begin
        if let Err(error) = engine.begin(&input.scope, input.operation, token).await {
            tracing::error!(error = &error as &dyn std::error::Error, "begin failed");
        }
        if ended.await.is_ok() {
            self.enter_state().await; // Finish
            if let Err(error) = engine.finish_operation(&input.scope, input.operation).await {
                tracing::error!(error = &error as &dyn std::error::Error, "finish failed");
            }
        }
        self.ended.notify_one();
    }

    /// `segment.asl.json`
    async fn run_segment(&self, engine: &Engine, input: SegmentInput) {
        loop {
            self.enter_state().await; // Map
            let iterations =
                input.nodes.iter().map(|ordinal| self.run_iteration(engine, &input, *ordinal).boxed());
            join_all(iterations.collect::<Vec<_>>()).await;
            self.enter_state().await; // SegmentDone
            let next = engine.segment_finish(&input.scope, input.operation, input.segment).await;
            self.enter_state().await; // Choice
            if !matches!(next, Ok(SegmentNext::Again)) {
                self.enter_state().await; // Done
                return;
            }
        }
    }

    /// One iteration of the Map: `Run` with its token
    async fn run_iteration(&self, engine: &Engine, input: &SegmentInput, ordinal: u32) {
        let key = NodeKey::new(&input.scope, input.operation, ordinal);
        let (token, ended) = self.token();
        self.enter_state().await;
        match engine.arrive(&key, token).await {
            Ok(()) => {
                let _closed = ended.await;
            }
            Err(error) => tracing::error!(error = &error as &dyn std::error::Error, "an arrival failed"),
        }
    }

    /// The function behind the queue of jobs
    async fn run_job(&self, engine: &Engine, job: Job) {
        let key = NodeKey::new(&job.scope, job.operation, job.ordinal);
        let Ok(_worker) = self.workers.acquire().await else { return };
        let holder = format!("worker/{}", job.attempt);
        let Ok(Started::Yes(_)) = engine.start_within(&key, job.attempt, &holder, TIMEOUT_S).await else {
            return;
        };
        tokio::time::sleep(self.workload.work).await;
        let result_id = format!("{}/{}", job.ordinal, job.attempt);
        if let Err(error) = engine.report(&key, job.attempt, Outcome::Succeeded, result_id).await {
            tracing::error!(error = &error as &dyn std::error::Error, "a report failed");
        }
    }
}

#[async_trait]
impl Machines for Cloud {
    async fn start_operation(&self, input: &OperationInput) -> Result<(), MachinesError> {
        let new = locked(&self.started).insert(input.operation.to_string());
        if let Some((cloud, engine)) = self.both().filter(|_| new) {
            let input = input.clone();
            tokio::spawn(async move { cloud.run_operation(&engine, input).await });
        }
        Ok(())
    }

    async fn start_segment(&self, input: &SegmentInput) -> Result<(), MachinesError> {
        let new = locked(&self.started).insert(input.name());
        if let Some((cloud, engine)) = self.both().filter(|_| new) {
            let input = input.clone();
            tokio::spawn(async move { cloud.run_segment(&engine, input).await });
        }
        Ok(())
    }

    async fn succeed(&self, token: &str, _output: &str) -> Result<Sent, MachinesError> {
        let waiting = locked(&self.waiting).remove(token);
        Ok(match waiting.map(|state| state.send(())) {
            Some(Ok(())) => Sent::Accepted,
            Some(Err(())) | None => Sent::Gone,
        })
    }

    async fn segment_runs(&self, input: &SegmentInput) -> Result<bool, MachinesError> {
        Ok(locked(&self.started).contains(&input.name()))
    }
}

#[async_trait]
impl Queues for Cloud {
    async fn send_job(&self, job: &Job, delay: Millis) -> Result<(), QueueError> {
        if let Some((cloud, engine)) = self.both() {
            let job = job.clone();
            let delay =
                Duration::from_millis(u64::try_from(delay.0).unwrap_or(0)) + self.workload.latency.queue;
            tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                cloud.run_job(&engine, job).await;
            });
        }
        Ok(())
    }

    async fn send_notice(&self, _notice: &Notice) -> Result<(), QueueError> {
        Ok(())
    }
}

/// The least time that `graph` can take: its longest path, or its work over every worker
pub(super) fn floor(graph: &Graph, workload: &Workload) -> Millis {
    let work = i64::try_from(workload.work.as_millis()).unwrap_or(i64::MAX);
    let (mut depth, mut works) = (BTreeMap::new(), 0i64);
    for ordinal in 1..=u32::try_from(graph.len()).unwrap_or(u32::MAX) {
        let own = i64::from(graph.node(ordinal).is_some_and(|n| n.runs != weir_domain::plan::Executor::Join));
        let before = graph.dependencies(ordinal).iter().filter_map(|need| depth.get(need)).max();
        depth.insert(ordinal, before.copied().unwrap_or(0) + own);
        works += own;
    }
    let longest = depth.values().max().copied().unwrap_or(0) * work;
    let workers = i64::try_from(workload.workers).unwrap_or(i64::MAX).max(1);
    Millis(longest.max(works * work / workers))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
