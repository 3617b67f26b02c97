use super::*;
use crate::{definition::address::Address, plan::GraphError};
use serde_json::{Value, json};

fn nodes(nodes: Value) -> Vec<PlanNode> {
    serde_json::from_value(nodes).unwrap()
}

fn graph(of: Value) -> Graph {
    Graph::new(nodes(of)).unwrap()
}

fn call(url: &str) -> Value {
    json!({ "capability": "http.call", "inputs": { "url": url }, "timeout_s": 60, "attempts": 1 })
}

fn job(name: &str, needs: &[&str], contract: &Value) -> Value {
    json!({ "node_id": name, "type": "job", "title": name, "runs": "job", "depends_on": needs,
        "job_contract": contract })
}

fn gate(name: &str, needs: &[&str], spec: &Value) -> Value {
    json!({ "node_id": name, "type": "gate", "title": name, "runs": "decide", "depends_on": needs, "gate": spec })
}

fn freeze() -> Value {
    json!({ "kind": "freeze_window", "environment": "environment.production" })
}

fn at_will() -> Value {
    json!({ "kind": "schedule", "schedule": {} })
}

/// An operation that is patched
struct Patched {
    environment: Option<Address>,
    of_another: bool,
    planned: Graph,
    /// What it runs by now
    now: Graph,
}

impl Patched {
    /// One in production that has not been patched
    fn new(plan: Value) -> Self {
        let planned = graph(plan);
        let environment = Some("environment.production".parse().unwrap());
        Self { environment, of_another: false, now: planned.clone(), planned }
    }

    fn patch(&self, changes: &PatchChanges) -> Result<Graph, PatchError> {
        let after = apply(&self.now, changes, 1, u32::try_from(self.now.segments().len()).unwrap())?;
        let (exclusive, of_another) = (BTreeSet::new(), self.of_another);
        let target = |name: &str| {
            let spec = json!({ "environment": "environment.production", "target_type": "host" });
            (name.parse().unwrap(), serde_json::from_value(spec).unwrap())
        };
        let reach = Reach {
            environment: self.environment.as_ref(),
            exclusive: &exclusive,
            targets: &[target("target.production.x")],
            providers: &[],
            of_another,
            planned: &self.planned,
        };
        within_reach(&self.now, &after, &diff(&self.now, &after), &reach)?;
        Ok(after)
    }

    fn add(&self, added: Value) -> Result<Graph, PatchError> {
        self.patch(&PatchChanges { added: nodes(json!([added])), ..PatchChanges::default() })
    }

    fn change(&self, node: &str, contract: Value) -> Result<Graph, PatchError> {
        let job_contract = serde_json::from_value(contract).unwrap();
        let node_id = node.parse().unwrap();
        let changed = vec![Changed { node_id, title: None, job_contract, on_failure: None }];
        self.patch(&PatchChanges { changed, ..PatchChanges::default() })
    }
}

fn ungated(node: &str) -> Result<Graph, PatchError> {
    Err(PatchError::Ungated { node: node.parse().unwrap() })
}

/// a → b, and behind the environment's gates if it is guarded
fn plan(guarded: bool) -> Value {
    let [a, b] = [job("a", &[], &call("https://a")), job("b", &["a"], &call("https://b"))];
    if guarded {
        json!([gate("guard.freeze", &[], &freeze()), job("a", &["guard.freeze"], &call("https://a")), b])
    } else {
        json!([a, b])
    }
}

#[test]
fn a_patch_brings_no_work_that_no_gate_of_its_plan_stands_before() {
    let (free, guarded) = (Patched::new(plan(false)), Patched::new(plan(true)));
    let new = |needs: &str| job("x", &[needs], &call("https://x"));
    assert!(guarded.add(new("a")).is_ok() && guarded.change("b", call("https://x")).is_ok());
    assert_eq!(free.add(new("a")), ungated("x"));
    assert_eq!(free.change("b", call("https://x")), ungated("b"));
    let mut undone = job("x", &["a"], &call("https://b"));
    undone["compensation"] = json!({ "runs": "job", "job_contract": call("https://x") });
    assert_eq!(free.add(undone.clone()), ungated("x"), "what undoes it is work");
    undone["type"] = json!("gate");
    undone["gate"] = at_will();
    undone["runs"] = json!("decide");
    assert_eq!(free.add(undone), ungated("x"), "whatever it is called");
    let by_hand = json!({ "node_id": "x", "type": "intervention", "title": "x", "runs": "decide" });
    let look = json!({ "node_id": "y", "type": "verification", "title": "y", "runs": "job", "depends_on": ["x"],
        "job_contract": { "capability": "verify.http", "timeout_s": 60, "attempts": 1 } });
    let both = PatchChanges { added: nodes(json!([by_hand, look])), ..PatchChanges::default() };
    assert_eq!(free.patch(&both), ungated("x"));
    let check = |capability: &str| {
        json!({ "node_id": "y", "type": "verification", "title": "y", "runs": "job", "depends_on": ["a"],
            "job_contract": { "capability": capability, "timeout_s": 60, "attempts": 1 } })
    };
    assert!(free.add(check("verify.http")).is_ok(), "a look is no work");
    assert_eq!(free.add(check("verify.command")), ungated("y"), "a command is");
    // What is there may be left out, be done in another order, within another time, and once more.
    let mut longer = call("https://b");
    longer["timeout_s"] = json!(600);
    longer["attempts"] = json!(3);
    assert!(free.change("b", longer).is_ok());
    assert!(free.add(job("x", &[], &call("https://b"))).is_ok());
    let removed = PatchChanges { removed: ["b".parse().unwrap()].into(), ..PatchChanges::default() };
    assert!(free.patch(&removed).is_ok());
}

