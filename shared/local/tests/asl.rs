//! The simulator's interpreter of state machines beside the embedded emulator: the same machines, the same inputs
//!
//! The functions are the example's; here they are played again in a few lines, for the interpreter.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

mod common;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use common::echo;
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use weir_local::artefacts::Binaries;
use weir_local::progress::Progress;
use weir_local::stack::{Stack, StackOptions};
use weir_orchestration::sim::asl::{Host, Machine, Raised, execute};

/// How long a machine may take; the longest waits for a time limit of two seconds
const PATIENCE: Duration = Duration::from_secs(60);

/// How an execution ended: its output, or the error's name where that is one of a machine's own
type Ended = Result<Value, Option<String>>;

/// How it ended, and how often functions were called until then
type Run = (Ended, usize);

/// Its iterations run side by side, and how many are called before the first fails is nobody's concern
const RACES: &str = "an iteration fails";

/// The functions of the fixture, as one execution calls them
struct Played {
    arrive: String,
    finish: String,
    tokens: Mutex<BTreeMap<String, oneshot::Sender<Value>>>,
    calls: AtomicUsize,
}

impl Played {
    fn answer(&self, function: &str, payload: &Value) -> Result<Value, Raised> {
        if function == self.finish {
            let round = payload["round"].as_u64().unwrap_or(0);
            return Ok(json!({ "next": if round == 0 { "again" } else { "done" }, "round": round + 1 }));
        }
        match payload["fail"].as_str() {
            Some(message) => Err(Raised::new("Failed", message)),
            None => Ok(json!({ "event": payload })),
        }
    }
}

#[async_trait]
impl Host for Played {
    async fn enter(&self, _state: &str) {}

    async fn call(&self, function: &str, payload: Value) -> Result<Value, Raised> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.answer(function, &payload)
    }

    async fn call_with_token(&self, function: &str, payload: Value) -> Result<(), Raised> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if function != self.arrive {
            return self.answer(function, &payload).map(drop);
        }
        let token = payload["token"].as_str().unwrap();
        let waits = self.tokens.lock().unwrap().remove(token).unwrap();
        let _given_up = waits.send(json!({ "node": payload["node"] }));
        Ok(())
    }

    fn token(&self) -> (String, oneshot::Receiver<Value>) {
        let (send, receive) = oneshot::channel();
        let mut tokens = self.tokens.lock().unwrap();
        let token = format!("token-{}", tokens.len());
        tokens.insert(token.clone(), send);
        (token, receive)
    }

    fn random(&self, _limit: u64) -> u64 {
        0
    }
}

fn machine(states: Value) -> Value {
    json!({ "StartAt": "A", "States": states })
}

fn task(more: Value) -> Value {
    let mut task = json!({
        "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": true,
        "Parameters": { "FunctionName": "${Echo}", "Payload": { "n.$": "$.n" } },
        "ResultSelector": { "n.$": "$.Payload.event.n" },
    });
    for (name, value) in more.as_object().unwrap() {
        task[name] = value.clone();
    }
    task
}

fn waits(function: &str, more: Value) -> Value {
    let mut task = json!({
        "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "End": true,
        "Parameters": { "FunctionName": function, "Payload": { "node.$": "$.n", "token.$": "$$.Task.Token" } },
        "TimeoutSeconds": 30,
    });
    for (name, value) in more.as_object().unwrap() {
        task[name] = value.clone();
    }
    task
}

