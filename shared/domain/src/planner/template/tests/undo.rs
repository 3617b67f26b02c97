//! What undoes a job is planned with it

use super::*;

fn world(create: Value, undo: Value) -> World {
    let mut world = World::new(json!([create]));
    let usual =
        json!({ "capability": "http.call", "with": { "method": "DELETE", "path": "/${outputs.id}" } });
    world.jobs.insert(address("job.undo"), serde_json::from_value(merged(usual, undo)).unwrap());
    world
}

fn merged(mut value: Value, more: Value) -> Value {
    value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    value
}

fn create(more: Value) -> Value {
    let with = json!({ "method": "POST", "url": "https://x/${target.name}", "outputs": { "id": "/id" } });
    let usual = json!({
        "id": "create", "type": "job", "capability": "http.call", "with": with, "for_each": "target",
        "compensation": "job.undo", "constraints": { "adapter": "weir" },
    });
    merged(usual, more)
}

#[test]
fn a_job_is_undone_where_it_was_done_with_what_it_was_given() {
    let planned = world(create(json!({})), json!({ "attempts": 3 })).plan(json!({})).unwrap();
    let node = planned.graph.node(2).unwrap();
    let undo = node.compensation.as_deref().unwrap();
    assert_eq!((&undo.runs, undo.target.as_ref()), (&Executor::Job, Some(&address("target.e.t-2"))));
    assert_eq!(
        Value::Object(undo.job_contract.inputs.clone()),
        json!({
            "method": "DELETE", "url": "https://x/t-2", "path": "/${outputs.id}", "target": "target.e.t-2",
        })
    );
    assert_eq!((undo.job_contract.attempts, undo.job_contract.outputs.len()), (3, 0));
    let bound: Vec<_> = planned.bindings.iter().map(|it| it.requirement_id.as_str()).collect();
    assert_eq!(bound, ["create.t-1", "undo.create.t-1", "create.t-2", "undo.create.t-2"]);
}

#[test]
fn who_undoes_it_has_to_be_there_when_it_is_planned() {
    let planned = world(create(json!({})), json!({ "capability": "moon.leave" })).plan(json!({})).unwrap();
    let unbound = planned.bindings.iter().filter(|it| it.binding_status == BindingStatus::Unbound);
    let unbound: Vec<_> = unbound.map(|it| it.requirement_id.as_str()).collect();
    assert_eq!(unbound, ["undo.create.t-1", "undo.create.t-2"]);
}

#[test]
fn a_way_back_that_could_not_be_gone_is_refused() {
    for (node, job, expected) in [
        (json!({ "compensation": "job.gone" }), json!({}), "`job.gone`, which is not in the definition"),
        (json!({ "with": {} }), json!({}), "with `id` of its outputs, which it does not keep"),
        (json!({}), json!({ "capability": "deploy.host" }), "a compensation that asks for `deploy.host`"),
        (json!({}), json!({ "attempts": 2, "idempotent": false }), "may be done only once and has attempts"),
        (json!({}), json!({ "with": { "a": "${inputs.gone}" } }), "`${inputs.gone}` refers to nothing"),
        (json!({ "with": { "a": "${outputs.id}" } }), json!({}), "`${outputs.id}` refers to nothing"),
    ] {
        let refused = world(create(node), job).plan(json!({})).unwrap_err().to_string();
        assert!(refused.contains(expected), "{refused}");
    }
}

#[test]
fn a_shared_job_names_what_undoes_it_for_all_its_steps() {
    let mut world = World::new(json!([{ "id": "a", "type": "job", "job": "job.make" }]));
    let make = json!({ "capability": "http.call", "compensation": "job.undo" });
    world.jobs.insert(address("job.make"), serde_json::from_value(make).unwrap());
    world
        .jobs
        .insert(address("job.undo"), serde_json::from_value(json!({ "capability": "http.call" })).unwrap());
    let planned = world.plan(json!({})).unwrap();
    assert!(planned.graph.node(1).unwrap().compensation.is_some());
}
