use super::*;
use crate::{
    engine::Terms,
    failure::FailureSummary,
    gate::{FreezeGate, GateSpec},
    id::Id as _,
    plan::{
        Backoff, Executor, Idempotency, JobContract, OnFailure, PatchChanges,
        patch::{Rewired, apply},
    },
};

const NOW: Millis = Millis(1_000_000);

fn node(name: &str, node_type: NodeType, needs: &[&str]) -> PlanNode {
    let decided = matches!(node_type, NodeType::Gate | NodeType::Intervention | NodeType::Evidence);
    let runs = if decided || node_type == NodeType::SubOperation { Executor::Decide } else { Executor::Job };
    let mut node = PlanNode::new(name.parse().unwrap(), node_type, name, runs);
    node.depends_on = needs.iter().map(|need| need.parse().unwrap()).collect();
    if node_type == NodeType::Gate {
        node.gate = Some(GateSpec::FreezeWindow(
            serde_json::from_value::<FreezeGate>(
                serde_json::json!({ "environment": "environment.production" }),
            )
            .unwrap(),
        ));
    }
    node.job_contract = (!decided).then(|| JobContract {
        capability: "http".to_owned(),
        inputs: serde_json::Map::new(),
        outputs: Vec::new(),
        timeout_s: 60,
        attempts: 2,
        backoff: Backoff::default(),
        idempotency: Idempotency::Natural,
        secrets: Vec::new(),
        deadline_s: None,
    });
    node
}

/// approval → freeze → deploy → verify, and beside it look → tidy
fn graph() -> Graph {
    use NodeType::{Gate, Intervention, Job, Verification};
    Graph::new(vec![
        node("approval", Gate, &[]),
        node("freeze", Gate, &["approval"]),
        node("deploy", Job, &["freeze"]),
        node("verify", Verification, &["deploy"]),
        node("look", Intervention, &["verify"]),
        node("check", Verification, &["look"]),
    ])
    .unwrap()
}

fn run(graph: &Graph, name: &str, status: NodeStatus) -> NodeRun {
    let ordinal = graph.ordinal_of(&name.parse().unwrap()).unwrap();
    let plan_node = graph.node(ordinal).unwrap();
    let terms = Terms {
        kind: plan_node.node_type,
        runs: plan_node.runs.clone(),
        on_failure: OnFailure::Fail,
        attempts: 2,
        timeout_s: 60,
        backoff: Backoff::default(),
        deadline_s: None,
    };
    NodeRun { status, attempt: 1, ..NodeRun::new(ordinal, 0, terms, [], []) }
}

/// What `earliest_start` says, as `node at +ms after a,b (running)`
fn earliest(runs: &[NodeRun], approval: Opens, freeze: impl Fn(Millis) -> Opens) -> String {
    let graph = graph();
    let nodes = runs.iter().map(|run| (run.ordinal, run)).collect();
    let named = |ordinal: u32| graph.node(ordinal).unwrap().node_id.to_string();
    let opens = |ordinal, at| if named(ordinal) == "approval" { approval } else { freeze(at) };
    let Some(found) = earliest_start(&graph, &nodes, None, opens, |_| true, NOW) else {
        return "nothing".to_owned();
    };
    let after: Vec<String> = found.after.iter().map(ToString::to_string).collect();
    let running = if found.after_running { " (running)" } else { "" };
    format!("{} at +{} after [{}]{running}", found.node_id, (found.at.millis() - NOW).0, after.join(","))
}

