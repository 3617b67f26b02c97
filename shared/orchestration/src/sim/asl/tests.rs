use super::*;
use serde_json::json;
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;

/// A world in which functions answer what a case says, one answer a call, and tokens are ended by them
#[derive(Default)]
struct Scripted {
    answers: Mutex<Vec<Result<Value, Raised>>>,
    calls: Mutex<Vec<String>>,
    tokens: Mutex<Vec<oneshot::Sender<Value>>>,
}

#[async_trait::async_trait]
impl Host for Scripted {
    async fn enter(&self, state: &str) {
        self.calls.lock().unwrap().push(state.to_owned());
    }
    async fn call(&self, function: &str, payload: Value) -> Result<Value, Raised> {
        self.calls.lock().unwrap().push(format!("{function} {payload}"));
        let mut answers = self.answers.lock().unwrap();
        if answers.is_empty() { Ok(payload) } else { answers.remove(0) }
    }
    async fn call_with_token(&self, function: &str, payload: Value) -> Result<(), Raised> {
        let answer = self.call(function, payload).await?;
        if answer != Value::Null {
            let token = self.tokens.lock().unwrap().pop().unwrap();
            let _gone = token.send(answer);
        }
        Ok(())
    }
    fn token(&self) -> (String, oneshot::Receiver<Value>) {
        let (send, receive) = oneshot::channel();
        self.tokens.lock().unwrap().push(send);
        ("token".to_owned(), receive)
    }
    fn random(&self, limit: u64) -> u64 {
        limit - 1
    }
}

/// What the machine of `states`, beginning at `A`, makes of `input`; what it did; how many seconds passed
fn run(
    states: Value,
    input: Value,
    answers: Vec<Result<Value, Raised>>,
) -> (Result<Value, Raised>, Vec<String>, u64) {
    execution(
        &Machine::read(&json!({ "StartAt": "A", "States": states }).to_string()).unwrap(),
        input,
        answers,
    )
}

/// The same of `machine`
fn execution(
    machine: &Machine,
    input: Value,
    answers: Vec<Result<Value, Raised>>,
) -> (Result<Value, Raised>, Vec<String>, u64) {
    let host = Arc::new(Scripted { answers: Mutex::new(answers), ..Scripted::default() });
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let (ended, passed) = runtime.block_on(async {
        let began = tokio::time::Instant::now();
        let ended = execute(&*host, machine, input).await;
        (ended, began.elapsed().as_secs())
    });
    let calls = host.calls.lock().unwrap().clone();
    (ended, calls, passed)
}

fn task(more: Value) -> Value {
    let mut task = json!({
        "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": true,
        "Parameters": { "FunctionName": "f", "Payload": { "n.$": "$.n" } },
    });
    for (name, value) in more.as_object().unwrap() {
        task[name] = value.clone();
    }
    task
}

fn raised(error: &str) -> Result<Value, Raised> {
    Err(Raised::new(error, "because"))
}

#[test]
fn the_machines_of_this_workspace_use_nothing_else() {
    for text in [
        include_str!("../../../../../statemachines/operation.asl.json"),
        include_str!("../../../../../statemachines/segment.asl.json"),
    ] {
        Machine::read(text).unwrap();
    }
    let unknown = json!({ "StartAt": "A", "States": { "A": { "Type": "Pass", "End": true, "Assign": {} } } });
    assert!(Machine::read(&unknown.to_string()).is_err());
}

#[test]
fn a_result_goes_where_its_path_says() {
    let places = [
        (json!({}), json!({ "StatusCode": 200, "Payload": { "n": 1 } })),
        (json!({ "ResultPath": null }), json!({ "n": 1 })),
        (
            json!({ "ResultPath": "$.a.b", "ResultSelector": { "m.$": "$.Payload.n" } }),
            json!({ "n": 1, "a": { "b": { "m": 1 } } }),
        ),
    ];
    for (more, expected) in places {
        assert_eq!(run(json!({ "A": task(more) }), json!({ "n": 1 }), vec![]).0, Ok(expected));
    }
}

#[test]
fn a_pass_takes_what_its_input_path_names() {
    let pass = json!({ "A": { "Type": "Pass", "InputPath": "$.finish.round", "ResultPath": "$.round", "End": true } });
    let input = json!({ "round": 1, "finish": { "round": 2 } });
    assert_eq!(run(pass, input, vec![]).0, Ok(json!({ "round": 2, "finish": { "round": 2 } })));
}

#[test]
fn a_choice_compares_strings_and_has_a_default() {
    let machine = json!({
        "A": { "Type": "Choice", "Choices": [{ "Variable": "$.next", "StringEquals": "again", "Next": "B" }], "Default": "C" },
        "B": { "Type": "Fail", "Error": "E", "Cause": "C" },
        "C": { "Type": "Succeed" },
    });
    assert_eq!(run(machine.clone(), json!({ "next": "done" }), vec![]).0, Ok(json!({ "next": "done" })));
    assert_eq!(run(machine, json!({ "next": "again" }), vec![]).0, Err(Raised::new("E", "C")));
}

