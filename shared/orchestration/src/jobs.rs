//! Jobs: attempts that a function runs itself, with a heartbeat while it does

use crate::{
    Engine, EngineError, Outcome, Reported, Started, callbacks,
    definition::{self, GroupError},
    lease, outputs,
    queues::Job,
};
use async_trait::async_trait;
use futures::join;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use weir_adapters::{Call, Done, Failed};
use weir_domain::{
    canonical::Digest,
    definition::{address::Address, spec::Target},
    delivery::Agent,
    engine::{NodeRun, Operation},
    failure::FailureSummary,
    id::OperationId,
    plan::JobContract,
    planner::{APPLY_GROUP, REBUILD_ROWS},
    sanitise::sanitise,
    time::Millis,
};
use weir_store::{Entity as _, Key, NodeKey, Query};

/// Agents that are read at a time
const PAGE: usize = 100;

/// What became of a job's message
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobEnd {
    /// It was run, and its end reported
    Run,
    /// It came too early and was sent again
    Postponed,
    /// It goes on elsewhere, and will be told of
    Waits,
    /// Somebody else runs it, or nobody wants it any more
    Dropped,
}

/// Whoever does the work of an attempt
#[async_trait]
pub(crate) trait Worker: Send + Sync {
    /// Does it
    async fn work(
        &self,
        engine: &Engine,
        operation: &Operation,
        node: &NodeRun,
        contract: &JobContract,
    ) -> Result<Done, Failed>;
}

/// The adapters of this version
struct Adapters;

#[async_trait]
impl Worker for Adapters {
    async fn work(
        &self,
        engine: &Engine,
        operation: &Operation,
        node: &NodeRun,
        contract: &JobContract,
    ) -> Result<Done, Failed> {
        engine.work(operation, node, contract).await
    }
}

impl Engine {
    /// Runs the attempt that a message asks for. A message that comes twice finds the attempt started
    pub async fn run_job(&self, job: &Job, holder: &str) -> Result<JobEnd, EngineError> {
        self.run_attempt(job, holder, &Adapters).await
    }

    /// Runs an attempt with a heartbeat while `worker` is at it
    pub(crate) async fn run_attempt(
        &self,
        job: &Job,
        holder: &str,
        worker: &dyn Worker,
    ) -> Result<JobEnd, EngineError> {
        let key = NodeKey::new(&job.scope, job.operation, job.ordinal);
        let asked = Instant::now();
        let (operation, started) = join!(
            self.operation(&job.scope, job.operation),
            self.start_within(&key, job.attempt, holder, job.timeout_s, job.ends_by),
        );
        let node = match started? {
            Started::Yes(node) => node,
            Started::TooEarly(wait) => {
                self.queues.send_job(job, wait).await?;
                return Ok(JobEnd::Postponed);
            }
            Started::No => return Ok(JobEnd::Dropped),
        };
        let operation = operation?;
        let graph = self.graph_of(&operation).await?;
        let missing = || EngineError::Inconsistent(format!("node {} has no contract", job.ordinal));
        let contract =
            graph.node(job.ordinal).and_then(|node| node.job_contract.as_ref()).ok_or_else(missing)?;
        let contract = self.contract_of(&job.scope, &node, contract).await?;
        if !lease::is_held(asked) {
            return Ok(JobEnd::Dropped);
        }
        let renew = async || -> Result<bool, EngineError> {
            Ok(self.heartbeat(&key, job.attempt).await?.is_some_and(|node| !node.cancel))
        };
        // By the holder's own clock, which began before anybody else's.
        let limit = node.time_limit();
        let work = timeout_at(asked + limit, worker.work(self, &operation, &node, &contract));
        let ended = tokio::select! {
            biased;
            ended = work => ended.unwrap_or_else(|_| Err(timed_out(limit))),
            () = lease::keep(asked, renew) => return Ok(JobEnd::Dropped),
        };
        self.end_attempt(job, holder, &node, ended).await
    }

    /// Reports how the work of an attempt ended
    async fn end_attempt(
        &self,
        job: &Job,
        holder: &str,
        node: &NodeRun,
        ended: Result<Done, Failed>,
    ) -> Result<JobEnd, EngineError> {
        let key = NodeKey::new(&job.scope, job.operation, job.ordinal);
        if let Ok(done) = &ended
            && done.waits
        {
            self.keep_log(job, &done.log).await;
            let waits = self.wait_for_callback(&key, node).await?;
            return Ok(if waits { JobEnd::Waits } else { JobEnd::Run });
        }
        let (log, outcome, hold) = match ended {
            Ok(done) => {
                self.keep_outputs(job.operation, node, &done.outputs).await?;
                (outputs::log(&done), Outcome::Succeeded, Millis(0))
            }
            Err(failed) => {
                let error = FailureSummary::new(failed.code, sanitise(&failed.message));
                let hold = failed.retry_after.map_or(Millis(0), millis);
                (failed.log, Outcome::Failed { error, retryable: failed.retryable }, hold)
            }
        };
        let result_id = format!("{holder}/{}", job.attempt);
        let report = self.report_held(&key, job.attempt, outcome, result_id, hold, None);
        let ((), reported) = join!(self.keep_log(job, &log), report);
        match reported? {
            Reported::Accepted(_) => Ok(JobEnd::Run),
            Reported::Refused(_) | Reported::Missing => Ok(JobEnd::Dropped),
        }
    }

