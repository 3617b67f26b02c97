use super::{Done, Undoing, plan_undo};
use crate::plan::{Compensation, Executor, Graph, JobContract, NodeId, NodeType, PlanNode};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

fn id(name: &str) -> NodeId {
    name.parse().unwrap()
}

fn contract(inputs: Value) -> JobContract {
    let contract = json!({ "capability": "http.call", "inputs": inputs, "timeout_s": 9, "attempts": 2 });
    serde_json::from_value(contract).unwrap()
}

/// A job, with what it is undone with, if anything
fn job(name: &str, needs: &[&str], undone_with: Option<Value>) -> PlanNode {
    let mut node = PlanNode::new(id(name), NodeType::Job, name, Executor::Job);
    node.job_contract = Some(contract(json!({})));
    node.depends_on = needs.iter().map(|need| id(need)).collect();
    node.compensation = undone_with.map(|inputs| {
        Box::new(Compensation {
            job_contract: contract(inputs),
            inherits: BTreeSet::from(["name".to_owned(), "place".to_owned()]),
            runs: Executor::Job,
            target: None,
        })
    });
    node
}

fn undoing(nodes: Vec<PlanNode>, done: &[(&str, Value)]) -> Undoing {
    let graph = Graph::new(nodes).unwrap();
    let done = done.iter().map(|(name, gave)| {
        let gave = Some(gave.as_object().unwrap().clone());
        (graph.ordinal_of(&id(name)).unwrap(), Done { gave, ..Done::default() })
    });
    Undoing { done: done.collect(), graph: Arc::new(graph), children: BTreeMap::new() }
}

fn edges(graph: &Graph) -> Vec<String> {
    let line = |node: &PlanNode| {
        let needs: Vec<_> = node.depends_on.iter().map(ToString::to_string).collect();
        format!("{}<-{}", node.node_id, needs.join(","))
    };
    graph.nodes().iter().map(line).collect()
}

fn story() -> Vec<PlanNode> {
    let undone = || Some(json!({}));
    vec![
        job("create", &[], undone()),
        job("grow", &["create"], undone()),
        job("check", &["grow"], None),
        job("warm", &["check"], undone()),
        job("tell", &["create"], undone()),
    ]
}

#[test]
fn what_was_done_is_undone_from_its_end() {
    let all = ["create", "grow", "check", "warm", "tell"].map(|name| (name, json!({})));
    let graph = plan_undo(&undoing(story(), &all)).unwrap().unwrap();
    assert_eq!(
        edges(&graph),
        ["undo.tell<-", "undo.warm<-", "undo.grow<-undo.warm", "undo.create<-undo.grow,undo.tell"]
    );
    let node = graph.node(1).unwrap();
    assert_eq!(
        (node.title.as_str(), node.node_type, &node.runs),
        ("Undo tell", NodeType::Job, &Executor::Job)
    );
}

#[test]
fn only_what_was_done_is_undone() {
    let done = ["create", "tell", "check"].map(|name| (name, json!({})));
    let graph = plan_undo(&undoing(story(), &done)).unwrap().unwrap();
    assert_eq!(edges(&graph), ["undo.tell<-", "undo.create<-undo.tell"]);
    assert_eq!(plan_undo(&undoing(story(), &[("check", json!({}))])), Ok(None));
}

#[test]
fn what_a_job_gave_is_what_undoes_it() {
    let undone_with =
        json!({ "path": "/servers/${outputs.id}", "tags": "${outputs.tags}", "as": "${inputs.x} ${" });
    let made =
        |gave: Value| plan_undo(&undoing(vec![job("a", &[], Some(undone_with.clone()))], &[("a", gave)]));
    let graph = made(json!({ "id": 7, "tags": ["x"] })).unwrap().unwrap();
    let inputs = graph.node(1).unwrap().job_contract.clone().unwrap().inputs;
    let told = json!({ "path": "/servers/7", "tags": ["x"], "as": "${inputs.x} ${" });
    assert_eq!(Value::Object(inputs), told, "what was given when it was planned stays as it is");
}

#[test]
fn what_lacks_an_output_fails_by_itself_and_all_others_are_undone() {
    let undone_with = |name: &str| Some(json!({ "path": format!("/{name}/${{outputs.id}}") }));
    let nodes = vec![
        job("a", &[], undone_with("a")),
        job("b", &["a"], undone_with("b")),
        job("c", &[], undone_with("c")),
    ];
    let gave = [("a", json!({ "id": 1 })), ("b", json!({})), ("c", json!({ "id": 3 }))];
    let graph = plan_undo(&undoing(nodes, &gave)).unwrap().unwrap();
    assert_eq!(edges(&graph), ["undo.c<-", "undo.b<-", "undo.a<-undo.b"]);
    let node = |name: &str| graph.node(graph.ordinal_of(&id(name)).unwrap()).unwrap();
    let told = |name: &str| Value::Object(node(name).job_contract.clone().unwrap().inputs);
    let reason = "`b` cannot be undone: `${outputs.id}` refers to nothing that is known here";
    assert_eq!((&node("undo.b").runs, told("undo.b")), (&Executor::Decide, json!({ "reason": reason })));
    assert_eq!((&node("undo.c").runs, told("undo.c")), (&Executor::Job, json!({ "path": "/c/3" })));
}

