//! The queue of jobs, the table's stream and the schedule: whoever is told again after a failure, and how often

use super::{
    fault::{Fault, Site},
    work,
    world::{Broken, World, locked},
};
use crate::queues::{Job, Notice, QueueError, Queues};
use async_trait::async_trait;
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use weir_domain::{engine::WAKE_SHARDS, plan::NodeStatus, time::Millis};
use weir_store::{Change, Image, NodeKey, Table as _};

/// A message that was received and not deleted is received again after this
const VISIBILITY: Duration = Duration::from_secs(960);

/// After this many receipts a message is given up, and its node is driven from the dead-letter queue
const RECEIVES_MAX: u32 = 5;

/// The stream is read in batches
const BATCH_WINDOW: Duration = Duration::from_secs(1);

/// How often the schedule has `reconcile` run
pub(super) const RECONCILE_EVERY: Duration = Duration::from_secs(60);

/// A batch that fails so often is dropped
const STREAM_TRIES: u32 = 4;

/// SQS as functions reach it
pub(super) struct SimQueues {
    world: Arc<World>,
    workers: Arc<Semaphore>,
}

impl SimQueues {
    pub fn new(world: Arc<World>) -> Self {
        let workers = Arc::new(Semaphore::new(world.pace.workers));
        Self { world, workers }
    }

    fn deliver(&self, job: Job, delay: Duration) {
        let (world, workers) = (self.world.clone(), self.workers.clone());
        locked(&world.record).in_flight += 1;
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            receive(&world, &workers, &job).await;
            locked(&world.record).in_flight -= 1;
        });
    }
}

impl From<Broken> for QueueError {
    fn from(broken: Broken) -> Self {
        Self(Box::new(broken))
    }
}

#[async_trait]
impl Queues for SimQueues {
    async fn send_job(&self, job: &Job, delay: Millis) -> Result<(), QueueError> {
        let passing = self.world.enter("send_job", job.ordinal, Site::Write).await?;
        let usual = self.world.pace.latency.queue;
        let chance = self.world.chance.of("queue").at(u64::from(job.ordinal)).at(u64::from(job.attempt));
        let delay =
            Duration::from_millis(u64::try_from(delay.0).unwrap_or(0)) + self.world.pace.some(usual, chance);
        self.world
            .say(|| format!("message: node {} attempt {} in {delay:?}", job.ordinal, job.attempt), None);
        let mut copies = if passing.is_repeated() { 2 } else { 1 };
        let mut late = Duration::ZERO;
        match self.world.fault("queue", "job", job.ordinal, Site::Message) {
            Some(Fault::Drop) => copies = 0,
            Some(Fault::Duplicate) => copies += 1,
            Some(Fault::Late) => late = Duration::from_millis(chance.of("late").below(120_000)),
            Some(_) | None => {}
        }
        for copy in 0..copies {
            self.deliver(job.clone(), delay + late + Duration::from_millis(700 * copy));
        }
        passing.leave().await?;
        Ok(())
    }

    async fn send_notice(&self, _notice: &Notice) -> Result<(), QueueError> {
        self.world.enter("send_notice", 0, Site::Write).await?.leave().await?;
        Ok(())
    }
}

async fn receive(world: &Arc<World>, workers: &Semaphore, job: &Job) {
    for _ in 0..RECEIVES_MAX {
        let Ok(worker) = workers.acquire().await else { return };
        let given = job.clone();
        let ended = world
            .invoke("job_run", move |world, engine| async move {
                let holder = world.holder();
                engine.run_attempt(&given, &holder, &work::Simulated(world)).await
            })
            .await;
        drop(worker);
        if ended.is_ok() {
            return;
        }
        tokio::time::sleep(VISIBILITY).await;
    }
    let key = NodeKey::new(&job.scope, job.operation, job.ordinal);
    let _given_up =
        world.invoke("job_dead_letter", move |_, engine| async move { engine.drive_node(&key).await }).await;
}

/// What the stream's filters let through
fn is_told(change: &Change) -> bool {
    match &change.new {
        Some(Image::Node(_, node)) => node.status.is_terminal() && node.wake.is_some(),
        Some(Image::Operation(operation)) => !operation.todo.is_empty(),
        Some(Image::Record(record)) => {
            record.doc.get("gate_id").is_some() && record.doc.get("status").is_some_and(|it| it != "open")
        }
        None => false,
    }
}

impl World {
    /// The table has committed `change`: the stream will tell of it, and agents may have something to do
    pub fn heard(&self, change: Change) {
        if let Some(Image::Node(_, node)) = &change.new
            && node.status == NodeStatus::Ready
        {
            self.queued.notify_waiters();
        }
        if !self.helped || !is_told(&change) {
            return;
        }
        let mut record = locked(&self.record);
        record.stream.push(change);
        if record.stream.len() > 1 {
            return;
        }
        record.in_flight += 1;
        drop(record);
        let Some((world, _)) = self.both() else { return };
        tokio::spawn(async move {
            tokio::time::sleep(BATCH_WINDOW).await;
            let batch = std::mem::take(&mut locked(&world.record).stream);
            world.tell(batch).await;
            locked(&world.record).in_flight -= 1;
        });
    }

    async fn tell(&self, batch: Vec<Change>) {
        let mut again = 1;
        match self.fault("stream", "batch", 0, Site::Message) {
            Some(Fault::Drop) => return,
            Some(Fault::Duplicate) => again = 2,
            Some(Fault::Late) => tokio::time::sleep(Duration::from_secs(40)).await,
            Some(_) | None => {}
        }
        for _ in 0..again {
            for _ in 0..STREAM_TRIES {
                let batch = batch.clone();
                let told = self.invoke("operation_advance", move |_, engine| async move {
                    for change in batch {
                        engine.follow(change).await?;
                    }
                    Ok(())
                });
                if told.await.is_ok() {
                    break;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }

    /// What `reconcile` fails at is made up for by the next pass
    pub async fn run_schedule(self: Arc<Self>) {
        loop {
            tokio::time::sleep(RECONCILE_EVERY).await;
            if self.is_anything_due().await {
                locked(&self.record).round(self.passed() > self.plan.until);
                let _next_minute =
                    self.invoke("reconcile", |_, engine| async move { engine.reconcile().await }).await;
            }
        }
    }

    /// A pass that finds nothing changes nothing: it need not be simulated
    async fn is_anything_due(&self) -> bool {
        let until = self.now() + self.plan.skew;
        for shard in 0..WAKE_SHARDS {
            if self.memory.due(shard, until, 1).await.is_ok_and(|due| !due.is_empty()) {
                return true;
            }
        }
        false
    }
}
