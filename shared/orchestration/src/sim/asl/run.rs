//! One execution, from its input to its end

use super::{Catcher, Jitter, Machine, Map, Retrier, State, Task, path};
use async_trait::async_trait;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, future::BoxFuture, stream};
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};
use tokio::sync::oneshot;

/// Iterations of an inline Map that the service runs at a time
const MAP_MAX: usize = 40;

/// What an execution needs of the world
#[async_trait]
pub trait Host: Send + Sync {
    /// A state is entered
    async fn enter(&self, state: &str);
    /// Calls a function, and waits for its answer
    async fn call(&self, function: &str, payload: Value) -> Result<Value, Raised>;
    /// Calls a function that is given a task token
    async fn call_with_token(&self, function: &str, payload: Value) -> Result<(), Raised>;
    /// A new task token, and what comes when it is sent back
    fn token(&self) -> (String, oneshot::Receiver<Value>);
    /// A number from 0 up to, and without, `limit`
    fn random(&self, limit: u64) -> u64;
}

/// An error as machines know it: a name that `Retry` and `Catch` compare, and a cause for people
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raised {
    /// The name
    pub error: String,
    /// What happened
    pub cause: String,
}

impl Raised {
    /// The error `error`
    pub fn new(error: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { error: error.into(), cause: cause.into() }
    }

    fn is_one_of(&self, names: &[String]) -> bool {
        names.iter().any(|name| match name.as_str() {
            "States.ALL" => true,
            "States.TaskFailed" => self.error != "States.Timeout",
            name => name == self.error,
        })
    }
}

/// Where an execution stands: what its paths may refer to
struct Frame<'a> {
    host: &'a dyn Host,
    context: Value,
}

/// Runs `machine` with `input` to its end
pub async fn execute(host: &dyn Host, machine: &Machine, input: Value) -> Result<Value, Raised> {
    run(&Frame { host, context: json!({}) }, machine, input).await
}

fn run<'a>(frame: &'a Frame<'a>, machine: &'a Machine, input: Value) -> BoxFuture<'a, Result<Value, Raised>> {
    async move {
        let mut name = machine.start_at.as_str();
        let mut value = input;
        loop {
            let state = machine.states.get(name);
            let state = state.ok_or_else(|| Raised::new("States.Runtime", format!("no state `{name}`")))?;
            frame.host.enter(name).await;
            let next;
            (value, next) = step(frame, state, value).await?;
            match next {
                Some(next) => name = next,
                None => return Ok(value),
            }
        }
    }
    .boxed()
}

/// What comes out of one state, and the state after it
async fn step<'a>(
    frame: &Frame<'_>,
    state: &'a State,
    input: Value,
) -> Result<(Value, Option<&'a str>), Raised> {
    match state {
        State::Task(task) => self_healing(frame, task, input).await,
        State::Map(map) => {
            let results = iterate(frame, map, &input).await?;
            Ok((path::put(&map.result_path, input, results)?, after(map.next.as_ref(), map.end)))
        }
        State::Pass(pass) => {
            let taken = pass.input_path.as_deref().unwrap_or("$");
            let taken = path::find(taken, &input, &frame.context)?.clone();
            let result = pass.result.clone().unwrap_or(taken);
            Ok((path::put(&pass.result_path, input, result)?, after(pass.next.as_ref(), pass.end)))
        }
        State::Choice(choice) => {
            for rule in &choice.choices {
                let found = path::find(&rule.variable, &input, &frame.context)?;
                if found.as_str() == Some(&rule.string_equals) {
                    return Ok((input, Some(&rule.next)));
                }
            }
            let none = || Raised::new("States.NoChoiceMatched", "no rule holds, and there is no default");
            let next = choice.default.as_deref().ok_or_else(none)?;
            Ok((input, Some(next)))
        }
        State::Succeed { .. } => Ok((input, None)),
        State::Fail(fail) => Err(Raised::new(&fail.error, &fail.cause)),
    }
}

fn after(next: Option<&String>, end: bool) -> Option<&str> {
    next.filter(|_| !end).map(String::as_str)
}

/// A task with its `Retry` and `Catch`
async fn self_healing<'a>(
    frame: &Frame<'_>,
    task: &'a Task,
    input: Value,
) -> Result<(Value, Option<&'a str>), Raised> {
    let mut tries = vec![0; task.retry.len()];
    loop {
        let raised = match limited(frame, task, &input).await {
            Ok(result) => {
                let output = path::put(&task.result_path, input, result)?;
                return Ok((output, after(task.next.as_ref(), task.end)));
            }
            Err(raised) => raised,
        };
        match delay(frame, &task.retry, &mut tries, &raised) {
            Some(delay) => {
                tokio::time::sleep(delay).await;
                // A retry enters the state again, and is billed as that.
                frame.host.enter("retry").await;
            }
            None => return caught(&task.catch, input, raised),
        }
    }
}

