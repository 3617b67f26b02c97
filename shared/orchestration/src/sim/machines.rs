//! Step Functions: executions of the real machines, their tokens, and the functions that they call

use super::{
    asl::{Host, Machine, Raised, execute},
    fault::{Fault, Site},
    record::{Execution, Waiter},
    world::{Broken, Lost, World, locked},
};
use crate::{
    Engine, EngineError,
    machines::{Machines, MachinesError, NodeEnd, OperationInput, SegmentInput, Sent},
};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::sync::oneshot;
use weir_domain::{id::OperationId, scope::Scope};
use weir_store::NodeKey;

/// Step Functions as functions reach them
pub(super) struct SimMachines(pub Arc<World>);

impl From<Broken> for MachinesError {
    fn from(broken: Broken) -> Self {
        Self(Box::new(broken))
    }
}

fn operation_machine() -> Option<&'static Machine> {
    static MACHINE: OnceLock<Option<Machine>> = OnceLock::new();
    let text = include_str!("../../../../statemachines/operation.asl.json");
    MACHINE.get_or_init(|| Machine::read(text).ok()).as_ref()
}

/// What waits for the nodes of one segment
pub(super) fn segment_machine() -> Option<&'static Machine> {
    static MACHINE: OnceLock<Option<Machine>> = OnceLock::new();
    let text = include_str!("../../../../statemachines/segment.asl.json");
    MACHINE.get_or_init(|| Machine::read(text).ok()).as_ref()
}

#[async_trait]
impl Machines for SimMachines {
    async fn start_operation(&self, input: &OperationInput) -> Result<(), MachinesError> {
        let passing = self.0.enter("start_operation", 0, Site::Write).await?;
        let given = json!({ "scope": input.scope, "operation": input.operation });
        self.0.start(input.operation.to_string(), operation_machine(), given);
        passing.leave().await?;
        Ok(())
    }

    async fn start_segment(&self, input: &SegmentInput) -> Result<(), MachinesError> {
        let passing = self.0.enter("start_segment", input.segment, Site::Write).await?;
        let given = serde_json::to_value(input).unwrap_or_default();
        self.0.start(input.name(), segment_machine(), given);
        passing.leave().await?;
        Ok(())
    }

    async fn succeed(&self, token: &str, output: &str) -> Result<Sent, MachinesError> {
        let end = serde_json::from_str::<NodeEnd>(output).ok();
        let passing = self.0.enter("send", end.as_ref().map_or(0, |end| end.node), Site::Write).await?;
        let waiter = locked(&self.0.record).tokens.remove(token);
        let output = serde_json::from_str(output).unwrap_or_default();
        locked(&self.0.watch).sent(token, end.as_ref(), &output);
        let sent = waiter.is_some_and(|waiter| waiter.ended.send(output).is_ok());
        self.0.say(|| format!("send {token}: {}", if sent { "accepted" } else { "gone" }), None);
        // Sent again by the SDK, it would be answered that nobody waits any more.
        let sent = sent && !passing.is_repeated();
        passing.leave().await?;
        Ok(if sent { Sent::Accepted } else { Sent::Gone })
    }

    async fn segment_runs(&self, input: &SegmentInput) -> Result<bool, MachinesError> {
        self.0.enter("describe", input.segment, Site::Read).await?;
        Ok(locked(&self.0.record).executions.get(&input.name()).is_some_and(|it| it.running))
    }
}

impl World {
    /// Starts an execution, unless one of this name was ever started
    fn start(&self, name: String, machine: Option<&'static Machine>, input: Value) {
        let (Some(machine), Some((world, _))) = (machine, self.both()) else { return };
        if locked(&self.record).executions.contains_key(&name) {
            self.say(|| format!("execution {name} was started before"), None);
            return;
        }
        self.say(|| format!("execution {name} starts"), None);
        let new = Execution { running: true, stop: None };
        locked(&self.record).executions.insert(name.clone(), new);
        let (number, called) = (input.get("segment").and_then(Value::as_u64), name.clone());
        let running = tokio::spawn(async move {
            let host = Runs { world: world.clone(), name: called.clone() };
            let ended = execute(&host, machine, input).await;
            world.say(|| format!("execution {called} ends: {ended:?}"), None);
            world.ended(&called);
        });
        let stop = running.abort_handle();
        if let Some(execution) = locked(&self.record).executions.get_mut(&name) {
            execution.stop = Some(stop);
        }
        let number = number.and_then(|it| u32::try_from(it).ok());
        let op = if number.is_some() { "segment" } else { "operation" };
        if self.fault("execution", op, number.unwrap_or(0), Site::Execution).is_some() {
            self.stop_later(name);
        }
    }

    fn ended(&self, name: &str) {
        if let Some(execution) = locked(&self.record).executions.get_mut(name) {
            execution.running = false;
        }
    }

