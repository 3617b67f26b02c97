//! The agent's two loops: one says that it is there, the other works

use super::failure::TaskFailure;
use crate::{
    agent::{
        command::{self, CommandSettings},
        deploy::{DeployError, DeploySettings, deploy},
        files::FileError,
        held::{Held, Stop, Watch, begun_after},
        identity::{Identity, IdentityError},
        keep::Keeper,
        log::TaskLog,
        service,
        site::{Site, Stage},
    },
    api::{ApiError, Backoff, Client, RetryPolicy},
    clock::now,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{Mutex, watch},
    task::JoinSet,
};
use weir_edge::wire::{
    agent::{AgentStatus, Heartbeat, ServiceState, StickerState, TargetState},
    task::{CLAIM_WAIT_MAX_SECONDS, Claim, Report, ReportError, ReportStatus, Task, TaskWork},
};

/// How long a result is kept on being sent: longer than a server is usually down
const REPORT_WITHIN: Duration = Duration::from_secs(15 * 60);

/// One agent at work
#[derive(Debug)]
pub struct Agent {
    /// Its target
    pub site: Site,
    /// Who it is
    pub identity: Identity,
    /// The API, as itself
    pub client: Client,
    /// How it deploys
    pub settings: DeploySettings,
    /// What it runs besides
    pub commands: CommandSettings,
    /// The kinds of task it can do
    pub capabilities: Vec<String>,
    /// How many tasks it works on at a time
    pub parallel: usize,
    /// Held by the deployment under way: a target has one service
    pub deploying: Mutex<()>,
    /// Between two heartbeats
    pub heartbeat: Duration,
    /// The longest pause between two claims that brought nothing
    pub poll: Duration,
    /// What it holds
    pub held: Held,
    /// When its service is started again
    pub keeper: Keeper,
}

/// Why an agent ends by itself
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Another process works in the folder
    #[error("another agent works in this folder")]
    Locked,
    /// It cannot say who it is
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The API cannot be spoken to
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The server does not know its credential
    #[error("the server does not accept this agent's credential: give a new token with --token-file")]
    Unknown,
    /// This machine's disk refused
    #[error(transparent)]
    Disk(#[from] FileError),
}

impl Agent {
    /// Works until told to stop, and then finishes the task under way; or until the server disowns it
    pub async fn work(self: &Arc<Self>, mut stop: watch::Receiver<bool>) -> Result<(), AgentError> {
        tokio::select! {
            ended = self.beat() => Err(ended),
            ended = self.claim_and_do(&mut stop) => ended,
        }
    }

    /// Adopts the service that an earlier agent started, or starts what was last deployed
    async fn restore(&self) {
        let last = match self.site.deployment() {
            Ok(last) => last,
            Err(error) => return tracing::error!(%error, "what was deployed here is not known"),
        };
        if let Err(error) = service::recording(&self.site).await {
            tracing::error!(%error, "whether a service is being started is not known");
        }
        let (running, current) = (service::running(&self.site), self.site.current());
        let Some(last) = last.filter(|last| last.stage != Stage::Failed) else { return };
        if running.is_some() && running == current {
            return tracing::info!("the service runs already and is kept");
        }
        self.start_again(&last).await;
    }

    async fn beat(&self) -> AgentError {
        loop {
            let sent = Instant::now();
            let within = self.next_beat(sent).saturating_duration_since(sent).max(Duration::from_secs(1));
            let body = self.heartbeat_body().await;
            match self.client.agent_heartbeat(self.identity.agent, &body, within).await {
                Ok(ack) => self.held.renewed(&ack, sent),
                Err(error) if error.status() == Some(401) => return AgentError::Unknown,
                Err(error) => tracing::warn!(%error, "a heartbeat was lost"),
            }
            while Instant::now() < self.next_beat(sent) {
                tokio::select! {
                    () = tokio::time::sleep_until(self.next_beat(sent).into()) => {}
                    // It may have come with a shorter lease.
                    () = self.held.taken() => {}
                }
            }
        }
    }

    /// When the next heartbeat is due after one that was sent at `last`
    fn next_beat(&self, last: Instant) -> Instant {
        let regular = last + self.heartbeat;
        self.held.renew_at(last).map_or(regular, |renew| renew.min(regular))
    }

    async fn heartbeat_body(&self) -> Heartbeat {
        let site = self.site.clone();
        let look = move || {
            let (sticker_digest, sticker) = site.inspect();
            let stage = site.deployment().ok().flatten().map(|last| last.stage);
            let service = match (service::running(&site).is_some(), stage) {
                (true, _) => ServiceState::Running,
                (false, Some(Stage::Done)) => ServiceState::Stopped,
                (false, Some(Stage::Changing | Stage::Failed) | None) => ServiceState::Absent,
            };
            let current_digest = site.current();
            TargetState { target: site.target, current_digest, sticker_digest, sticker, service }
        };
        // Looking reads the whole release folder.
        let targets: Vec<_> = tokio::task::spawn_blocking(look).await.into_iter().collect();
        let is_well =
            |t: &TargetState| t.sticker != StickerState::Drift && t.service != ServiceState::Stopped;
        let is_well = targets.iter().all(is_well) && !self.keeper.is_shaky(Instant::now());
        let status = if is_well { AgentStatus::Online } else { AgentStatus::Degraded };
        let capabilities = Some(self.capabilities.clone());
        Heartbeat { status, tasks: self.held.attempts(), targets, capabilities }
    }

    async fn claim_and_do(self: &Arc<Self>, stop: &mut watch::Receiver<bool>) -> Result<(), AgentError> {
        self.restore().await;
        let mut working = JoinSet::new();
        let ended = self.claim_and_start(stop, &mut working).await;
        if ended.is_ok() {
            // Told to stop: what is under way is finished first.
            while working.join_next().await.is_some() {}
        }
        ended
    }