#[test]
fn an_error_is_retried_with_growing_waits_and_then_caught() {
    let retry = json!([
        { "ErrorEquals": ["States.Timeout"], "MaxAttempts": 0 },
        { "ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "BackoffRate": 2, "MaxDelaySeconds": 3, "MaxAttempts": 3 },
    ]);
    let catch = json!([{ "ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "B" }]);
    let machine = json!({ "A": task(json!({ "Retry": retry, "Catch": catch })), "B": { "Type": "Succeed" } });
    let (ended, calls, seconds) =
        run(machine.clone(), json!({ "n": 1 }), vec![raised("X"), raised("X"), raised("X"), raised("Y")]);
    assert_eq!(ended, Ok(json!({ "n": 1, "error": { "Error": "Y", "Cause": "because" } })));
    assert_eq!((calls.iter().filter(|it| it.starts_with("f ")).count(), seconds), (4, 1 + 2 + 3));
    let (ended, calls, seconds) = run(machine, json!({ "n": 1 }), vec![raised("States.Timeout")]);
    assert_eq!(ended.unwrap()["error"]["Error"], "States.Timeout");
    assert_eq!((calls.len(), seconds), (3, 0), "{calls:?}");
}

#[test]
fn an_error_that_nobody_catches_ends_the_execution() {
    assert_eq!(run(json!({ "A": task(json!({})) }), json!({ "n": 1 }), vec![raised("X")]).0, raised("X"));
}

#[test]
fn a_state_with_a_token_waits_for_it_and_no_longer_than_its_limit() {
    let waits = json!({
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "TimeoutSeconds": 60,
        "Parameters": { "FunctionName": "f", "Payload": { "token.$": "$$.Task.Token" } },
    });
    let (ended, calls, _) = run(json!({ "A": task(waits.clone()) }), json!({}), vec![Ok(json!("out"))]);
    assert_eq!((ended, calls.last().unwrap().as_str()), (Ok(json!("out")), r#"f {"token":"token"}"#));
    let (ended, _, seconds) = run(json!({ "A": task(waits.clone()) }), json!({}), vec![Ok(Value::Null)]);
    assert_eq!((ended.unwrap_err().error.as_str(), seconds), ("States.Timeout", 60));
    assert_eq!(run(json!({ "A": task(waits) }), json!({}), vec![raised("X")]).0, raised("X"));
}

#[test]
fn a_map_gives_each_item_its_own_input_and_fails_with_the_first_that_fails() {
    let map = json!({ "A": {
        "Type": "Map", "ItemsPath": "$.nodes", "MaxConcurrency": 2, "ResultPath": "$.out", "End": true,
        "ItemSelector": { "n.$": "$$.Map.Item.Value", "i.$": "$$.Map.Item.Index", "k.$": "$.k" },
        "ItemProcessor": { "ProcessorConfig": { "Mode": "INLINE" }, "StartAt": "I", "States": { "I": task(json!({
            "ResultSelector": { "n.$": "$.Payload.n" } })) } },
    } });
    let input = json!({ "nodes": [5, 6, 7], "k": 1 });
    let (ended, _, _) = run(map.clone(), input.clone(), vec![]);
    assert_eq!(ended.unwrap()["out"], json!([{ "n": 5 }, { "n": 6 }, { "n": 7 }]));
    let (ended, _, _) = run(map, input, vec![Ok(json!({ "n": 5 })), raised("X")]);
    assert_eq!(ended, raised("X"));
}

#[test]
fn a_path_that_leads_nowhere_is_an_error() {
    let (ended, _, _) = run(json!({ "A": task(json!({})) }), json!({}), vec![]);
    assert_eq!(ended.unwrap_err().error, "States.ParameterPathFailure");
}

/// What an execution of a segment of `nodes` does whose functions answer like this, and how often each was called
fn segment(nodes: u32, mut answers: Vec<Result<Value, Raised>>) -> (Vec<String>, usize) {
    answers.push(Ok(json!({ "next": "done", "round": 1 })));
    let nodes: Vec<_> = (1..=nodes).collect();
    let input = json!({ "scope": "harbor", "operation": "op", "segment": 0, "nodes": nodes });
    let machine = crate::sim::machines::segment_machine().unwrap();
    let (ended, calls, _) = execution(machine, input, answers);
    ended.unwrap();
    assert_eq!(calls.last().unwrap(), "Done", "{calls:?}");
    let arrivals = calls.iter().filter(|call| call.starts_with("${NodeArriveArn}")).count();
    (calls, arrivals)
}

fn out() -> Result<Value, Raised> {
    Ok(json!("out"))
}

#[test]
fn an_arrival_at_a_segment_that_fails_is_tried_again() {
    let (calls, arrivals) = segment(2, vec![raised("Transient"), out(), out()]);
    assert_eq!((arrivals, calls.contains(&"Left".to_owned())), (3, false), "{calls:?}");
}

#[test]
fn an_arrival_at_a_segment_that_keeps_failing_takes_no_other_node_with_it() {
    let mut answers = vec![raised("Terminal"), out()];
    answers.extend((0..8).map(|_| raised("Terminal")));
    let (calls, arrivals) = segment(2, answers);
    assert_eq!((arrivals, calls.contains(&"Left".to_owned())), (10, true), "{calls:?}");
}

#[test]
fn a_node_of_a_segment_that_nobody_ends_is_looked_at_when_the_time_of_its_wait_is_over() {
    let (calls, arrivals) = segment(1, vec![Ok(Value::Null)]);
    assert_eq!((arrivals, calls.contains(&"Left".to_owned())), (1, true), "{calls:?}");
}

#[test]
fn the_end_of_a_segment_is_told_until_it_is_heard() {
    let (calls, _) = segment(1, vec![out(), raised("Transient"), raised("Lambda.Unknown")]);
    assert_eq!(calls.iter().filter(|call| call.starts_with("${SegmentFinishArn}")).count(), 3, "{calls:?}");
}
