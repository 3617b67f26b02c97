//! The state machines are read, checked and outlined: a change to one is reviewed as a change to its outline

#![cfg(test)]

use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
};
use weir_testkit::golden;
use xtask::template::machines::MACHINES;

/// The service runs no more iterations of an inline Map at a time
const MAP_MAX: usize = 40;

/// What 40 nodes may cost, in states entered over both executions of their operation
const TRANSITIONS_MAX: usize = 47;

/// An execution lives no longer, in seconds
const EXECUTION_S: u64 = 365 * 24 * 3600;

fn machine(name: &str) -> Value {
    let path = xtask::root().join("statemachines").join(name).with_extension("asl.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn text<'a>(state: &'a Value, field: &str) -> &'a str {
    state[field].as_str().unwrap()
}

/// The scopes of a machine: its own states, and those of each Map in it
fn scopes(machine: &Value) -> Vec<(&str, &Map<String, Value>)> {
    let states = machine["States"].as_object().unwrap();
    let inner = states.values().filter_map(|state| state.get("ItemProcessor")).flat_map(scopes);
    [(text(machine, "StartAt"), states)].into_iter().chain(inner).collect()
}

fn states(machine: &Value) -> BTreeMap<&str, &Value> {
    scopes(machine)
        .into_iter()
        .flat_map(|(_, states)| states)
        .map(|(name, state)| (name.as_str(), state))
        .collect()
}

fn targets(state: &Value) -> Vec<&str> {
    let branches =
        ["Choices", "Catch"].into_iter().flat_map(|field| state[field].as_array().into_iter().flatten());
    branches
        .chain([state])
        .flat_map(|way| [&way["Next"], &way["Default"]])
        .filter_map(Value::as_str)
        .collect()
}

/// One line a state: name, type, what it runs, where it goes
fn outline(machine: &Value) -> String {
    let mut out = String::new();
    for (start, states) in scopes(machine) {
        writeln!(out, "start {start}").unwrap();
        for (name, state) in states {
            let runs = state["Parameters"]["FunctionName"].as_str().unwrap_or("-");
            let waits = if state["Resource"].as_str().is_some_and(|r| r.ends_with("waitForTaskToken")) {
                "waits"
            } else {
                ""
            };
            let mut goes = targets(state);
            if state.get("Next").is_none() && state["Type"] != "Choice" {
                goes.push("end");
            }
            let goes = goes.join(", ");
            let line = format!("  {name:<12} {:<8} {runs:<22} {waits:<6} -> {goes}", text(state, "Type"));
            writeln!(out, "{}", line.trim_end()).unwrap();
        }
    }
    out
}

#[test]
fn the_machines_look_like_this() {
    let outlines =
        MACHINES.map(|(_, _, name, _)| format!("{name}.asl.json\n{}", outline(&machine(name)))).join("\n");
    golden::check(concat!(env!("CARGO_MANIFEST_DIR"), "/golden/statemachines.txt"), &outlines);
}

#[test]
fn every_target_is_there_and_every_state_is_reached() {
    for (_, _, name, _) in MACHINES {
        for (start, states) in scopes(&machine(name)) {
            let mut reached = BTreeSet::new();
            let mut next = vec![start];
            while let Some(state) = next.pop() {
                if reached.insert(state) {
                    let found = states.get(state).unwrap_or_else(|| panic!("{name}: `{state}` is not there"));
                    next.extend(targets(found));
                }
            }
            assert_eq!(reached, states.keys().map(String::as_str).collect(), "{name}");
        }
    }
}

#[test]
fn no_choice_decides_more_than_one_string() {
    for (_, _, name, _) in MACHINES {
        for (state, choice) in
            states(&machine(name)).into_iter().filter(|(_, state)| state["Type"] == "Choice")
        {
            let rules = choice["Choices"].as_array().unwrap();
            for rule in rules {
                let fields: BTreeSet<_> = rule.as_object().unwrap().keys().map(String::as_str).collect();
                assert_eq!(fields, BTreeSet::from(["Next", "StringEquals", "Variable"]), "{name}: `{state}`");
            }
            let compared: BTreeSet<_> = rules.iter().map(|rule| text(rule, "Variable")).collect();
            assert_eq!(compared.len(), 1, "{name}: `{state}`");
            assert!(choice["Default"].is_string(), "{name}: `{state}`");
        }
    }
}

#[test]
fn each_machine_calls_the_tasks_that_the_template_gives_it() {
    let listed: BTreeSet<_> = weir_tasks::functions::TASKS.iter().map(|task| task.handler).collect();
    let called: BTreeSet<_> = MACHINES.iter().flat_map(|(_, _, _, tasks)| tasks.iter().copied()).collect();
    assert_eq!(called, listed);
    for (_, _, name, tasks) in MACHINES {
        let machine = machine(name);
        let calls: BTreeSet<_> = states(&machine)
            .into_values()
            .filter_map(|state| state["Parameters"]["FunctionName"].as_str())
            .map(str::to_owned)
            .collect();
        let given: BTreeSet<_> =
            tasks.iter().map(|task| format!("${{{}Arn}}", xtask::template::logical_id(task))).collect();
        assert_eq!(calls, given, "{name}");
    }
}

#[test]
fn tasks_end_within_an_execution_s_life_and_try_again() {
    for (_, _, name, _) in MACHINES {
        for (state, task) in states(&machine(name)).into_iter().filter(|(_, state)| state["Type"] == "Task") {
            let timeout = task["TimeoutSeconds"].as_u64().unwrap();
            assert!(timeout < EXECUTION_S, "{name}: `{state}`");
            // A heartbeat never fires on one emulator, and a time limit from the input on none: both are the engine's.
            assert!(
                task.get("HeartbeatSeconds").is_none() && task.get("TimeoutSecondsPath").is_none(),
                "{name}: `{state}`"
            );
            let last = task["Retry"].as_array().unwrap().last().unwrap();
            assert_eq!(
                (&last["ErrorEquals"][0], &last["MaxAttempts"]),
                (&"States.ALL".into(), &8.into()),
                "{name}: `{state}`"
            );
            if text(task, "Resource").ends_with("waitForTaskToken") {
                let first = &task["Retry"][0];
                assert_eq!(
                    (&first["ErrorEquals"][0], &first["MaxAttempts"]),
                    (&"States.Timeout".into(), &0.into()),
                    "{name}: `{state}`"
                );
                assert_eq!(task["Catch"][0]["ErrorEquals"][0], "States.ALL", "{name}: `{state}`");
            }
        }
    }
}

/// How many states an execution enters from the start on, where nothing fails and every Map has `items`
fn entered(machine: &Value, items: usize) -> usize {
    let states = machine["States"].as_object().unwrap();
    let mut count = 0;
    let mut state = Some(text(machine, "StartAt"));
    while let Some(name) = state {
        let here = &states[name];
        count += 1 + here.get("ItemProcessor").map_or(0, |inner| items * entered(inner, items));
        state = here["Next"].as_str().or_else(|| here["Default"].as_str());
    }
    count
}

#[test]
fn a_full_segment_costs_a_transition_a_node_and_little_more() {
    let all = entered(&machine("operation"), 0) + entered(&machine("segment"), MAP_MAX);
    assert_eq!(all, MAP_MAX + 6);
    assert!(all <= TRANSITIONS_MAX);
    assert_eq!(machine("segment")["States"]["Nodes"]["MaxConcurrency"], MAP_MAX);
}
