use super::*;
use crate::{
    engine::{NodeRun, NodeUpdate, PatchOn, Terms, patch_moves},
    gate::{ApprovalGate, GateSpec, closure_hash},
    id::Id as _,
    plan::{Backoff, Compensation, Executor, GraphError, NodeStatus, NodeType, Segment, segment_of},
    time::Millis,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn id(name: &str) -> NodeId {
    name.parse().unwrap()
}

fn ids(names: &[&str]) -> BTreeSet<NodeId> {
    names.iter().map(|name| id(name)).collect()
}

fn node(name: &str, needs: &[&str]) -> PlanNode {
    let contract = serde_json::json!({ "capability": "test", "timeout_s": 60, "attempts": 3 });
    PlanNode {
        depends_on: ids(needs),
        job_contract: serde_json::from_value(contract).unwrap(),
        ..PlanNode::new(id(name), NodeType::Job, name, Executor::Job)
    }
}

fn gate(name: &str, needs: &[&str]) -> PlanNode {
    let rule =
        serde_json::from_value(serde_json::json!({ "required_approvals": 1, "require_sod": false })).unwrap();
    let spec = GateSpec::Approval(ApprovalGate { rule, policies: Vec::new(), reasons: Vec::new() });
    PlanNode {
        depends_on: ids(needs),
        gate: Some(spec),
        ..PlanNode::new(id(name), NodeType::Gate, name, Executor::Decide)
    }
}

/// gate → a → b → d, gate → c → d
fn diamond() -> Graph {
    let nodes = vec![
        gate("gate", &[]),
        node("a", &["gate"]),
        node("b", &["a"]),
        node("c", &["gate"]),
        node("d", &["b", "c"]),
    ];
    Graph::new(nodes).unwrap()
}

fn names(graph: &Graph, of: &str) -> Vec<String> {
    let needs = graph.dependencies(graph.ordinal_of(&id(of)).unwrap());
    needs.iter().map(|ordinal| graph.node(*ordinal).unwrap().node_id.to_string()).collect()
}

fn rewired(node: &str, wait_for: &[&str], wait_no_more: &[&str]) -> Rewired {
    Rewired { node_id: id(node), wait_for: ids(wait_for), wait_no_more: ids(wait_no_more) }
}

#[test]
fn what_undoes_a_job_follows_what_the_job_is_given() {
    let contract = |inputs| -> JobContract {
        let contract =
            serde_json::json!({ "capability": "test", "timeout_s": 60, "attempts": 1, "inputs": inputs });
        serde_json::from_value(contract).unwrap()
    };
    let mut a = node("a", &[]);
    a.job_contract = Some(contract(serde_json::json!({ "url": "/1", "size": 1, "gone": 1 })));
    let undone = contract(serde_json::json!({ "url": "/1", "size": 0, "gone": 1 }));
    a.compensation = Some(Box::new(Compensation {
        job_contract: undone,
        inherits: std::collections::BTreeSet::new(),
        runs: Executor::Job,
        target: None,
    }));
    let job_contract = Some(contract(serde_json::json!({ "url": "/2", "size": 2 })));
    let changed = Changed { node_id: id("a"), title: None, job_contract, on_failure: None };
    let changes = PatchChanges { changed: vec![changed], ..PatchChanges::default() };
    let before = Graph::new(vec![a]).unwrap();
    let after = apply(&before, &changes, 1, 1).unwrap();
    let inputs = after.node(1).unwrap().compensation.clone().unwrap().job_contract.inputs;
    assert_eq!(serde_json::Value::Object(inputs), serde_json::json!({ "url": "/2", "size": 0 }));
}

fn changed(node: &str, title: &str) -> Changed {
    Changed { node_id: id(node), title: Some(title.into()), job_contract: None, on_failure: None }
}

fn refused(changes: &PatchChanges) -> PatchError {
    apply(&diamond(), changes, 1, 1).unwrap_err()
}

fn patch(graph: &Graph, base: &Digest, sequence: u32, changes: PatchChanges) -> PlanPatch {
    let end = graph.segments().iter().map(|segment: &Segment| segment.index + 1).max().unwrap();
    PlanPatch::new(NewPatch {
        plan_id: PlanId::new(1, 1),
        operation_id: OperationId::new(1, 2),
        sequence,
        actor: Actor::system("test"),
        reason: format!("patch {sequence}"),
        base_hash: base.clone(),
        segment: end,
        changes,
        created_at: Millis(1_700_000_000_000).into(),
    })
    .unwrap()
}

#[test]
fn old_nodes_keep_their_numbers_and_new_ones_get_a_segment_of_their_own() {
    let before = diamond();
    let changes = PatchChanges {
        added: vec![node("x", &["a"]), node("y", &["x"])],
        rewired: vec![rewired("d", &["y"], &["b"])],
        ..PatchChanges::default()
    };
    let after = apply(&before, &changes, 3, 2).unwrap();
    for (ordinal, node) in before.numbered() {
        assert_eq!(after.node(ordinal).unwrap().node_id, node.node_id);
    }
    let new: Vec<u32> =
        after.numbered().map(|(ordinal, _)| ordinal).filter(|it| before.node(*it).is_none()).collect();
    assert_eq!(new, [81, 82]);
    assert_eq!(
        after.segments().last().unwrap(),
        &Segment { index: 2, mapped: new.clone(), joins: vec![], patch: 3 }
    );
    assert!(new.iter().all(|ordinal| segment_of(*ordinal) == 2));
    assert_eq!(names(&after, "d"), ["c", "y"]);
    let wanted = Diff {
        added: new.into_iter().collect(),
        changed: [before.ordinal_of(&id("d")).unwrap()].into(),
        linked: ["a", "b"].map(|name| before.ordinal_of(&id(name)).unwrap()).into(),
        removed: BTreeSet::new(),
    };
    assert_eq!(diff(&before, &after), wanted);
}

#[test]
fn a_removed_node_is_wired_round_and_its_name_and_number_are_never_given_again() {
    let changes = PatchChanges { removed: ids(&["a", "b"]), ..PatchChanges::default() };
    let after = apply(&diamond(), &changes, 1, 1).unwrap();
    assert_eq!(names(&after, "d"), ["gate", "c"]);
    let a = after.ordinal_of(&id("a")).unwrap();
    assert!(after.is_removed(a) && after.dependencies(a).is_empty() && after.dependents(a).is_empty());
    for again in [
        PatchChanges { added: vec![node("a", &["gate"])], ..PatchChanges::default() },
        PatchChanges { removed: ids(&["a"]), ..PatchChanges::default() },
        PatchChanges { rewired: vec![rewired("d", &["a"], &[])], ..PatchChanges::default() },
    ] {
        assert!(apply(&after, &again, 2, 2).is_err(), "{again:?}");
    }
}

#[test]
fn what_makes_no_plan_is_refused_by_meaning() {
    let only = |changes: PatchChanges| refused(&changes);
    let none = PatchChanges::default;
    assert_eq!(only(none()), PatchError::Empty);
    let unchanged = PatchChanges { changed: vec![changed("a", "a")], ..none() };
    assert_eq!(only(unchanged), PatchError::Empty);
    let unknown = PatchChanges { removed: ids(&["z"]), ..none() };
    assert_eq!(only(unknown), PatchError::Unknown { node: id("z") });
    let dangling = PatchChanges { added: vec![node("x", &["z"])], ..none() };
    assert_eq!(only(dangling), PatchError::Unknown { node: id("z") });
    let twice = PatchChanges { added: vec![node("d", &["a"])], ..none() };
    assert_eq!(only(twice), PatchError::Exists { node: id("d") });
    let no_edge = PatchChanges { rewired: vec![rewired("d", &[], &["a"])], ..none() };
    assert_eq!(only(no_edge), PatchError::NoEdge { node: id("d"), dependency: id("a") });
    let cycle = PatchChanges { rewired: vec![rewired("a", &["d"], &[])], ..none() };
    assert!(matches!(only(cycle), PatchError::Graph(GraphError::Cycle(_))));
    let join = PlanNode::new(id("j"), NodeType::Join, "j", Executor::Join);
    assert_eq!(only(PatchChanges { added: vec![join], ..none() }), PatchError::Join { node: id("j") });
    let many = (0..65).map(|n| node(&format!("n{n}"), &["a"])).collect();
    let wide = only(PatchChanges { added: many, ..none() });
    assert!(matches!(wide, PatchError::Graph(GraphError::Degree { .. })), "{wide}");
    let many = (0..=ADDED_MAX).map(|n| node(&format!("n{n}"), &["a"])).collect();
    assert_eq!(
        only(PatchChanges { added: many, ..none() }),
        PatchError::TooManyAdded { found: ADDED_MAX + 1 }
    );
}

#[test]
fn no_work_is_led_past_a_gate() {
    let none = PatchChanges::default;
    assert_eq!(
        refused(&PatchChanges { removed: ids(&["gate"]), ..none() }),
        PatchError::Gate { node: id("gate") }
    );
    let edit = PatchChanges { changed: vec![changed("gate", "open")], ..none() };
    assert_eq!(refused(&edit), PatchError::Gate { node: id("gate") });
    let past = PatchError::Bypass { node: id("a"), gate: id("gate") };
    assert_eq!(refused(&PatchChanges { rewired: vec![rewired("a", &[], &["gate"])], ..none() }), past);
    let past = PatchError::Bypass { node: id("x"), gate: id("gate") };
    assert_eq!(refused(&PatchChanges { added: vec![node("x", &[])], ..none() }), past);
    let beside = vec![gate("first", &[]), node("early", &[]), node("late", &["first"])];
    let beside = Graph::new(beside).unwrap();
    let free = PatchChanges { added: vec![node("x", &[])], ..none() };
    assert!(apply(&beside, &free, 1, 1).is_ok(), "the gate does not hold all work");
}

#[test]
fn what_people_agreed_to_without_knowing_it_waits_for_them_again() {
    let before = diamond();
    let gate_at = before.ordinal_of(&id("gate")).unwrap();
    let changes = PatchChanges {
        added: vec![node("x", &["c"])],
        rewired: vec![rewired("d", &["x"], &[])],
        ..PatchChanges::default()
    };
    let after = apply(&before, &changes, 1, 1).unwrap();
    assert_ne!(closure_hash(&before, gate_at).unwrap(), closure_hash(&after, gate_at).unwrap());
    let open = reasked(&before, &after, &changes, &BTreeSet::new(), 1).unwrap();
    assert_eq!(open, changes, "a gate that is still open is asked in place");
    let again = reasked(&before, &after, &changes, &[gate_at].into(), 1).unwrap();
    let after = apply(&before, &again, 1, 1).unwrap();
    let copy = after.ordinal_of(&id("gate.p1")).unwrap();
    let held: BTreeSet<u32> = ["x", "d"].map(|name| after.ordinal_of(&id(name)).unwrap()).into();
    assert_eq!(after.downstream(copy), held);
    // A further patch behind the copy asks once, not twice.
    let more = PatchChanges { changed: vec![changed("d", "later")], ..PatchChanges::default() };
    let third = apply(&after, &more, 2, 2).unwrap();
    let asked = reasked(&after, &third, &more, &[gate_at, copy].into(), 2).unwrap();
    let asked: Vec<_> = asked.added.iter().map(|node| node.node_id.to_string()).collect();
    assert_eq!(asked, ["gate.p1.p2"]);
}

fn runs(graph: &Graph) -> BTreeMap<u32, NodeRun> {
    let terms = Terms {
        kind: NodeType::Job,
        runs: Executor::Job,
        on_failure: OnFailure::Fail,
        attempts: 1,
        timeout_s: 1,
        backoff: Backoff::default(),
        deadline_s: None,
    };
    let run = |seed: crate::plan::NodeSeed<'_>| {
        (
            seed.ordinal,
            NodeRun::new(seed.ordinal, seed.segment, terms.clone(), seed.unmet.clone(), seed.out.clone()),
        )
    };
    graph.seeds().map(run).collect()
}