/// A machine with its input, by name
type Case = (&'static str, Value, Value);

fn one() -> Value {
    json!({ "n": 1, "kept": true })
}

fn pass() -> Value {
    json!({ "Type": "Pass", "End": true })
}

/// The parameters of a call that fails
fn failing() -> Value {
    json!({ "FunctionName": "${Echo}", "Payload": { "fail": "on purpose" } })
}

fn caught(error: &str) -> Value {
    json!([{ "ErrorEquals": [error], "ResultPath": null, "Next": "B" }])
}

/// What the states of Weir's machines are tried again on: anything but that their time is over
fn tried_again() -> Value {
    json!([
        { "ErrorEquals": ["States.Timeout"], "MaxAttempts": 0 },
        { "ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "BackoffRate": 1, "MaxAttempts": 2 },
    ])
}

/// A machine whose state `A` is not done, and whose `Abort` is told of the error `$.error` that was caught there
fn aborted(a: Value, told: &str) -> Value {
    let mut a = a;
    a["Catch"] = json!([{ "ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Abort" }]);
    let payload = json!({ "n.$": "$.n", "told.$": told });
    let abort = task(json!({
        "Parameters": { "FunctionName": "${Echo}", "Payload": payload },
        "ResultSelector": { "n.$": "$.Payload.event.n", "told.$": "$.Payload.event.told" },
    }));
    machine(json!({ "A": a, "Abort": abort }))
}

/// A path that leads nowhere is in none of them: an error on AWS and in the interpreter, on the emulator it is null
fn paths() -> Vec<Case> {
    let moved = json!({ "Type": "Pass", "InputPath": "$.a.b", "ResultPath": "$.c", "End": true });
    vec![
        ("a result takes the input's place", machine(json!({ "A": task(json!({})) })), one()),
        ("a result goes nowhere", machine(json!({ "A": task(json!({ "ResultPath": null })) })), one()),
        (
            "a result goes into a field",
            machine(json!({ "A": task(json!({ "ResultPath": "$.x.y" })) })),
            one(),
        ),
        ("a pass moves a part of its input", machine(json!({ "A": moved })), json!({ "a": { "b": [1, 2] } })),
    ]
}

fn choices() -> Vec<Case> {
    let choice = |default: Option<&str>| {
        let rule = json!({ "Variable": "$.a.b", "StringEquals": "yes", "Next": "B" });
        let mut choice = json!({ "Type": "Choice", "Choices": [rule] });
        if let Some(default) = default {
            choice["Default"] = default.into();
        }
        let chosen = json!({ "Type": "Pass", "Result": "chosen", "End": true });
        machine(json!({ "A": choice, "B": chosen, "C": { "Type": "Succeed" } }))
    };
    let said = |word: &str| json!({ "a": { "b": word } });
    let fails = json!({ "Type": "Fail", "Error": "Mine", "Cause": "why" });
    vec![
        ("a rule holds", choice(Some("C")), said("yes")),
        ("no rule holds", choice(Some("C")), said("no")),
        ("no rule holds, and nothing else is said", choice(None), said("no")),
        ("a machine fails", machine(json!({ "A": fails })), one()),
    ]
}

fn maps() -> Vec<Case> {
    let item = json!({ "n.$": "$$.Map.Item.Value", "index.$": "$$.Map.Item.Index", "k.$": "$.k" });
    let map = |inner: Value, place: Value| {
        let inner =
            json!({ "ProcessorConfig": { "Mode": "INLINE" }, "StartAt": "I", "States": { "I": inner } });
        machine(json!({ "A": {
            "Type": "Map", "ItemsPath": "$.nodes", "MaxConcurrency": 2, "ItemSelector": item,
            "ItemProcessor": inner, "ResultPath": place, "End": true,
        } }))
    };
    let items = || json!({ "nodes": [5, 6, 7], "k": 1 });
    let fails = task(json!({ "Parameters": failing(), "ResultPath": null }));
    vec![
        ("a map keeps the order", map(task(json!({})), json!("$")), items()),
        ("a map gives its items what they are and where they stand", map(pass(), json!("$.out")), items()),
        ("a map over nothing", map(pass(), json!("$")), json!({ "nodes": [], "k": 1 })),
        ("an iteration fails", map(fails, json!("$")), items()),
    ]
}

fn failures() -> Vec<Case> {
    let fails = |more: Value| {
        let mut task = task(more);
        task["Parameters"] = failing();
        machine(json!({ "A": task, "B": pass() }))
    };
    let retry = json!([{ "ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 1 }]);
    let again = json!({ "Retry": retry, "Catch": caught("States.TaskFailed") });
    let twice = json!({ "Retry": tried_again(), "Catch": caught("States.ALL") });
    let gone = task(json!({ "Parameters": failing(), "Retry": tried_again() }));
    vec![
        ("a failure is caught", fails(json!({ "Catch": caught("States.ALL") })), one()),
        ("a failure is tried again, and then caught", fails(again), one()),
        ("a failure is tried again although a timeout would not be", fails(twice), one()),
        ("whoever is called instead is given what was given before", aborted(gone, "$.kept"), one()),
        ("a failure that nobody catches", fails(json!({ "Catch": caught("Another") })), one()),
    ]
}

fn tokens() -> Vec<Case> {
    let gone = waits("${Echo}", json!({ "TimeoutSeconds": 2, "Retry": tried_again() }));
    let waits = |function: &str, more: Value| machine(json!({ "A": waits(function, more), "B": pass() }));
    let fails = json!({ "FunctionName": "${Echo}", "Payload": { "fail": "no", "token.$": "$$.Task.Token" } });
    let fails = json!({ "Parameters": fails, "Catch": caught("States.ALL") });
    let late = json!({ "TimeoutSeconds": 2, "Catch": caught("States.Timeout") });
    let again = json!({ "TimeoutSeconds": 2, "Retry": tried_again(), "Catch": caught("States.ALL") });
    vec![
        ("a token is sent back", waits("${Arrive}", json!({})), one()),
        ("a token's output goes nowhere", waits("${Arrive}", json!({ "ResultPath": null })), one()),
        ("a token is never sent back", waits("${Echo}", late), one()),
        ("a timeout is not tried again although a failure would be", waits("${Echo}", again), one()),
        ("whoever is called instead is told of the error", aborted(gone, "$.error.Error"), one()),
        ("who was given a token fails", waits("${Echo}", fails), one()),
    ]
}

/// The machines that Weir runs, over the fixture's functions
fn ours() -> Vec<Case> {
    let read = |text: &str| -> Value {
        let text = text.replace("${Partition}", "aws").replace("${NodeArriveArn}", "${Arrive}");
        let text =
            text.replace("${SegmentFinishArn}", "${Finish}").replace("${OperationBeginArn}", "${Arrive}");
        let text =
            text.replace("${OperationFinishArn}", "${Echo}").replace("${OperationAbortArn}", "${Echo}");
        serde_json::from_str(&text).unwrap()
    };
    let segment = read(include_str!("../../../statemachines/segment.asl.json"));
    let operation = read(include_str!("../../../statemachines/operation.asl.json"));
    let input = json!({ "scope": "s", "operation": "o", "segment": 0, "round": 0, "nodes": [1, 2, 3] });
    let (mut failing, mut late) = (operation.clone(), operation.clone());
    // Not `Begin`: the emulator hears of no failure of whoever was given a token.
    let finish = &mut failing["States"]["Finish"];
    finish["Parameters"]["Payload"]["fail"] = json!("on purpose");
    finish["Retry"][0]["MaxAttempts"] = json!(2); // eight would take minutes
    late["States"]["Begin"]["Parameters"]["FunctionName"] = json!("${Echo}");
    late["States"]["Begin"]["TimeoutSeconds"] = json!(2);
    let given = || json!({ "scope": "s", "operation": "o" });
    vec![
        ("a segment goes round twice", segment, input),
        ("an operation", operation, given()),
        ("an operation that cannot be finished is aborted", failing, given()),
        ("an operation whose time is over is aborted", late, given()),
    ]
}

/// The errors whose names a machine's author, or its language, has given
fn named(error: &str) -> Option<String> {
    ["Mine", "Aborted", "States.NoChoiceMatched"].contains(&error).then(|| error.to_owned())
}

async fn emulated(sfn: &aws_sdk_sfn::Client, name: String, machine: &Value, input: &Value) -> Run {
    let role = "arn:aws:iam::000000000000:role/machine";
    let made =
        sfn.create_state_machine().name(name).definition(machine.to_string()).role_arn(role).send().await;
    let machine = made.unwrap().state_machine_arn;
    let started = sfn.start_execution().state_machine_arn(&machine).input(input.to_string()).send().await;
    let execution = started.unwrap().execution_arn;
    let ended = async {
        loop {
            let seen = sfn.describe_execution().execution_arn(&execution).send().await.unwrap();
            if seen.status().as_str() != "RUNNING" {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let ended = tokio::time::timeout(PATIENCE, ended).await.unwrap_or_else(|_| panic!("{machine:?} goes on"));
    let told = sfn.get_execution_history().execution_arn(&execution).max_results(1_000).send().await.unwrap();
    let calls = told.events().iter().filter(|event| event.r#type().as_str() == "TaskScheduled").count();
    let ended = match ended.output() {
        Some(output) if ended.status().as_str() == "SUCCEEDED" => Ok(serde_json::from_str(output).unwrap()),
        _ => Err(ended.error().and_then(named)),
    };
    (ended, calls)
}

async fn interpreted(played: &Played, machine: &Value, input: &Value) -> Run {
    let machine = Machine::read(&machine.to_string()).unwrap();
    let ended = execute(played, &machine, input.clone()).await.map_err(|raised| named(&raised.error));
    (ended, played.calls.load(Ordering::Relaxed))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_interpreter_and_the_emulator_come_to_the_same() {
    let (dir, here) = (tempfile::tempdir().unwrap(), PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    let mut options = StackOptions::new(here.ancestors().nth(2).unwrap());
    options.dir = dir.path().to_owned();
    options.template = here.join("tests/fixture/template.yaml");
    options.binaries = Some(Binaries::from_paths([("echo_function".to_owned(), echo())]));
    let stack = Stack::start(options, &Progress::silent()).await.unwrap();
    let functions = ["Echo", "Arrive", "Finish"].map(|name| (name, stack.outputs()[name].clone()));
    let known = |name: &str| functions.iter().find(|(known, _)| *known == name).unwrap().1.clone();
    let (arrive, finish) = (known("Arrive"), known("Finish"));
    let played = || Played {
        arrive: arrive.clone(),
        finish: finish.clone(),
        tokens: Mutex::default(),
        calls: AtomicUsize::new(0),
    };
    let sfn = aws_sdk_sfn::Client::new(stack.endpoint().config());
    let all = [paths(), choices(), maps(), failures(), tokens(), ours()].into_iter().flatten().enumerate();
    let differ = stream::iter(all).map(|(number, (name, machine, input))| {
        let text = functions
            .iter()
            .fold(machine.to_string(), |text, (name, arn)| text.replace(&format!("${{{name}}}"), arn));
        let machine: Value = serde_json::from_str(&text).unwrap();
        let (sfn, played) = (&sfn, played());
        async move {
            let mut there = emulated(sfn, format!("case-{number}"), &machine, &input).await;
            let here = interpreted(&played, &machine, &input).await;
            if name == RACES {
                there.1 = here.1;
            }
            (there != here).then(|| format!("{name}: the emulator says {there:?}, the interpreter {here:?}"))
        }
    });
    let differ: Vec<String> = differ.buffer_unordered(8).filter_map(async |it| it).collect().await;
    stack.stop().await;
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}
