//! What a step says itself, and what its shared job says for it

use super::*;

#[test]
fn a_shared_job_says_what_its_step_does_not() {
    let mut world = World::new(json!([
        { "id": "a", "type": "verification", "job": "job.look", "with": { "path": "/own" } },
        { "id": "b", "type": "verification", "job": "job.look", "timeout_s": 7 },
    ]));
    let job = json!({ "capability": "verify.http", "with": { "path": "/", "n": 1 }, "timeout_s": 30, "idempotent": false });
    world.jobs.insert(address("job.look"), serde_json::from_value(job).unwrap());
    let planned = world.plan(json!({})).unwrap();
    let contract = |n: u32| planned.graph.node(n).unwrap().job_contract.clone().unwrap();
    assert_eq!(Value::Object(contract(1).inputs), json!({ "path": "/own", "n": 1 }));
    assert_eq!((contract(1).timeout_s, contract(2).timeout_s), (30, 7));
    assert_eq!(contract(1).idempotency, crate::plan::Idempotency::Once);
}

#[test]
fn a_step_and_its_shared_job_say_when_all_attempts_are_over() {
    let node = |id: &str, more: Value| {
        let mut node = json!({ "id": id, "type": "job", "job": "job.call" });
        node.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        node
    };
    let mut world = World::new(json!([
        node("own", json!({ "deadline_s": 900 })),
        node("shared", json!({})),
        { "id": "hand", "type": "intervention", "deadline_s": 3600 },
        { "id": "look", "type": "verification", "capability": "verify.http", "depends_on": ["hand"] },
    ]));
    let call = json!({ "capability": "http.call", "deadline_s": 700 });
    world.jobs.insert(address("job.call"), serde_json::from_value(call).unwrap());
    let planned = world.plan(json!({})).unwrap();
    let deadline = |name: &str| {
        let ordinal = planned.graph.ordinal_of(&name.parse().unwrap()).unwrap();
        planned.graph.node(ordinal).unwrap().job_contract.as_ref().unwrap().deadline_s
    };
    assert_eq!(["own", "shared", "hand", "look"].map(deadline), [Some(900), Some(700), Some(3_600), None]);
}