#[test]
fn the_earliest_start_follows_from_quorums_windows_and_what_runs() {
    use NodeStatus::{Failed, Ready, Running, Succeeded, Waiting};
    let graph = graph();
    let at = |name: &str, status| run(&graph, name, status);
    let now = |at: Millis| Opens::At(at);
    let window = |at: Millis| Opens::At(if at < NOW + Millis(500) { NOW + Millis(500) } else { at });
    let suspended =
        |name: &str| NodeRun { error: Some(FailureSummary::new("broke", "it broke")), ..at(name, Waiting) };
    let retried = NodeRun { not_before: Some(NOW + Millis(70)), attempt: 2, ..at("deploy", Ready) };
    let gates = || vec![at("approval", Succeeded), at("freeze", Succeeded)];
    let with = |more: Vec<NodeRun>| gates().into_iter().chain(more).collect::<Vec<_>>();
    let cases = [
        (vec![], Opens::Somebody(NOW), true, "deploy at +0 after [approval]"),
        (vec![], Opens::Somebody(NOW), false, "deploy at +500 after [approval]"),
        (vec![], Opens::Never, true, "nothing"),
        (vec![at("approval", Failed)], Opens::Somebody(NOW), true, "nothing"),
        (vec![at("approval", Succeeded)], Opens::Never, false, "deploy at +500 after []"),
        (with(vec![at("deploy", Ready)]), Opens::Never, true, "deploy at +0 after []"),
        (with(vec![retried]), Opens::Never, true, "deploy at +70 after []"),
        (with(vec![at("deploy", Running)]), Opens::Never, true, "verify at +0 after [] (running)"),
        (with(vec![suspended("deploy")]), Opens::Never, true, "verify at +0 after [deploy]"),
        (
            with(vec![at("deploy", Succeeded), at("verify", Succeeded), at("look", Waiting)]),
            Opens::Never,
            true,
            "check at +0 after [look]",
        ),
        (with(vec![at("deploy", Failed)]), Opens::Never, true, "nothing"),
    ];
    for (runs, approval, is_clear, expected) in cases {
        let found = if is_clear { earliest(&runs, approval, now) } else { earliest(&runs, approval, window) };
        let names: Vec<_> = runs.iter().map(|run| (run.ordinal, run.status)).collect();
        assert_eq!(found, expected, "{names:?}");
    }
}

#[test]
fn a_freeze_that_is_asked_later_answers_for_that_time() {
    // The approval opens by itself at +400, when the window of +300 … +900 holds already.
    let freeze = |at: Millis| {
        let inside = NOW + Millis(300) <= at && at < NOW + Millis(900);
        Opens::At(if inside { NOW + Millis(900) } else { at })
    };
    assert_eq!(earliest(&[], Opens::At(NOW), freeze), "deploy at +0 after []");
    assert_eq!(earliest(&[], Opens::At(NOW + Millis(400)), freeze), "deploy at +900 after []");
}

#[test]
fn a_patched_plan_is_followed_in_the_order_in_which_its_nodes_wait() {
    use NodeType::Job;
    let base = Graph::new(vec![node("a", Job, &[]), node("b", Job, &["a"])]).unwrap();
    let wait_for = BTreeSet::from(["x".parse().unwrap()]);
    let waits = Rewired { node_id: "b".parse().unwrap(), wait_for, wait_no_more: BTreeSet::new() };
    let added = vec![node("x", Job, &["a"])];
    let changes = PatchChanges { added, rewired: vec![waits], ..PatchChanges::default() };
    let graph = apply(&base, &changes, 1, 1).unwrap();
    let next = |ended: &[&str]| {
        let runs: Vec<_> = ended.iter().map(|name| run(&graph, name, NodeStatus::Succeeded)).collect();
        let nodes = runs.iter().map(|run| (run.ordinal, run)).collect();
        earliest_start(&graph, &nodes, None, |_, at| Opens::At(at), |_| true, NOW)
            .map(|found| found.node_id.to_string())
    };
    assert_eq!(next(&[]).as_deref(), Some("a"));
    assert_eq!(next(&["a"]).as_deref(), Some("x"));
    assert_eq!(next(&["a", "x"]).as_deref(), Some("b"));
    assert_eq!(next(&["a", "x", "b"]), None);
}

#[test]
fn what_holds_the_whole_operation_holds_its_next_piece_of_work() {
    let graph = graph();
    let runs = [];
    let nodes: BTreeMap<u32, &NodeRun> = runs.iter().map(|run: &NodeRun| (run.ordinal, run)).collect();
    let asked = |held: Option<Held>| {
        earliest_start(&graph, &nodes, held.as_ref(), |_, at| Opens::At(at), |_| true, NOW)
            .map(|found| (found.node_id.to_string(), found.after_held))
    };
    let by = || "bob".to_owned();
    let deploy = |after_held| Some(("deploy".to_owned(), after_held));
    assert_eq!(asked(None), deploy(false));
    assert_eq!(asked(Some(Held::Beginning {})), deploy(false), "that ends by itself");
    assert_eq!(asked(Some(Held::Paused { by: by(), since: None })), deploy(true));
    assert_eq!(asked(Some(Held::Queued { behind: vec![OperationId::new(1, 2)] })), deploy(true));
    assert_eq!(asked(Some(Held::Ending { by: by() })), None, "nothing of it begins any more");
}

