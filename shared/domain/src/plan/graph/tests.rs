use super::*;
use crate::plan::node::{Idempotency, JobContract, NodeType};
use proptest::prelude::*;

fn id(text: &str) -> NodeId {
    text.parse().unwrap()
}

fn contract() -> JobContract {
    JobContract {
        capability: "deploy.host".into(),
        inputs: serde_json::Map::new(),
        outputs: Vec::new(),
        timeout_s: 60,
        attempts: 2,
        backoff: Backoff::default(),
        idempotency: Idempotency::Natural,
        secrets: Vec::new(),
        deadline_s: None,
    }
}

fn job(name: &str, needs: impl IntoIterator<Item = NodeId>) -> PlanNode {
    let mut node = PlanNode::new(id(name), NodeType::Job, name, Executor::Job);
    node.job_contract = Some(contract());
    node.depends_on = needs.into_iter().collect();
    node
}

fn named(name: &str, needs: &[&str]) -> PlanNode {
    job(name, needs.iter().map(|need| id(need)))
}

/// `layers` wide layers, each node of one waiting for `share` of the layer before: few nodes with many edges
fn layered(widths: &[usize], keep: impl Fn(usize, usize) -> bool) -> Vec<PlanNode> {
    let name = |layer: usize, at: usize| format!("n{layer}-{at:04}");
    let mut nodes = Vec::new();
    for (layer, width) in widths.iter().enumerate() {
        for at in 0..*width {
            let before = layer.checked_sub(1).map_or(0, |before| widths[before]);
            let needs = (0..before).filter(|from| keep(*from, at)).map(|from| id(&name(layer - 1, from)));
            nodes.push(job(&name(layer, at), needs));
        }
    }
    nodes
}

/// Who waits for whom, through others, among `nodes` as they were given
fn naive_upstream(nodes: &[PlanNode]) -> BTreeMap<NodeId, BTreeSet<NodeId>> {
    let mut up: BTreeMap<NodeId, BTreeSet<NodeId>> = BTreeMap::new();
    for node in nodes {
        let through = node.depends_on.iter().flat_map(|need| up[need].iter().cloned());
        let all = through.chain(node.depends_on.iter().cloned()).collect();
        up.insert(node.node_id.clone(), all);
    }
    up
}

/// Everything that is true of every graph, made from `given` (in topological order)
fn check(given: &[PlanNode]) -> Graph {
    let graph = Graph::new(given.to_vec()).unwrap();
    let is_join = |ordinal: &u32| graph.node(*ordinal).unwrap().runs == Executor::Join;
    for ordinal in 1..=u32::try_from(graph.len()).unwrap() {
        assert!(graph.dependencies(ordinal).len() <= DEGREE_MAX);
        assert!(graph.dependents(ordinal).len() <= DEGREE_MAX);
        assert!(graph.dependencies(ordinal).iter().all(|need| *need < ordinal), "not topological");
        assert!(graph.dependencies(ordinal).iter().all(|need| graph.dependents(*need).contains(&ordinal)));
        assert!(!is_join(&ordinal) || !graph.dependents(ordinal).is_empty(), "a join that nobody waits for");
    }
    for (node, expected) in naive_upstream(given) {
        let upstream = graph.upstream(graph.ordinal_of(&node).unwrap());
        let names =
            upstream.iter().filter(|up| !is_join(up)).map(|up| graph.node(*up).unwrap().node_id.clone());
        assert_eq!(
            names.collect::<BTreeSet<_>>(),
            expected,
            "{node} can be reached from other nodes than before"
        );
    }
    let mapped: Vec<u32> = graph.segments().iter().flat_map(|segment| segment.mapped.clone()).collect();
    assert!(mapped.is_sorted() && mapped.len() == given.len());
    for (index, segment) in (0..).zip(graph.segments()) {
        assert_eq!(segment.index, index);
        assert!((1..=SEGMENT_MAX).contains(&(segment.mapped.len() + segment.joins.len())));
        assert!(segment.mapped.iter().chain(&segment.joins).all(|at| segment_of(*at) == index));
        assert!(segment.joins.iter().all(is_join));
    }
    assert_eq!(graph.seeds().filter(|seed| seed.unmet.is_empty()).count(), {
        given.iter().filter(|node| node.depends_on.is_empty()).count()
    });
    graph
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_graph_is_topological_and_narrow(masks in prop::collection::vec(any::<u64>(), 1..60)) {
        let name = |at: usize| id(&format!("n{at:02}"));
        let needs = |at: usize, mask: u64| (0..at).filter(move |from| mask & (1 << (from % 64)) != 0).map(name);
        let given: Vec<_> = masks.iter().enumerate().map(|(at, mask)| job(name(at).as_str(), needs(at, *mask))).collect();
        check(&given);
    }

    #[test]
    fn any_wide_graph_is_narrow(
        widths in prop::collection::vec(1usize..170, 2..4), modulus in 1usize..4, salt in any::<usize>(),
    ) {
        check(&layered(&widths, |from, to| (from ^ to ^ salt).is_multiple_of(modulus)));
    }

    #[test]
    fn a_graph_reads_back_as_itself(widths in prop::collection::vec(1usize..140, 2..4)) {
        let graph = Graph::new(layered(&widths, |_, _| true)).unwrap();
        let text = serde_json::to_string(&graph).unwrap();
        let back: Graph = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(back.graph_hash().unwrap(), graph.graph_hash().unwrap());
        prop_assert_eq!(back, graph);
    }

    #[test]
    fn a_graph_with_a_cycle_is_refused_and_the_cycle_is_one(size in 1usize..20, tail in 0usize..10, at in 0usize..20) {
        let name = |at: usize| id(&format!("n{at:02}"));
        let mut nodes: Vec<_> = (0..size + tail).map(|at| job(name(at).as_str(), at.checked_sub(1).map(name))).collect();
        let (from, to) = (at % size, size - 1);
        prop_assume!(from != to);
        nodes[from].depends_on.insert(name(to));
        match Graph::new(nodes.clone()) {
            Err(GraphError::Cycle(ring)) => {
                prop_assert_eq!(ring.first(), ring.last());
                prop_assert_eq!(ring.len(), to - from + 2);
                for pair in ring.windows(2) {
                    let node = nodes.iter().find(|node| node.node_id == pair[0]).unwrap();
                    prop_assert!(node.depends_on.contains(&pair[1]));
                }
            }
            other => prop_assert!(false, "{other:?}"),
        }
    }
}