#[test]
fn a_node_that_has_started_is_not_touched_and_a_dependency_that_failed_is_not_waited_for() {
    let before = diamond();
    let at = |name: &str| before.ordinal_of(&id(name)).unwrap();
    let moves = |changes: &PatchChanges, statuses: &[(&str, NodeStatus)]| {
        let after = apply(&before, changes, 1, 1).unwrap();
        let mut runs = runs(&before);
        for (name, status) in statuses {
            runs.get_mut(&at(name)).unwrap().status = *status;
        }
        let diff = diff(&before, &after);
        patch_moves(
            PatchOn { before: &before, after: &after, diff: &diff, runs: &runs },
            1,
            |_| None,
            Millis(0),
        )
    };
    let none = PatchChanges::default;
    let remove = PatchChanges { removed: ids(&["b"]), ..none() };
    for status in [NodeStatus::Ready, NodeStatus::Running, NodeStatus::Waiting, NodeStatus::Succeeded] {
        assert_eq!(moves(&remove, &[("b", status)]), Err(PatchError::Started { node: id("b"), status }));
        assert_eq!(moves(&remove, &[("d", status)]), Err(PatchError::Started { node: id("d"), status }));
    }
    let found = moves(&remove, &[("a", NodeStatus::Running)]).unwrap();
    let touched: BTreeSet<u32> = found.iter().map(|(ordinal, _)| *ordinal).collect();
    assert_eq!(touched, ["a", "b", "d"].map(at).into());
    let add = PatchChanges { added: vec![node("x", &["c"])], ..none() };
    let lost = PatchError::Lost { node: id("x"), dependency: id("c"), status: NodeStatus::Failed };
    assert_eq!(moves(&add, &[("c", NodeStatus::Failed)]), Err(lost));
    let ended = moves(&add, &[("c", NodeStatus::Succeeded)]).unwrap();
    assert!(
        matches!(&ended[..], [(_, NodeUpdate::Patch(crate::engine::NodePatch::Reopen { .. }))]),
        "{ended:?}"
    );
}

