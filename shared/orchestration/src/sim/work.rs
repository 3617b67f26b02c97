//! The work itself: how long an attempt takes, whether it ends well, and that its effect happens once

use super::world::{World, locked};
use crate::{Engine, callbacks::may_wait, jobs::Worker};
use async_trait::async_trait;
use std::{sync::Arc, time::Duration};
use weir_adapters::{Done, Failed};
use weir_domain::{
    engine::{NodeRun, Operation},
    id::OperationId,
    plan::JobContract,
};

/// Does what a node's contract asks for
pub(super) struct Simulated(pub Arc<World>);

#[async_trait]
impl Worker for Simulated {
    async fn work(
        &self,
        engine: &Engine,
        operation: &Operation,
        node: &NodeRun,
        contract: &JobContract,
    ) -> Result<Done, Failed> {
        if may_wait(contract) {
            return self.0.hand_over(engine, operation, node, contract).await;
        }
        let id = operation.info.operation_id;
        run(&self.0, Holder::Careful, id, node.ordinal, node.attempt, contract).await
    }
}

/// What a simulated node does: in its contract's inputs, so that whoever runs it needs to know nothing else
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// How long an attempt takes
    pub millis: u64,
    /// How many attempts fail before one ends well
    pub failures: u32,
    /// Whether a failure is for good
    pub fatal: bool,
}

impl Work {
    /// Quick, and ends well
    pub(super) const SHORT: Self = Self { millis: 500, failures: 0, fatal: false };

    /// The inputs of a contract that asks for this
    pub fn inputs(self) -> serde_json::Map<String, serde_json::Value> {
        let value =
            serde_json::json!({ "millis": self.millis, "failures": self.failures, "fatal": self.fatal });
        if let serde_json::Value::Object(inputs) = value { inputs } else { serde_json::Map::new() }
    }

    /// What `contract` asks for
    pub(super) fn of(contract: &JobContract) -> Self {
        let number = |name: &str| contract.inputs.get(name).and_then(serde_json::Value::as_u64);
        Self {
            millis: number("millis").unwrap_or(1_000),
            failures: number("failures").and_then(|it| u32::try_from(it).ok()).unwrap_or(0),
            fatal: contract.inputs.get("fatal").and_then(serde_json::Value::as_bool).unwrap_or(false),
        }
    }

    /// How the attempt ends
    pub(super) fn end(self, attempt: u32) -> Result<Done, Failed> {
        if attempt > self.failures {
            return Ok(Done { log: "done\n".to_owned(), ..Done::default() });
        }
        let message = format!("attempt {attempt} was to fail");
        Err(Failed {
            code: "simulated",
            log: String::new(),
            message,
            retryable: !self.fatal,
            retry_after: None,
        })
    }
}

/// What an attempt gives that somebody may have to undo: its own name
pub(super) const GIVES: &str = "id";

/// The input of what undoes it: what it gave
pub(super) const UNDOES: &str = "of";

/// What `contract` undoes, if it undoes anything
pub(super) fn undoes(contract: &JobContract) -> Option<&str> {
    contract.inputs.get(UNDOES).and_then(serde_json::Value::as_str)
}

/// Who does the work of an attempt
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    /// Stops before his lease passes
    Careful,
    /// Was away without knowing it, and goes on: a machine that slept
    Sleeper,
}

/// One attempt: half of its time passes before its effect, half after
pub(super) async fn run(
    world: &World,
    holder: Holder,
    operation: OperationId,
    ordinal: u32,
    attempt: u32,
    contract: &JobContract,
) -> Result<Done, Failed> {
    let work = Work::of(contract);
    tokio::time::sleep(Duration::from_millis(work.millis / 2)).await;
    if holder == Holder::Careful {
        let now = world.now();
        locked(&world.watch).works(operation, ordinal, attempt, now);
    }
    locked(&world.watch).effect(operation, ordinal, attempt);
    let mut ended = work.end(attempt);
    if ended.is_ok()
        && let Some(of) = undoes(contract)
    {
        locked(&world.watch).undone(of, (operation, ordinal));
    }
    tokio::time::sleep(Duration::from_millis(work.millis - work.millis / 2)).await;
    if let Ok(done) = &mut ended
        && contract.outputs.iter().any(|name| name == GIVES)
    {
        done.outputs.insert(GIVES.to_owned(), format!("{operation}/{ordinal}/{attempt}").into());
    }
    ended
}
