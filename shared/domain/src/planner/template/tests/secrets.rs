//! Only what a recipe says names a secret, and never what somebody gives it

use super::*;
use crate::planner::{Done, Undoing, plan_undo};
use std::sync::Arc;

/// A world of one template, which is given `note`
fn world(node: Value, jobs: Value) -> World {
    let mut world = World::new(json!([]));
    world.scenarios.clear();
    let template = json!({ "nodes": [node], "inputs": { "note": {} } });
    world.add("main", json!({ "risk_metadata": { "level": "low" } }), template);
    world.jobs = serde_json::from_value(jobs).unwrap();
    world
}

fn call(more: Value) -> Value {
    let mut with = json!({
        "url": "/${inputs.note}", "headers": { "authorization": "Bearer ${TOKEN}", "note": "${inputs.note}" },
        "body": { "text": "${TOKEN} for ${inputs.note}", "whole": "${inputs.note}", "plain": "$${TOKEN}" },
    });
    with.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "id": "call", "type": "job", "capability": "http.call", "with": with, "compensation": "job.undo" })
}

#[test]
fn what_is_given_is_marked_where_secrets_are_filled_in() {
    let jobs = json!({ "job.undo": { "capability": "http.call" } });
    for (note, text, whole) in [
        (json!("${TOKEN}"), json!("${TOKEN} for $${TOKEN}"), json!("$${TOKEN}")),
        (json!("5 $"), json!("${TOKEN} for 5 $"), json!("5 $")),
    ] {
        let planned = world(call(json!({})), jobs.clone()).plan(json!({ "note": note })).unwrap();
        let node = planned.graph.node(1).unwrap();
        let contract = node.job_contract.as_ref().unwrap();
        assert_eq!(contract.secrets, ["TOKEN"]);
        let body = json!({ "text": text, "whole": whole, "plain": "$${TOKEN}" });
        assert_eq!(contract.inputs["body"], body);
        assert_eq!(contract.inputs["headers"], json!({ "authorization": "Bearer ${TOKEN}", "note": whole }));
        assert_eq!(
            contract.inputs["url"],
            format!("/{}", note.as_str().unwrap()),
            "nothing is filled in there"
        );
    }
    let jobs = json!({ "job.undo": { "capability": "command.run" } });
    let node = json!({ "id": "a", "type": "job", "capability": "command.run",
        "with": { "command": "x", "args": ["$${HOME}", "${inputs.note}"] } });
    let planned = world(node, jobs).plan(json!({ "note": "${TOKEN} $${A}" })).unwrap();
    let contract = planned.graph.node(1).unwrap().job_contract.clone().unwrap();
    assert_eq!(contract.inputs["args"], json!(["${HOME}", "${TOKEN} $${A}"]), "an agent reads what it is");
    assert!(contract.secrets.is_empty());
}

#[test]
fn what_is_put_together_of_two_values_names_nothing() {
    let node = call(json!({ "body": "${inputs.note}{TOKEN} ${TOKEN}" }));
    let planned = world(node, json!({ "job.undo": { "capability": "http.call" } }));
    let planned = planned.plan(json!({ "note": "$" })).unwrap();
    let contract = planned.graph.node(1).unwrap().job_contract.clone().unwrap();
    assert_eq!(contract.inputs["body"], "$${TOKEN} ${TOKEN}");
}

/// What undoes the only node of `planned`, which gave `gave` after a person had put `replaced` in place of its inputs
fn undone(planned: &PlannedScenario, gave: Value, replaced: Value) -> Map<String, Value> {
    let fields = |value: Value| value.as_object().unwrap().clone();
    let undoing = Undoing {
        graph: Arc::new(planned.graph.clone()),
        done: BTreeMap::from([(1, Done { gave: Some(fields(gave)), replaced: fields(replaced) })]),
        children: BTreeMap::new(),
    };
    let graph = plan_undo(&undoing).unwrap().unwrap();
    graph.node(1).unwrap().job_contract.clone().unwrap().inputs
}

#[test]
fn a_way_back_takes_neither_what_was_given_nor_what_was_answered_for_a_name() {
    let with = json!({
        "url": "/${outputs.id}", "body": { "text": "${TOKEN} ${outputs.id} ${inputs.note}", "whole": "${outputs.id}" },
    });
    let jobs = json!({ "job.undo": { "capability": "http.call", "with": with } });
    let node = call(json!({ "outputs": { "id": "/id" } }));
    let planned = world(node, jobs).plan(json!({ "note": "${outputs.id} ${TOKEN}" })).unwrap();
    let inputs = undone(&planned, json!({ "id": "${TOKEN}" }), json!({}));
    let body = json!({ "text": "${TOKEN} $${TOKEN} $${outputs.id} $${TOKEN}", "whole": "$${TOKEN}" });
    assert_eq!(inputs["body"], body);
    assert_eq!(inputs["url"], "/${TOKEN}");
    let headers = json!({ "authorization": "Bearer ${TOKEN}", "note": "$${outputs.id} $${TOKEN}" });
    assert_eq!(inputs["headers"], headers, "as they were for what is undone");
}

#[test]
fn a_way_back_that_an_agent_goes_reads_what_it_is() {
    let with =
        json!({ "command": "x", "args": ["$${HOME}", "$${outputs.id}", "${outputs.id}", "${inputs.note}"] });
    let jobs = json!({ "job.undo": { "capability": "command.run", "with": with } });
    let node = call(json!({ "outputs": { "id": "/id" } }));
    let planned = world(node, jobs).plan(json!({ "note": "${outputs.id}" })).unwrap();
    let compensation = planned.graph.node(1).unwrap().compensation.clone().unwrap();
    assert!(compensation.inherits.contains("url") && !compensation.inherits.contains("args"));
    let inputs = undone(&planned, json!({ "id": "$${A}" }), json!({}));
    assert_eq!(inputs["args"], json!(["${HOME}", "${outputs.id}", "$${A}", "${outputs.id}"]));
    assert_eq!(inputs["url"], "/${outputs.id}");
}

#[test]
fn what_a_person_put_there_for_an_agent_names_nothing_to_an_adapter() {
    let jobs =
        json!({ "job.undo": { "capability": "http.call", "with": { "url": "/" }, "secrets": ["${HOOK}"] } });
    let node = json!({ "id": "a", "type": "job", "capability": "command.run", "compensation": "job.undo",
        "with": { "command": "x", "body": "${inputs.note}" } });
    let planned = world(node, jobs).plan(json!({ "note": "${HOOK}" })).unwrap();
    assert_eq!(undone(&planned, json!({}), json!({}))["body"], "$${HOOK}");
    assert_eq!(undone(&planned, json!({}), json!({ "body": "a ${HOOK}" }))["body"], "a $${HOOK}");
}
