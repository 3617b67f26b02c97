//! The graph of a plan: acyclic by construction, small in every direction, cut into segments
//!
//! | limit | why |
//! |---|---|
//! | 10,000 nodes, 200,000 dependencies | what one operation has been measured with |
//! | 64 dependencies and 64 dependents a node | each is an element of a set on the node's item; joins are inserted above it |
//! | 64 KiB a node, 16 MiB a graph | a job reads its node from the snapshot into memory |
//! | 40 nodes a segment | an inline Map runs as many at once, so none waits for a place |
//!
//! Ordinals count from 1 in one topological order, which is the order given wherever that is already topological.
//! So a graph that is read back from its own nodes is the same graph. A patch ([`super::patch`]) keeps the numbers
//! that there are and appends those of whole segments: a patched graph has gaps, and is stored as its chain.

mod by_hand;
mod check;
mod joins;
mod order;
mod patched;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

use super::node::{Backoff, Executor, NodeId, NodeType, OnFailure, PlanNode};
use crate::canonical::{Digest, NotCanonical};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

pub use check::{GraphError, NodeFault};
pub(in crate::plan) use patched::Parts;

/// Most nodes of a plan, joins not counted
pub const NODES_MAX: usize = 10_000;
/// Most dependencies of a plan, those of joins not counted
pub const EDGES_MAX: usize = 200_000;
/// Most dependencies, and most dependents, of one node
pub const DEGREE_MAX: usize = 64;
/// Most nodes of a segment, joins counted
pub const SEGMENT_MAX: usize = 40;
/// Largest node, in bytes of JSON
pub const NODE_BYTES_MAX: usize = 64 * 1024;
/// Largest graph, in bytes of JSON
pub const GRAPH_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A plan's nodes, each with those it waits for
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<PlanNode>", into = "Vec<PlanNode>")]
pub struct Graph {
    nodes: Vec<PlanNode>,
    #[schemars(skip)]
    numbers: Vec<u32>,
    #[schemars(skip)]
    removed: BTreeSet<u32>,
    #[schemars(skip)]
    ordinals: BTreeMap<NodeId, u32>,
    #[schemars(skip)]
    dependencies: Vec<BTreeSet<u32>>,
    #[schemars(skip)]
    dependents: Vec<BTreeSet<u32>>,
    #[schemars(skip)]
    segments: Vec<Segment>,
}

/// Up to 40 nodes that follow each other in topological order: one Map, one execution
///
/// A join has no iteration in the Map, since it may wait for a segment that runs much longer; where it is the last
/// of its segment to end, its own end closes the segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its number, from 0
    pub index: u32,
    /// The ordinals that its Map runs over
    pub mapped: Vec<u32>,
    /// The ordinals of the joins that are stored with it
    pub joins: Vec<u32>,
    /// The patch that added it; 0 is the plan itself
    pub patch: u32,
}

/// What the engine stores of a node when the operation begins; names, inputs and contracts stay in the snapshot
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeSeed<'a> {
    /// Its number
    pub ordinal: u32,
    /// Its name, for what people read
    pub node_id: &'a NodeId,
    /// What kind of node it is
    pub node_type: NodeType,
    /// The segment that it is stored in
    pub segment: u32,
    /// The ordinals that it waits for
    pub unmet: &'a BTreeSet<u32>,
    /// The ordinals that wait for it
    pub out: &'a BTreeSet<u32>,
    /// Who does it
    pub executor: &'a Executor,
    /// What happens when it fails
    pub on_failure: OnFailure,
    /// How often it is tried
    pub attempts: u32,
    /// Seconds that one attempt may take; none where nobody works on it
    pub timeout_s: Option<u32>,
    /// Seconds from its first claim after which it is failed
    pub deadline_s: Option<u32>,
    /// How long is waited between attempts
    pub backoff: Backoff,
}

/// The segment that the node `ordinal` is stored in: forty ordinals each, in order
pub fn segment_of(ordinal: u32) -> u32 {
    ordinal.saturating_sub(1) / u32::try_from(SEGMENT_MAX).unwrap_or(u32::MAX)
}

/// The first ordinal of `segment`
pub fn first_ordinal(segment: u32) -> u32 {
    segment.saturating_mul(u32::try_from(SEGMENT_MAX).unwrap_or(u32::MAX)).saturating_add(1)
}

static NONE: BTreeSet<u32> = BTreeSet::new();

impl Graph {
    /// Checks that `nodes` are a plan, inserts the joins that it needs, and numbers it
    pub fn new(nodes: Vec<PlanNode>) -> Result<Self, GraphError> {
        check::shape(&nodes)?;
        let nodes = order::topological(joins::insert(nodes))?;
        check::sizes(&nodes)?;
        let numbers: Vec<u32> = (1..).zip(&nodes).map(|(ordinal, _)| ordinal).collect();
        let segments = order::segments((1..).zip(&nodes), 0);
        Ok(Self::of(numbers, nodes, BTreeSet::new(), segments))
    }