    /// Keeps what an attempt said. Work that is done is not done once more because nobody can read about it
    async fn keep_log(&self, job: &Job, log: &str) {
        if log.is_empty() {
            return;
        }
        let kept = self.ledger.log_put(job.operation, job.ordinal, job.attempt, &sanitise_lines(log)).await;
        if let Err(error) = kept {
            tracing::warn!(error = &error as &dyn std::error::Error, "the log of an attempt was lost");
        }
    }

    async fn work(
        &self,
        operation: &Operation,
        node: &NodeRun,
        contract: &JobContract,
    ) -> Result<Done, Failed> {
        if contract.capability == APPLY_GROUP {
            return self.apply_group(operation, contract).await;
        }
        if contract.capability == REBUILD_ROWS {
            return self.rebuild_rows(operation.info.operation_id).await;
        }
        if let Some(ended) = self.assignments_job(operation, node, contract).await {
            return ended;
        }
        let Some(adapter) = self.adapters.get(&contract.capability) else {
            return Err(Failed::terminal(
                "no_adapter",
                format!("nothing here does `{}`", contract.capability),
            ));
        };
        let later = callbacks::may_wait(contract);
        let callback = if later { Some(self.callback(operation, node, contract).await?) } else { None };
        let call = Call {
            attempt_id: format!("{}/{}/{}", operation.info.operation_id, node.ordinal, node.attempt),
            inputs: contract.inputs.clone(),
            secrets: contract.secrets.clone(),
            base_url: self.base_url(operation, contract).await.map_err(|error| unavailable(&error))?,
            time_limit: Duration::from_secs(u64::from(contract.timeout_s)),
            callback,
            now_s: self.clock.now().0.div_euclid(1000),
        };
        adapter.run(&call).await
    }

    async fn apply_group(&self, operation: &Operation, contract: &JobContract) -> Result<Done, Failed> {
        let inputs = &contract.inputs;
        let change_plan =
            inputs.get("change_plan").and_then(|it| it.as_str()).and_then(|it| it.parse::<Digest>().ok());
        let group =
            inputs.get("group").and_then(serde_json::Value::as_u64).and_then(|it| usize::try_from(it).ok());
        let (Some(change_plan), Some(group)) = (change_plan, group) else {
            return Err(Failed::terminal("bad_inputs", "the node does not say which group it applies"));
        };
        match definition::apply(self, operation, &change_plan, group).await {
            Ok((revision, outputs)) => {
                Ok(Done { log: format!("state revision {revision}\n"), outputs, ..Done::default() })
            }
            Err(GroupError::Refused(error)) => Err(Failed::terminal("stale_plan", error.to_string())),
            Err(error @ GroupError::NotPlanned(_)) => Err(Failed::terminal("not_planned", error.to_string())),
            Err(GroupError::Definition(error)) => Err(Failed::retryable("not_applied", error.to_string())),
        }
    }

    async fn rebuild_rows(&self, operation: OperationId) -> Result<Done, Failed> {
        let rebuilt = definition::rebuild(self, operation).await;
        let rebuilt = rebuilt.map_err(|error| Failed::retryable("not_rebuilt", error.to_string()))?;
        let log = format!("rows of state revision {}\n", rebuilt.revision);
        Ok(Done { log, outputs: rebuilt.counts(), ..Done::default() })
    }

    /// Where the node's target answers: as the definition says, or as its agent does
    async fn base_url(
        &self,
        operation: &Operation,
        contract: &JobContract,
    ) -> Result<Option<String>, EngineError> {
        let target = contract
            .inputs
            .get("target")
            .and_then(|it| it.as_str())
            .and_then(|it| it.parse::<Address>().ok());
        let Some(target) = target else { return Ok(None) };
        let scope = &operation.info.scope;
        if let Some(url) =
            self.resource::<Target>(scope, &target).await?.and_then(|spec| spec.connection.base_url)
        {
            return Ok(Some(url));
        }
        let query = Query::Lists(vec![Key::list(scope, Agent::KIND, "registered")]);
        let mut after: Option<String> = None;
        loop {
            let (agents, next) = self.table.list::<Agent>(&query, after.as_deref(), PAGE).await?;
            let mut known = agents.into_iter().flat_map(|agent| agent.targets);
            if let Some(url) = known.find(|it| it.target == target).and_then(|it| it.base_url) {
                return Ok(Some(url));
            }
            let Some(next) = next else { return Ok(None) };
            after = Some(next);
        }
    }
}

fn sanitise_lines(log: &str) -> String {
    log.lines().map(sanitise).collect::<Vec<_>>().join("\n")
}

fn timed_out(limit: Duration) -> Failed {
    Failed::retryable("attempt_timed_out", format!("not done within {} s", limit.as_secs_f32()))
}

fn unavailable(error: &EngineError) -> Failed {
    Failed::retryable("unavailable", error.to_string())
}

fn millis(time: Duration) -> Millis {
    Millis(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
}