#[test]
fn a_barrier_shares_its_joins() {
    let graph = check(&layered(&[130, 130], |_, _| true));
    let joins = graph.nodes().iter().filter(|node| node.node_type == NodeType::Join).count();
    assert_eq!(joins, 12, "3 for what is waited for, 3 behind each of them");
}

#[test]
fn the_largest_plan_is_one_and_a_larger_one_is_none() {
    let most: Vec<_> = (0..NODES_MAX).map(|at| named(&format!("n{at}"), &[])).collect();
    let graph = Graph::new(most.clone()).unwrap();
    assert_eq!(graph.segments().len(), NODES_MAX / SEGMENT_MAX);
    let more: Vec<_> = most.into_iter().chain([named("one-more", &[])]).collect();
    assert_eq!(Graph::new(more).unwrap_err(), GraphError::TooManyNodes { found: NODES_MAX + 1 });
}

#[test]
fn what_is_no_plan_is_refused_with_what_is_wrong() {
    let mut huge = named("huge", &[]);
    huge.title = "x".repeat(NODE_BYTES_MAX);
    let mut by_hand = PlanNode::new(id("by-hand"), NodeType::Intervention, "by hand", Executor::Decide);
    by_hand.depends_on = BTreeSet::from([id("a")]);
    let gate = PlanNode::new(id("gate"), NodeType::Gate, "gate", Executor::Decide);
    let mut once = named("once", &[]);
    once.job_contract.as_mut().unwrap().idempotency = Idempotency::Once;
    let mut never = named("never", &[]);
    never.job_contract.as_mut().unwrap().attempts = 0;
    let mut endless = named("endless", &[]);
    endless.job_contract.as_mut().unwrap().deadline_s = Some(u32::MAX);
    let mut idle = named("idle", &[]);
    idle.job_contract = None;
    let wrong = PlanNode { runs: Executor::Decide, ..named("wrong", &[]) };
    let cases = [
        (vec![], "the plan has no nodes"),
        (vec![named("a", &[]), named("a", &[])], "two nodes are called `a`"),
        (vec![named("a", &["a"])], "node `a` waits for itself"),
        (vec![named("a", &["b"])], "node `a` waits for `b`, which is not in the plan"),
        (
            vec![named("c", &["b"]), named("a", &["c"]), named("b", &["a"])],
            "these nodes wait for each other: `a` -> `c` -> `b` -> `a`",
        ),
        (vec![huge], "node `huge` has 65752 bytes; 65536 are the most"),
        (
            vec![named("a", &[]), by_hand],
            "node `by-hand` is or may be done by hand, and no verification follows it",
        ),
        (vec![gate], "node `gate` is a gate exactly if it says what it waits for"),
        (vec![once], "node `once` may be done only once, but has several attempts"),
        (vec![never], "node `never` has no attempts"),
        (vec![endless], "node `endless` has a time limit of nothing or of more than 360 days"),
        (vec![idle], "node `idle` has no contract, so nobody knows what to do"),
        (vec![wrong], "node `wrong` cannot be done by who is to run it"),
    ];
    for (nodes, message) in cases {
        assert_eq!(Graph::new(nodes).unwrap_err().to_string(), message);
    }
}

#[test]
fn hashes_never_change() {
    let chain = Graph::new(vec![named("a", &[]), named("b", &["a"])]).unwrap();
    let shuffled = Graph::new(vec![named("b", &["a"]), named("a", &[])]).unwrap();
    assert_eq!(chain.graph_hash().unwrap(), shuffled.graph_hash().unwrap());
    let wide = Graph::new(layered(&[65, 1], |_, _| true)).unwrap();
    let json = String::from_utf8(crate::canonical::to_vec(&chain).unwrap()).unwrap();
    let golden =
        format!("{json}\nchain {}\nwide  {}\n", chain.graph_hash().unwrap(), wide.graph_hash().unwrap());
    crate::golden::check("graph-hashes.txt", &golden);
}