    /// The graph of `nodes`, which have been checked and have these `numbers`
    fn of(numbers: Vec<u32>, nodes: Vec<PlanNode>, removed: BTreeSet<u32>, segments: Vec<Segment>) -> Self {
        let ordinals: BTreeMap<NodeId, u32> = numbers
            .iter()
            .copied()
            .zip(&nodes)
            .map(|(ordinal, node)| (node.node_id.clone(), ordinal))
            .collect();
        let dependencies: Vec<BTreeSet<u32>> = nodes
            .iter()
            .map(|node| node.depends_on.iter().filter_map(|id| ordinals.get(id).copied()).collect())
            .collect();
        let dependents = order::reversed(&numbers, &dependencies);
        Self { nodes, numbers, removed, ordinals, dependencies, dependents, segments }
    }

    /// Where the node `ordinal` stands in the lists
    fn place(&self, ordinal: u32) -> Option<usize> {
        self.numbers.binary_search(&ordinal).ok()
    }

    /// The nodes, by ordinal
    pub fn nodes(&self) -> &[PlanNode] {
        &self.nodes
    }

    /// How many nodes there are, joins included
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is no node; a graph always has one
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The node `ordinal`
    pub fn node(&self, ordinal: u32) -> Option<&PlanNode> {
        self.nodes.get(self.place(ordinal)?)
    }

    /// The ordinal of the node called `id`
    pub fn ordinal_of(&self, id: &NodeId) -> Option<u32> {
        self.ordinals.get(id).copied()
    }

    /// The nodes that `ordinal` waits for
    pub fn dependencies(&self, ordinal: u32) -> &BTreeSet<u32> {
        self.place(ordinal).and_then(|place| self.dependencies.get(place)).unwrap_or(&NONE)
    }

    /// The nodes that wait for `ordinal`
    pub fn dependents(&self, ordinal: u32) -> &BTreeSet<u32> {
        self.place(ordinal).and_then(|place| self.dependents.get(place)).unwrap_or(&NONE)
    }

    /// Everything that `ordinal` waits for, directly or through others, itself not included
    pub fn upstream(&self, ordinal: u32) -> BTreeSet<u32> {
        reach(ordinal, |from| self.dependencies(from))
    }

    /// Everything that waits for `ordinal`, directly or through others, itself not included
    pub fn downstream(&self, ordinal: u32) -> BTreeSet<u32> {
        reach(ordinal, |from| self.dependents(from))
    }

    /// The segment called `index`
    pub fn segment(&self, index: u32) -> Option<&Segment> {
        let place = self.segments.binary_search_by_key(&index, |segment| segment.index).ok()?;
        self.segments.get(place)
    }

    /// The segments, in order
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The digest of the graph as canonical JSON: what a snapshot is called, and what an approval is given to
    pub fn graph_hash(&self) -> Result<Digest, NotCanonical> {
        Digest::of(&self.nodes)
    }

    /// What is stored of each node when an operation begins
    pub fn seeds(&self) -> impl Iterator<Item = NodeSeed<'_>> {
        self.numbered().map(|(ordinal, node)| {
            let contract = node.job_contract.as_ref();
            NodeSeed {
                ordinal,
                node_id: &node.node_id,
                node_type: node.node_type,
                segment: segment_of(ordinal),
                unmet: self.dependencies(ordinal),
                out: self.dependents(ordinal),
                executor: &node.runs,
                on_failure: node.on_failure,
                attempts: contract.map_or(1, |contract| contract.attempts),
                timeout_s: contract.map(|contract| contract.timeout_s),
                deadline_s: contract.and_then(|contract| contract.deadline_s),
                backoff: contract.map_or_else(Backoff::default, |contract| contract.backoff),
            }
        })
    }
}

impl TryFrom<Vec<PlanNode>> for Graph {
    type Error = GraphError;
    fn try_from(nodes: Vec<PlanNode>) -> Result<Self, GraphError> {
        Self::new(nodes)
    }
}
impl From<Graph> for Vec<PlanNode> {
    fn from(graph: Graph) -> Self {
        graph.nodes
    }
}

/// Everything that can be reached from `start`, which is not itself a part of it
fn reach<'a>(start: u32, next: impl Fn(u32) -> &'a BTreeSet<u32>) -> BTreeSet<u32> {
    let mut seen = BTreeSet::new();
    let mut open = vec![start];
    while let Some(from) = open.pop() {
        open.extend(next(from).iter().filter(|to| seen.insert(**to)));
    }
    seen
}
