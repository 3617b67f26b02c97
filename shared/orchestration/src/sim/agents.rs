//! Agents: one for each target; they claim, show that they live, and report

use super::{
    fault::{Fault, Site},
    work::{self, Holder, Work},
    world::{Lost, World},
};
use crate::{EngineError, Outcome, Reported, Started, lease};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep_until};
use weir_domain::{
    engine::LEASE, failure::FailureSummary, plan::JobContract, sanitise::sanitise, scope::Scope,
};
use weir_store::{NodeKey, Table as _};

/// An agent asks again after this, if nobody hints at anything
const POLL: Duration = Duration::from_secs(20);

/// What an agent was given
#[derive(Clone)]
struct Taken {
    key: NodeKey,
    attempt: u32,
    /// How long the attempt may take
    limit: Duration,
    contract: JobContract,
}

impl World {
    /// Serves `target` for as long as the world runs
    pub async fn run_agent(self: Arc<Self>, scope: Scope, target: String) {
        loop {
            let hint = self.queued.notified();
            if !self.is_anything_queued(&scope, &target).await {
                let _either = tokio::time::timeout(POLL, hint).await;
                continue;
            }
            let (asks, asked_for, asked) = (scope.clone(), target.clone(), Instant::now());
            let claimed = self
                .invoke("task_claim", move |_, engine| async move { claim(&engine, &asks, &asked_for).await })
                .await;
            let taken = claimed.unwrap_or_default();
            if taken.is_empty() {
                let _either = tokio::time::timeout(POLL, hint).await;
                continue;
            }
            for task in taken {
                tokio::spawn(self.clone().carry(target.clone(), task, asked));
            }
        }
    }

    /// Whoever asks and is given nothing changes nothing: it need not be simulated
    async fn is_anything_queued(&self, scope: &Scope, target: &str) -> bool {
        let until = self.now() + self.plan.skew;
        self.memory.queued(scope, target, until, 1).await.is_ok_and(|queued| !queued.is_empty())
    }

    async fn carry(self: Arc<Self>, agent: String, task: Taken, asked: Instant) {
        let ordinal = task.key.ordinal;
        if !lease::is_held(asked) {
            return;
        }
        let fault = self.fault("agent", "task", ordinal, Site::Task);
        if fault == Some(Fault::Forget) {
            return;
        }
        let (operation, attempt) = (task.key.operation, task.attempt);
        let silent = fault == Some(Fault::Silent);
        let holder = if silent { Holder::Sleeper } else { Holder::Careful };
        let working = work::run(&self, holder, operation, ordinal, attempt, &task.contract);
        if silent {
            let _done = working.await;
            // Longer than any lease: somebody else has the node by now, or it has ended.
            tokio::time::sleep(Duration::from_millis(3 * u64::try_from(LEASE.0).unwrap_or(0))).await;
        } else {
            tokio::select! {
                biased;
                _done = working => {}
                () = lease::keep(asked, || self.renew(&task)) => return,
                // It would say so; whether that is heard makes no difference to anybody but who waits.
                () = sleep_until(asked + task.limit) => return,
            }
        }
        let again = self.fault("agent", "report", ordinal, Site::Report) == Some(Fault::Duplicate);
        self.report(&agent, &task).await;
        if again {
            self.report(&agent, &task).await;
        }
    }

    async fn renew(&self, task: &Taken) -> Result<bool, Lost> {
        let (key, attempt) = (task.key.clone(), task.attempt);
        let alive = self
            .invoke("agent_heartbeat", move |_, engine| async move { engine.heartbeat(&key, attempt).await });
        Ok(alive.await?.is_some_and(|node| !node.cancel))
    }

    /// Reports until it is answered: the same report every time
    async fn report(&self, agent: &str, task: &Taken) {
        for _ in 0..8 {
            let (key, attempt, contract) = (task.key.clone(), task.attempt, task.contract.clone());
            let result_id = format!("{agent}/{attempt}");
            let reported: Result<Reported, Lost> = self
                .invoke("task_report", move |_, engine| async move {
                    let outcome = match Work::of(&contract).end(attempt) {
                        Ok(_) => Outcome::Succeeded,
                        Err(failed) => Outcome::Failed {
                            error: FailureSummary::new(failed.code, sanitise(&failed.message)),
                            retryable: failed.retryable,
                        },
                    };
                    // As the endpoint does.
                    let seen = engine.table.operation_get(&key.scope, key.operation).await?.map(Arc::new);
                    engine.report_seen(&key, attempt, outcome, result_id, seen).await
                })
                .await;
            if reported.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    }
}

/// As the endpoint does: what is queued is looked at, then started, one winner an attempt
async fn claim(engine: &crate::Engine, scope: &Scope, target: &str) -> Result<Vec<Taken>, EngineError> {
    let mut taken = Vec::new();
    for key in engine.table.queued(scope, target, engine.clock.now(), 4).await? {
        let Some(operation) = engine.table.operation_get(scope, key.operation).await? else { continue };
        let graph = engine.graph_of(&operation).await?;
        let contract = graph.node(key.ordinal).and_then(|node| node.job_contract.clone());
        let (Some(contract), Some(node)) = (contract, engine.table.node_get(&key).await?) else { continue };
        if let Started::Yes(node) = engine.start(&key, &node, target).await? {
            let contract = engine.contract_of(scope, &node, &contract).await?;
            let limit = node.time_limit();
            taken.push(Taken { key, attempt: node.attempt, limit, contract });
        }
    }
    Ok(taken)
}