    /// Claims tasks while it can take some, and starts each
    async fn claim_and_start(
        self: &Arc<Self>,
        stop: &mut watch::Receiver<bool>,
        working: &mut JoinSet<()>,
    ) -> Result<(), AgentError> {
        let mut idle = Backoff::new(Duration::from_millis(200).min(self.poll), self.poll);
        let mut trouble = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));
        loop {
            while working.try_join_next().is_some() {}
            if working.len() >= self.parallel {
                tokio::select! {
                    _ = stop.wait_for(|stop| *stop) => return Ok(()),
                    _ = working.join_next() => continue,
                    never = self.keep() => match never {},
                }
            }
            let sent = Instant::now();
            let max = u32::try_from(self.parallel - working.len()).unwrap_or(u32::MAX);
            let body = Claim { max, wait_seconds: Some(CLAIM_WAIT_MAX_SECONDS) };
            let claimed = tokio::select! {
                // A sender that is gone wants the same as one that says stop.
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
                claimed = self.client.task_claim(self.identity.agent, &body) => claimed,
                never = self.keep() => match never {},
            };
            let pause = match claimed {
                Ok(claimed) if claimed.tasks.is_empty() => idle.pause(),
                Ok(claimed) => {
                    let begun = begun_after(sent, Duration::from_millis(claimed.waited_ms));
                    for task in claimed.tasks {
                        // Held at once: its lease runs whether the work has begun or not.
                        let Some(watch) = self.held.take(&task, begun) else { continue };
                        let agent = Arc::clone(self);
                        working.spawn(async move {
                            agent.attempt(&task, begun, watch).await;
                            agent.held.release(&task);
                        });
                    }
                    idle.reset();
                    trouble.reset();
                    continue;
                }
                Err(error) if error.status() == Some(401) => return Err(AgentError::Unknown),
                Err(error) => {
                    tracing::warn!(%error, "nothing could be claimed");
                    trouble.pause()
                }
            };
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
                () = tokio::time::sleep(pause) => {}
                never = self.keep() => match never {},
            }
        }
    }

    /// Does one task and reports it
    async fn attempt(&self, task: &Task, begun: Instant, mut watch: Watch) {
        let (id, attempt) = (task.task, task.attempt);
        tracing::info!(task.id = %id, attempt, "task {id} attempt {attempt} begins");
        let (started_at, log) = (now(), TaskLog::default());
        let deadline = begun + Duration::from_millis(task.deadline_remaining_ms);
        let work = tokio::time::timeout_at(deadline.into(), self.perform(task, &log));
        let outcome = tokio::select! {
            // A task that is done and cancelled in one moment counts as cancelled.
            biased;
            stop = watch.stopped() => Err(stop),
            done = work => Ok(done.unwrap_or(Err(DeployError::Deadline.into()))),
        };
        match outcome {
            Err(stop @ (Stop::Cancelled | Stop::LeaseLost)) => {
                tracing::warn!(task.id = %id, attempt, "task {id} attempt {attempt} was stopped: {stop}");
                let deploys = matches!(task.work, TaskWork::DeployHost(_));
                if deploys && let Err(error) = self.site.settle() {
                    tracing::error!(%error, "a switch that was cut off could not be settled");
                }
                if stop == Stop::Cancelled {
                    // Nobody has to wait until the lease has passed. Where it is another attempt's by now, this is refused.
                    self.report(task, Err(TaskFailure::cancelled()), &log, started_at).await;
                }
            }
            Ok(result) => self.report(task, result, &log, started_at).await,
        }
    }

    async fn perform(&self, task: &Task, log: &TaskLog) -> Result<(), TaskFailure> {
        match &task.work {
            TaskWork::DeployHost(input) => {
                let _one_at_a_time = self.deploying.lock().await;
                let done = deploy(&self.site, task.task, input, &self.settings, log).await;
                self.keeper.forget();
                Ok(done?)
            }
            TaskWork::CommandRun(input) | TaskWork::VerifyCommand(input) => {
                let attempt = (task.task, task.attempt);
                Ok(command::run(&self.site, attempt, input, &self.commands, log).await?)
            }
        }
    }

    async fn report(
        &self,
        task: &Task,
        result: Result<(), TaskFailure>,
        log: &TaskLog,
        started_at: jiff::Timestamp,
    ) {
        let error = result.err();
        if let Some(error) = &error {
            log.line(format!("failed: {}", error.message));
        }
        let last = self.site.deployment().ok().flatten().filter(|last| last.task == task.task);
        let body = Report {
            attempt: task.attempt,
            status: if error.is_none() { ReportStatus::Succeeded } else { ReportStatus::Failed },
            error: error.map(|error| ReportError {
                code: error.code.to_owned(),
                message: error.message,
                retryable: error.retryable,
            }),
            logs: log.text(),
            previous_digest: last.and_then(|last| last.previous_digest),
            current_digest: self.site.current(),
            sticker: self.site.sticker(),
            started_at,
            finished_at: now(),
        };
        let (id, attempt) = (task.task, task.attempt);
        let client = self.client.clone().with_retry(RetryPolicy::patient(REPORT_WITHIN));
        match client.task_report(id, &body).await {
            Ok(_) => tracing::info!(task.id = %id, attempt, "task {id} attempt {attempt} is reported"),
            Err(error) => {
                // 409: another attempt has taken over. Whatever it is, the lease brings the task back.
                tracing::warn!(task.id = %id, attempt, %error, "the report of task {id} attempt {attempt} was dropped");
            }
        }
    }
}