#[test]
fn what_was_behind_a_gate_is_not_done_once_more_before_it() {
    let plan = json!([
        job("a", &[], &call("https://a")),
        gate("freeze", &["a"], &freeze()),
        job("b", &["freeze"], &call("https://b")),
    ]);
    let patched = Patched::new(plan);
    assert_eq!(patched.add(job("x", &["a"], &call("https://b"))), ungated("x"));
    assert!(patched.add(job("x", &["b"], &call("https://b"))).is_ok());
    assert!(patched.add(job("x", &["a"], &call("https://a"))).is_ok());
}

#[test]
fn what_another_operation_runs_or_takes_back_is_given_nothing_to_do() {
    for guarded in [false, true] {
        let part = Patched { of_another: true, ..Patched::new(plan(guarded)) };
        assert_eq!(part.add(job("x", &["b"], &call("https://b"))), ungated("x"), "not even once more");
        assert_eq!(part.change("b", call("https://x")), ungated("b"));
        let mut longer = call("https://b");
        longer["timeout_s"] = json!(600);
        assert!(part.change("b", longer).is_ok());
        let removed = PatchChanges { removed: ["a".parse().unwrap()].into(), ..PatchChanges::default() };
        assert!(part.patch(&removed).is_ok());
        assert!(part.add(gate("hold", &["a"], &at_will())).is_ok(), "a gate does nothing");
    }
}

#[test]
fn a_gate_that_a_patch_has_brought_holds_nothing_that_the_next_one_brings() {
    for spec in [at_will(), freeze()] {
        let free = Patched::new(plan(false));
        let now = free.add(gate("hold", &[], &spec)).unwrap();
        let again = Patched { now, ..free };
        assert_eq!(again.add(job("x", &["hold"], &call("https://x"))), ungated("x"));
    }
    // One that holds nothing when it says no asks nobody.
    let mut passed = gate("copy", &["b"], &freeze());
    passed["on_failure"] = json!("continue");
    let plan = json!([
        job("b", &[], &call("https://b")),
        gate("freeze", &["b"], &freeze()),
        job("c", &["freeze"], &call("https://c"))
    ]);
    let patched = Patched::new(plan);
    for (copy, expected) in [(passed, ungated("x").map(drop)), (gate("copy", &["b"], &freeze()), Ok(()))] {
        let added = nodes(json!([copy, job("x", &["copy"], &call("https://x"))]));
        let made = patched.patch(&PatchChanges { added, ..PatchChanges::default() });
        assert_eq!(made.map(drop), expected);
    }
}

#[test]
fn a_gate_of_the_template_is_not_those_of_the_environment() {
    let plan = json!([gate("go", &[], &at_will()), job("a", &["go"], &call("https://a"))]);
    let low = Patched::new(plan);
    assert_eq!(low.add(job("x", &["a"], &call("https://x"))), ungated("x"));
}

#[test]
fn what_is_done_in_no_environment_meets_no_gate_however_it_is_planned() {
    let on = |name: &str| {
        json!({ "node_id": name, "type": "job", "title": name, "runs": "job", "job_contract": {
            "capability": "verify.http", "inputs": { "target": "target.production.x", "path": format!("/{name}") },
            "timeout_s": 60, "attempts": 1 } })
    };
    let nowhere = Patched { environment: None, ..Patched::new(json!([on("a")])) };
    assert!(nowhere.add(job("x", &[], &call("https://x"))).is_ok());
    assert_eq!(nowhere.add(on("x")), ungated("x"), "this is done in production");
}

#[test]
fn a_verification_looks_at_something() {
    let decided = |contract: Value| {
        let mut node = json!({ "node_id": "x", "type": "verification", "title": "x", "runs": "decide",
            "depends_on": ["hand"] });
        if !contract.is_null() {
            node["job_contract"] = contract;
        }
        let hand = json!({ "node_id": "hand", "type": "intervention", "title": "hand", "runs": "decide",
            "depends_on": ["b"] });
        let added = nodes(json!([hand, node]));
        Patched::new(plan(true)).patch(&PatchChanges { added, ..PatchChanges::default() }).map(drop)
    };
    let contract = |capability: &str, inputs: Value| json!({ "capability": capability, "inputs": inputs, "timeout_s": 60, "attempts": 1 });
    for nothing in [
        Value::Null,
        contract("http.call", json!({ "max_failed": 9 })),
        contract("weir.batch_check", json!({})),
        contract("weir.not_undone", json!({ "max_failed": 9 })),
    ] {
        let node = "x".parse().unwrap();
        let fault = crate::plan::graph::NodeFault::VerifiesNothing;
        assert_eq!(decided(nothing), Err(PatchError::Graph(GraphError::Node { node, fault })));
    }
    let tolerant = decided(contract("weir.batch_check", json!({ "max_failed": 9 })));
    assert!(matches!(tolerant, Err(PatchError::Planned { .. })), "{tolerant:?}");
    let mut acts = job("x", &["b"], &call("https://x"));
    acts["type"] = json!("verification");
    assert!(matches!(Patched::new(plan(true)).add(acts), Err(PatchError::Acts { .. })));
}