    fn stop_later(&self, name: String) {
        let Some((world, _)) = self.both() else { return };
        let after = self.chance.of("stop").of(&name).below(20_000);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(after)).await;
            let mut record = locked(&world.record);
            if let Some(execution) = record.executions.get_mut(&name).filter(|it| it.running) {
                execution.running = false;
                execution.stop.take().inspect(|it| it.abort());
            }
            drop(record);
            world.say(|| format!("execution {name} is stopped from outside"), None);
        });
    }

    /// The functions of `functions/tasks`
    async fn task(&self, function: &str, payload: &Value) -> Result<Value, Raised> {
        let Some(handler) = HANDLERS.into_iter().find(|name| camel(name) == function) else {
            return Err(Raised::new("Lambda.ResourceNotFoundException", function));
        };
        let event: Event = serde_json::from_value(payload.clone())
            .map_err(|error| Raised::new("Terminal", error.to_string()))?;
        let ended =
            self.invoke(handler, move |_, engine| async move { handle(&engine, handler, event).await });
        match ended.await {
            Ok(answer) => Ok(answer),
            Err(Lost::Died) => Err(Raised::new("Lambda.Unknown", "the function died")),
            Err(Lost::Failed(error)) => {
                let name = if error.is_transient() { "Transient" } else { "Terminal" };
                Err(Raised::new(name, error.to_string()))
            }
        }
    }
}

const HANDLERS: [&str; 5] =
    ["operation_begin", "node_arrive", "segment_finish", "operation_finish", "operation_abort"];

/// `node_arrive` as the machines know it: `${NodeArriveArn}`
fn camel(handler: &str) -> String {
    let words = handler.split('_').map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_uppercase() + rest
    });
    format!("${{{}Arn}}", words.collect::<String>())
}

/// What the machines give their functions
#[derive(Deserialize)]
struct Event {
    scope: Scope,
    operation: OperationId,
    #[serde(default)]
    ordinal: u32,
    #[serde(default)]
    segment: u32,
    #[serde(default)]
    round: u32,
    #[serde(default)]
    token: String,
}

async fn handle(engine: &Engine, handler: &str, event: Event) -> Result<Value, EngineError> {
    let Event { scope, operation, ordinal, segment, round, token } = event;
    match handler {
        "operation_begin" => engine.begin(&scope, operation, token).await?,
        "node_arrive" => engine.arrive(&NodeKey::new(&scope, operation, ordinal), token).await?,
        "segment_finish" => {
            let next = engine.segment_round(&scope, operation, segment, round).await?;
            return Ok(json!({ "next": next, "round": round + 1 }));
        }
        "operation_finish" => engine.finish_operation(&scope, operation).await?,
        _ => engine.abort(&scope, operation, None).await?,
    }
    Ok(Value::Null)
}

/// One execution, as its machine reaches the world
struct Runs {
    world: Arc<World>,
    name: String,
}

impl Runs {
    /// Whoever was to send this token back never hears of it
    fn excuse(&self, payload: &Value) {
        let token = payload.get("token").and_then(Value::as_str).unwrap_or_default();
        if let Some(waiter) = locked(&self.world.record).tokens.get_mut(token) {
            waiter.excused = true;
        }
    }
}

#[async_trait]
impl Host for Runs {
    async fn enter(&self, _state: &str) {
        locked(&self.world.record).transitions += 1;
        let usual = self.world.pace.latency.transition;
        let number = locked(&self.world.record).transitions;
        tokio::time::sleep(self.world.pace.some(usual, self.world.chance.of("enter").at(number))).await;
    }

    async fn call(&self, function: &str, payload: Value) -> Result<Value, Raised> {
        self.world.task(function, &payload).await
    }

    async fn call_with_token(&self, function: &str, payload: Value) -> Result<(), Raised> {
        let ordinal = payload.get("ordinal").and_then(Value::as_u64).unwrap_or(0);
        let subject = u32::try_from(ordinal).unwrap_or(0);
        let op = if subject == 0 { "begin" } else { "arrive" };
        let fault = self.world.fault("execution", op, subject, Site::Token);
        match fault {
            Some(Fault::NeverCalled) => {
                self.excuse(&payload);
                return Ok(());
            }
            Some(Fault::Duplicate) => {
                let (world, function, payload) = (self.world.clone(), function.to_owned(), payload.clone());
                tokio::spawn(async move { world.task(&function, &payload).await });
            }
            Some(_) | None => {}
        }
        let called = self.world.task(function, &payload).await;
        if fault == Some(Fault::NotRetried) && called.is_err() {
            self.excuse(&payload);
            return Ok(());
        }
        called.map(drop)
    }

    fn token(&self) -> (String, oneshot::Receiver<Value>) {
        let (ended, receive) = oneshot::channel();
        let mut record = locked(&self.world.record);
        record.tokens_made += 1;
        let token = format!("token-{}", record.tokens_made);
        let waiter = Waiter { ended, execution: self.name.clone(), excused: false };
        record.tokens.insert(token.clone(), waiter);
        (token, receive)
    }

    fn random(&self, limit: u64) -> u64 {
        crate::Clock::random(&*self.world) % limit.max(1)
    }
}