/// How long to wait before the next try; `None` where the error is not retried, or not any more
fn delay(frame: &Frame<'_>, retriers: &[Retrier], tries: &mut [u32], raised: &Raised) -> Option<Duration> {
    let (retrier, made) = retriers.iter().zip(tries).find(|(it, _)| raised.is_one_of(&it.error_equals))?;
    if *made >= retrier.max_attempts {
        return None;
    }
    let grown = retrier.interval_seconds as f64 * retrier.backoff_rate.powi(i32::try_from(*made).ok()?);
    *made += 1;
    let seconds = retrier.max_delay_seconds.map_or(grown, |most| grown.min(most as f64));
    let millis = Duration::from_secs_f64(seconds).as_millis();
    let millis = u64::try_from(millis).unwrap_or(u64::MAX);
    let spread = retrier.jitter_strategy == Some(Jitter::Full);
    Some(Duration::from_millis(if spread { frame.host.random(millis + 1) } else { millis }))
}

fn caught(catchers: &[Catcher], input: Value, raised: Raised) -> Result<(Value, Option<&str>), Raised> {
    match catchers.iter().find(|catcher| raised.is_one_of(&catcher.error_equals)) {
        Some(catcher) => {
            let error = json!({ "Error": raised.error, "Cause": raised.cause });
            Ok((path::put(&catcher.result_path, input, error)?, Some(&catcher.next)))
        }
        None => Err(raised),
    }
}

async fn limited(frame: &Frame<'_>, task: &Task, input: &Value) -> Result<Value, Raised> {
    let Some(seconds) = task.timeout_seconds else { return call(frame, task, input).await };
    match tokio::time::timeout(Duration::from_secs(seconds), call(frame, task, input)).await {
        Ok(ended) => ended,
        Err(_) => Err(Raised::new("States.Timeout", format!("not done within {seconds} s"))),
    }
}

/// One call of the task's function; where it is given a token, the state waits until that is sent back
async fn call(frame: &Frame<'_>, task: &Task, input: &Value) -> Result<Value, Raised> {
    let waits = task.resource.ends_with("lambda:invoke.waitForTaskToken");
    if !waits && !task.resource.ends_with("lambda:invoke") {
        return Err(Raised::new("States.Runtime", format!("nothing here does `{}`", task.resource)));
    }
    let (token, ended) = if waits { frame.host.token() } else { (String::new(), oneshot::channel().1) };
    let mut context = frame.context.clone();
    if let (true, Value::Object(fields)) = (waits, &mut context) {
        fields.insert("Task".to_owned(), json!({ "Token": token }));
    }
    let parameters = task.parameters.as_ref().unwrap_or(&Value::Null);
    let parameters = path::fill(parameters, input, &context)?;
    let function = parameters.get("FunctionName").and_then(Value::as_str).unwrap_or_default();
    let payload = parameters.get("Payload").cloned().unwrap_or(Value::Null);
    let result = if waits {
        answered(frame, function, payload, ended).await?
    } else {
        json!({ "StatusCode": 200, "Payload": frame.host.call(function, payload).await? })
    };
    match &task.result_selector {
        Some(selector) => path::fill(selector, &result, &context),
        None => Ok(result),
    }
}

/// What the token was ended with; the function that was given it may fail before that, not after
async fn answered(
    frame: &Frame<'_>,
    function: &str,
    payload: Value,
    mut ended: oneshot::Receiver<Value>,
) -> Result<Value, Raised> {
    let lost = |_| Raised::new("States.TaskFailed", "the token can never be sent back");
    tokio::select! {
        biased;
        output = &mut ended => output.map_err(lost),
        called = frame.host.call_with_token(function, payload) => {
            called?;
            ended.await.map_err(lost)
        }
    }
}

async fn iterate(frame: &Frame<'_>, map: &Map, input: &Value) -> Result<Value, Raised> {
    let items = path::find(map.items_path.as_deref().unwrap_or("$"), input, &frame.context)?;
    let items = items.as_array().ok_or_else(|| Raised::new("States.Runtime", "a Map needs an array"))?;
    let mut frames = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let context = json!({ "Map": { "Item": { "Index": index, "Value": item } } });
        let given = match &map.item_selector {
            Some(selector) => path::fill(selector, input, &context)?,
            None => item.clone(),
        };
        frames.push((Frame { host: frame.host, context }, given));
    }
    let at_once = map.max_concurrency.filter(|most| *most > 0).unwrap_or(MAP_MAX).min(MAP_MAX);
    let iterations: Vec<BoxFuture<'_, _>> = frames
        .iter()
        .enumerate()
        .map(|(index, (frame, given))| {
            run(frame, &map.item_processor, given.clone())
                .map(move |ended| ended.map(|it| (index, it)))
                .boxed()
        })
        .collect();
    // The first iteration that fails, fails the Map; the others are left where they are.
    let ended: BTreeMap<usize, Value> =
        stream::iter(iterations).buffer_unordered(at_once).try_collect().await?;
    Ok(Value::Array(ended.into_values().collect()))
}