#[test]
fn what_no_agent_does_now_comes_after_what_one_does() {
    use NodeType::Job;
    let graph =
        Graph::new(vec![node("a", Job, &[]), node("check", Job, &["a"]), node("b", Job, &[])]).unwrap();
    let nodes = BTreeMap::new();
    let next = |served: &[&str]| {
        let is_served = |node: &PlanNode| served.contains(&node.node_id.as_str());
        let found = earliest_start(&graph, &nodes, None, |_, at| Opens::At(at), is_served, NOW).unwrap();
        (found.node_id.to_string(), found.after_agent)
    };
    assert_eq!(next(&["a", "b", "check"]), ("a".to_owned(), false));
    assert_eq!(next(&["b", "check"]), ("b".to_owned(), false));
    assert_eq!(next(&["check"]), ("a".to_owned(), true), "what comes after it waits for the agent, too");
}

#[test]
fn an_operation_that_a_node_runs_is_over_when_its_own_gates_and_people_let_it() {
    use NodeStatus::{Ready, Succeeded, Waiting};
    use NodeType::{Job, SubOperation};
    let graph = Graph::new(vec![node("cross", SubOperation, &[]), node("after", Job, &["cross"])]).unwrap();
    let runs = [run(&graph, "cross", Waiting)];
    let nodes: BTreeMap<u32, &NodeRun> = runs.iter().map(|run| (run.ordinal, run)).collect();
    let found = |child: Opens| {
        earliest_start(&graph, &nodes, None, |_, _| child, |_| true, NOW).map(|found| {
            (
                found.at.millis() - NOW,
                found.after.iter().map(ToString::to_string).collect::<Vec<_>>(),
                found.after_running,
            )
        })
    };
    assert_eq!(found(Opens::At(NOW + Millis(9))), Some((Millis(9), vec![], true)));
    let people = vec!["cross".to_owned()];
    assert_eq!(found(Opens::Somebody(NOW + Millis(9))), Some((Millis(9), people, true)));
    // What has not begun has no operation that could be asked.
    let nodes = BTreeMap::new();
    let first = earliest_start(&graph, &nodes, None, |_, _| Opens::Never, |_| true, NOW).unwrap();
    assert_eq!(first.node_id.as_str(), "cross");

    let graph = self::graph();
    let end = |runs: &[NodeRun], held: Option<Held>, approval: Opens| {
        let nodes = runs.iter().map(|run| (run.ordinal, run)).collect();
        let is_approval =
            |ordinal: u32| graph.node(ordinal).is_some_and(|node| node.node_id.as_str() == "approval");
        let opens = |ordinal, at| if is_approval(ordinal) { approval } else { Opens::At(at) };
        earliest_end(&graph, &nodes, held.as_ref(), opens, |_| true, NOW)
    };
    let later = NOW + Millis(70);
    assert_eq!(end(&[], None, Opens::At(later)), Opens::Somebody(later), "somebody has to look");
    assert_eq!(end(&[], None, Opens::Never), Opens::Never);
    let ended = |last| {
        let done =
            ["approval", "freeze", "deploy", "verify", "look"].map(|name| run(&graph, name, Succeeded));
        [done.to_vec(), vec![last]].concat()
    };
    let backoff = NodeRun { not_before: Some(later), ..run(&graph, "check", Ready) };
    assert_eq!(end(&ended(backoff.clone()), None, Opens::Never), Opens::At(later));
    let paused = || Held::Paused { by: "bob".to_owned(), since: None };
    assert_eq!(end(&ended(backoff.clone()), Some(paused()), Opens::Never), Opens::Somebody(later));
    let ending = Held::Ending { by: "bob".to_owned() };
    assert_eq!(end(&ended(backoff), Some(ending), Opens::Never), Opens::Never);
    assert_eq!(end(&ended(run(&graph, "check", NodeStatus::Failed)), None, Opens::Never), Opens::Never);
}
