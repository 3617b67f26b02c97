//! What no plan may ask for: more operations than are recorded at once, more time than a function has

use super::*;

/// `main` runs `of_main` operations, each of which runs `of_each`
fn nested(of_main: usize, of_each: usize) -> Result<PlannedScenario, PlanError> {
    let runs = |count: usize, what: &str| -> Value {
        let node = |n| json!({ "id": format!("n{n}"), "type": "sub_operation", "capability": what });
        (0..count).map(node).collect()
    };
    let mut world = World::new(runs(of_main, "outer"));
    world.add("outer", json!({ "provides": ["outer"] }), json!({ "nodes": runs(of_each, "inner") }));
    world.add("inner", json!({ "provides": ["inner"] }), json!({ "nodes": [check("look", json!({}))] }));
    world.plan(json!({}))
}

#[test]
fn operations_are_counted_with_those_that_they_run() {
    assert_eq!(nested(8, 4).unwrap().children.len(), 8, "forty in all");
    for (of_main, of_each, found) in [(7, 5, 42), (9, 4, 45), (2, 20, 42)] {
        let refused = nested(of_main, of_each).unwrap_err().to_string();
        assert_eq!(refused, format!("the plan has {found} operations of their own; 40 are the most"));
    }
}

#[test]
fn an_attempt_has_no_more_time_than_whoever_makes_it() {
    let call = |with: Value| {
        let node = json!({ "id": "a", "type": "job", "job": "job.call", "with": with });
        let mut world = World::new(json!([node]));
        let jobs =
            json!({ "job.call": { "capability": "http.call", "timeout_s": 3_600, "with": { "url": "/" } } });
        world.jobs = serde_json::from_value(jobs).unwrap();
        world.plan(json!({}))
    };
    assert!(call(json!({ "answers": "later" })).is_ok());
    let refused = call(json!({})).unwrap_err().to_string();
    assert!(
        refused.starts_with(
            "node `a` of the template gives one attempt 3600 s, and `http.call` has 840 s at most; "
        ),
        "{refused}"
    );
}

#[test]
fn what_undoes_a_job_has_no_more_time_either() {
    let node = json!({ "id": "a", "type": "job", "capability": "http.call", "compensation": "job.undo" });
    let mut world = World::new(json!([node]));
    let jobs = json!({ "job.undo": { "capability": "lambda.invoke", "timeout_s": 900 } });
    world.jobs = serde_json::from_value(jobs).unwrap();
    let refused = world.plan(json!({})).unwrap_err().to_string();
    assert!(refused.contains("is undone by `job.undo`, which gives one attempt 900 s"), "{refused}");
}

#[test]
fn a_deadline_is_compared_with_the_attempt_that_holds() {
    let plan = |step: Value, timeout_s: u32| {
        let mut node = json!({ "id": "a", "type": "job", "job": "job.call" });
        node.as_object_mut().unwrap().extend(step.as_object().unwrap().clone());
        let mut world = World::new(json!([node]));
        let call = json!({ "capability": "http.call", "timeout_s": timeout_s });
        world.jobs.insert(address("job.call"), serde_json::from_value(call).unwrap());
        world.plan(json!({}))
    };
    assert!(plan(json!({ "deadline_s": 300 }), 60).is_ok(), "the usual timeout does not hold");
    let refused = plan(json!({ "deadline_s": 700 }), 800).unwrap_err().to_string();
    assert_eq!(
        refused,
        "node `a` of the template has a deadline of 700 s, which is over before one attempt of 800 s"
    );
}