#[test]
fn a_guarded_node_is_never_claimable_until_it_is_admitted() {
    let node = runs(&diamond()).remove(&1).unwrap().guarded(Millis(0));
    assert!(!node.is_claimable() && node.expires_at.is_some());
    let admitted = NodeUpdate::Patch(crate::engine::NodePatch::Admit).apply(&node).unwrap();
    assert!(admitted.is_claimable() && admitted.expires_at.is_none());
}

/// One change of a graph of nodes `n0…`, as three numbers that mean different things to it
fn change(graph: &Graph, (kind, first, second): (u8, usize, usize), fresh: usize) -> PatchChanges {
    let living: Vec<&PlanNode> = graph.living().map(|(_, node)| node).collect();
    let pick = |at: usize| living[at % living.len()].node_id.clone();
    let (a, b) = (pick(first), pick(second));
    let mut changes = PatchChanges::default();
    match kind % 4 {
        0 => {
            let mut new = node(&format!("new{fresh}"), &[]);
            new.depends_on = [a].into();
            changes.added.push(new);
        }
        1 => drop(changes.removed.insert(a)),
        2 => {
            changes.rewired.push(Rewired { node_id: a, wait_for: [b].into(), wait_no_more: BTreeSet::new() })
        }
        _ => changes.changed.push(Changed {
            node_id: a,
            title: Some(format!("title {fresh}")),
            job_contract: None,
            on_failure: None,
        }),
    }
    changes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever is appended: who replays it comes to the same graph and hash, and nobody can alter a link
    #[test]
    fn any_chain_replays_to_the_same_effective_hash(
        edges in prop::collection::vec((0usize..12, 0usize..12), 0..30),
        wishes in prop::collection::vec((any::<u8>(), 0usize..40, 0usize..40), 1..12),
        broken in any::<prop::sample::Index>(),
    ) {
        let mut nodes: Vec<PlanNode> = (0..12).map(|n| node(&format!("n{n}"), &[])).collect();
        for (from, to) in edges.into_iter().filter(|(from, to)| from < to) {
            nodes[to].depends_on.insert(id(&format!("n{from}")));
        }
        let base = Graph::new(nodes).unwrap();
        let (mut graph, mut hash, mut chain) = (base.clone(), base.graph_hash().unwrap(), Vec::new());
        for (fresh, wish) in wishes.into_iter().enumerate() {
            let sequence = u32::try_from(chain.len()).unwrap();
            let made = patch(&graph, &hash, sequence + 1, change(&graph, wish, fresh));
            let Ok(after) = made.follow(&graph, &hash, sequence) else { continue };
            for (ordinal, node) in graph.numbered() {
                prop_assert_eq!(&after.node(ordinal).unwrap().node_id, &node.node_id, "numbers are kept");
            }
            for (ordinal, _) in after.numbered() {
                prop_assert!(!after.upstream(ordinal).contains(&ordinal), "acyclic");
                for need in after.dependencies(ordinal) {
                    prop_assert!(!after.is_removed(*need) && after.dependents(*need).contains(&ordinal));
                }
            }
            (graph, hash) = (after, made.effective_hash.clone());
            chain.push(made);
        }
        let json = serde_json::to_vec(&chain).unwrap();
        let read: Vec<PlanPatch> = serde_json::from_slice(&json).unwrap();
        prop_assert_eq!(replay(&base, &read).unwrap(), (graph, hash));
        if !chain.is_empty() {
            let at = broken.index(chain.len());
            let mut altered = chain.clone();
            altered[at].reason.push('!');
            let found = matches!(replay(&base, &altered), Err(ChainError::Changed { .. }));
            prop_assert!(found);
            let mut missing = chain.clone();
            missing.remove(at);
            prop_assert_eq!(replay(&base, &missing).is_ok(), at + 1 == chain.len());
        }
    }
}