#[test]
fn what_was_done_with_other_inputs_is_undone_with_those() {
    let planned = json!({ "name": "a", "method": "DELETE", "path": "/${outputs.id}" });
    let mut done = undoing(vec![job("create", &[], Some(planned))], &[("create", json!({ "id": 7 }))]);
    let replaced = json!({ "name": "b", "method": "POST", "place": "${outputs.id}" });
    done.done.get_mut(&1).unwrap().replaced = replaced.as_object().unwrap().clone();
    let graph = plan_undo(&done).unwrap().unwrap();
    let inputs = graph.node(1).unwrap().job_contract.clone().unwrap().inputs;
    let expected = json!({ "name": "b", "method": "DELETE", "path": "/7", "place": "${outputs.id}" });
    assert_eq!(
        Value::Object(inputs),
        expected,
        "what the way back says itself stays, and no text is filled in twice"
    );
}

#[test]
fn what_an_operation_of_a_node_did_is_undone_in_its_place() {
    let mut parent = undoing(
        vec![job("a", &[], Some(json!({}))), job("sub", &["a"], None), job("z", &["sub"], Some(json!({})))],
        &["a", "sub", "z"].map(|name| (name, json!({}))),
    );
    let inner = vec![
        job("one", &[], Some(json!({}))),
        job("two", &[], Some(json!({}))),
        job("end", &["one", "two"], Some(json!({}))),
    ];
    let inner = undoing(inner, &["one", "two", "end"].map(|name| (name, json!({}))));
    parent.children.insert(2, inner);
    assert_eq!(
        edges(&plan_undo(&parent).unwrap().unwrap()),
        [
            "undo.z<-",
            "undo.sub.end<-undo.z",
            "undo.sub.two<-undo.sub.end",
            "undo.sub.one<-undo.sub.end",
            "undo.sub<-undo.sub.one,undo.sub.two",
            "undo.a<-undo.sub",
        ]
    );
}

#[test]
fn the_way_back_of_a_wide_plan_has_as_few_edges() {
    let names: Vec<String> = (0..2_000).map(|n| format!("n{n:04}")).collect();
    let mut nodes: Vec<_> = names.iter().map(|name| job(&format!("a{name}"), &[], Some(json!({})))).collect();
    let all: Vec<String> = names.iter().map(|name| format!("a{name}")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    nodes.push(job("middle", &all, None));
    nodes.extend(names.iter().map(|name| job(&format!("b{name}"), &["middle"], Some(json!({})))));
    let undoing = Undoing::of_all(&Graph::new(nodes).unwrap(), BTreeMap::new());
    let graph = plan_undo(&undoing).unwrap().unwrap();
    let edges: usize = graph.nodes().iter().map(|node| node.depends_on.len()).sum();
    assert!(edges < 10_000, "{edges}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn nothing_is_undone_before_what_came_after_it(
        shape in proptest::collection::vec((any::<bool>(), any::<bool>(), proptest::collection::vec(0usize..12, 0..4)), 1..13)
    ) {
        let name = |at: usize| format!("n{at}");
        let nodes = shape.iter().enumerate().map(|(at, (_, undone, needs))| {
            let needs: Vec<String> = needs.iter().filter(|need| **need < at).map(|need| name(*need)).collect();
            let needs: Vec<&str> = needs.iter().map(String::as_str).collect();
            job(&name(at), &needs, undone.then(|| json!({})))
        });
        let graph = Graph::new(nodes.collect()).unwrap();
        let is_done = |at: usize| shape[at].0 && shape[at].1;
        let done = (0..shape.len()).filter(|at| shape[*at].0).map(|at| (graph.ordinal_of(&id(&name(at))).unwrap(), Done { gave: Some(Map::new()), ..Done::default() }));
        let undoing = Undoing { done: done.collect(), graph: Arc::new(graph.clone()), children: BTreeMap::new() };
        let undone: BTreeSet<usize> = (0..shape.len()).filter(|at| is_done(*at)).collect();
        match plan_undo(&undoing).unwrap() {
            None => prop_assert!(undone.is_empty()),
            Some(back) => {
                let of = |at: usize| back.ordinal_of(&id(&format!("undo.{}", name(at)))).unwrap();
                let jobs = back.nodes().iter().filter(|node| node.node_type == NodeType::Job).count();
                prop_assert_eq!(jobs, undone.len());
                for later in &undone {
                    let upstream = graph.upstream(graph.ordinal_of(&id(&name(*later))).unwrap());
                    for earlier in &undone {
                        let came_before = upstream.contains(&graph.ordinal_of(&id(&name(*earlier))).unwrap());
                        prop_assert_eq!(back.upstream(of(*earlier)).contains(&of(*later)), came_before);
                    }
                }
            }
        }
    }
}
