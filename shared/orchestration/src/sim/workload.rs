//! Workloads: operations, and what people do while they run
//!
//! One line in [`Mix::of`] and in [`Habits::of`] a workload, from chance to [`Story`]; the enum is what the command
//! line knows. A new one is a variant and these two lines.

mod acts;
mod gates;
mod tale;

pub use tale::job;
pub(super) use {gates::GROUP, tale::contract};

use super::{
    chance::Chance,
    people::{Act, Deed},
    work::Work,
    world::EPOCH,
};
use acts::Habits;
use std::collections::{BTreeMap, BTreeSet};
use strum::{EnumString, IntoStaticStr, VariantArray};
use tale::{Mix, Tale};
use weir_domain::{
    definition::address::Address,
    id::{Id as _, OperationId},
    plan::{Executor, Graph, GraphError, NodeId, NodeIdError, NodeType, PlanNode},
};

/// So many nodes are in two segments
const MANY_FOR_A_SEGMENT: usize = 43;

/// So many nodes between two others have joins, on their way out and on their way in
const MANY_FOR_A_NODE: usize = 70;

/// What a run is about
#[derive(Debug, Clone)]
pub struct Story {
    /// The operations; the first is the one that is measured
    pub parts: Vec<Part>,
    /// What people do
    pub acts: Vec<Act>,
    /// How many people see to whatever waits for somebody
    pub tenders: u32,
    /// The targets whose agents serve
    pub targets: Vec<String>,
    /// Whether it ends without stream and schedule where nothing fails (I7): nobody has to look at the clock
    pub alone: bool,
}

/// One operation of a run
#[derive(Debug, Clone)]
pub struct Part {
    /// Its plan
    pub graph: Graph,
    /// The operations that its nodes run
    pub children: BTreeMap<NodeId, Part>,
    /// When it is asked for, in seconds after the run's begin
    pub at_s: u64,
    /// What it may not share
    pub exclusive: BTreeSet<Address>,
    /// Whether it takes the first one back
    pub takes_back: bool,
    /// Whether it runs a scenario: it then has an intent, leaves evidence, and may be taken back and retried
    pub scenario: bool,
}

impl Part {
    /// An operation over `graph` that nothing else is said about
    pub const fn new(graph: Graph) -> Self {
        Self {
            graph,
            children: BTreeMap::new(),
            at_s: 0,
            exclusive: BTreeSet::new(),
            takes_back: false,
            scenario: false,
        }
    }
}

impl Part {
    /// Whether a node of it may be over before anybody works on it: somebody has to look at the clock then
    fn has_deadline(&self) -> bool {
        let limited = |node: &PlanNode| node.job_contract.as_ref().is_some_and(|it| it.deadline_s.is_some());
        self.graph.nodes().iter().any(limited) || self.children.values().any(Self::has_deadline)
    }
}

impl Story {
    /// One operation over `graph`, and nobody does anything
    pub fn of(graph: Graph) -> Self {
        Self { parts: vec![Part::new(graph)], acts: Vec::new(), tenders: 0, targets: Vec::new(), alone: true }
    }
}

/// The id of the operation at `place`: known before it is asked for, so that others can wait for it
pub(super) fn operation_id(place: usize) -> OperationId {
    OperationId::derived(EPOCH.0, &format!("sim/{place}"))
}

/// The workloads, by name
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, IntoStaticStr, EnumString, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Workload {
    /// One node after the other
    Chain,
    /// Out to many, and in again
    Diamond,
    /// Random layers, jobs and agents mixed
    Layers,
    /// Wide enough for joins and for a second segment
    Fan,
    /// Nodes that fail, are tried again, run out of time, pass their failure by or skip what waits for them
    Failures,
    /// Cancelled at some moment
    Cancel,
    /// Held and let go, perhaps twice
    Pause,
    /// Gates that people decide
    Gates,
    /// The plan is changed while it runs
    Patches,
    /// Gates of every kind
    Waits,
    /// Manual steps, and nodes that wait for a person when they have failed
    Hands,
    /// Jobs that are ended by a callback
    Callbacks,
    /// Operations that nodes run
    Nested,
    /// Operations that may not run at the same time
    Queue,
    /// Failures that have everything taken back that was done
    Undo,
    /// What was left undone is done by another operation
    Retry,
    /// Everything at once
    Everything,
}

impl Workload {
    /// The workload as the command line knows it
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// About how many nodes a run of it has: mostly few, and sometimes more than a segment holds, or than a node may
    /// wait for without joins
    pub(super) fn size(self, chance: Chance) -> usize {
        let many = if self == Self::Fan { 8 } else { 64 };
        if chance.of("many").one_in(many) {
            return if chance.of("joins").one_in(2) { MANY_FOR_A_NODE } else { MANY_FOR_A_SEGMENT };
        }
        let most = if chance.of("large").one_in(10) { 12 } else { 6 };
        2 + usize::try_from(chance.below(most)).unwrap_or(4)
    }

    /// The story that `chance` tells, of about `size` nodes
    pub(super) fn story(self, chance: Chance, size: usize) -> Result<Story, StoryError> {
        let chance = chance.of("story");
        let tale = Tale::new(chance, Mix::of(self));
        let first = match self {
            Self::Chain => tale.chain(size)?,
            Self::Diamond | Self::Fan => tale.diamond(size)?,
            Self::Layers => tale.layers(size)?,
            Self::Failures
            | Self::Cancel
            | Self::Pause
            | Self::Gates
            | Self::Patches
            | Self::Waits
            | Self::Hands
            | Self::Callbacks
            | Self::Nested
            | Self::Queue
            | Self::Undo
            | Self::Retry
            | Self::Everything => tale.of_any_shape(size)?,
        };
        let mut parts = vec![first];
        match self {
            Self::Queue => tale.share(&mut parts, size)?,
            // What a gate waits for.
            Self::Waits => {
                let mut other = Tale::new(chance.of("other"), Mix::of(Self::Failures)).layers(2)?;
                other.at_s = chance.of("other").of("at").below(40);
                parts.push(other);
            }
            Self::Chain
            | Self::Diamond
            | Self::Fan
            | Self::Layers
            | Self::Failures
            | Self::Cancel
            | Self::Pause
            | Self::Gates
            | Self::Patches
            | Self::Hands
            | Self::Callbacks
            | Self::Nested
            | Self::Undo
            | Self::Retry
            | Self::Everything => {}
        }
        let scenario = matches!(self, Self::Undo | Self::Retry);
        parts.iter_mut().for_each(|part| part.scenario = scenario);
        let habits = Habits::of(self);
        let acts = habits.acts(chance, &parts);
        let cancelled = acts.iter().any(|act| act.what == Deed::Cancel);
        let alone = !cancelled && !Mix::of(self).waits_for_a_time() && !parts.iter().any(Part::has_deadline);
        Ok(Story { parts, acts, tenders: habits.tenders, targets: tale::targets(), alone })
    }
}

/// Two operations that wait: one for a person at a gate, one for an agent
pub(super) fn waiting() -> Result<[Part; 2], StoryError> {
    let mut gate = PlanNode::new("gate".parse()?, NodeType::Gate, "agree", Executor::Decide);
    gate.gate = Some(gates::approval(1, None));
    let mut behind = job(1, [], Work::SHORT)?;
    behind.depends_on.insert(gate.node_id.clone());
    let mut alone = job(1, [], Work::SHORT)?;
    let agent = format!("agent:{}", tale::target(1)).parse();
    alone.runs = agent.map_err(|_| StoryError::Words("no target".to_owned()))?;
    Ok([Part::new(Graph::new(vec![gate, behind])?), Part::new(Graph::new(vec![alone])?)])
}

/// Why a story cannot be told
#[derive(Debug, thiserror::Error)]
pub enum StoryError {
    /// Its nodes are no graph
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// A node has no name
    #[error(transparent)]
    Name(#[from] NodeIdError),
    /// Something that is named is nothing
    #[error("the story cannot be told: {0}")]
    Words(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn nodes_of_every_mix_stand_in_every_shape_and_in_wide_fans_with_segments_and_joins() {
        let first = |workload: Workload, seed: u64, size: usize| {
            let story = workload.story(Chance::new(seed), size).unwrap();
            story.parts.into_iter().next().unwrap().graph
        };
        let widest =
            |graph: &Graph| graph.numbered().map(|(it, _)| graph.dependents(it).len()).max().unwrap();
        let joins = |graph: &Graph| graph.nodes().iter().any(|node| node.runs == Executor::Join);
        let shaped = [Workload::Chain, Workload::Diamond, Workload::Fan, Workload::Layers];
        for workload in Workload::VARIANTS.iter().copied().filter(|it| !shaped.contains(it)) {
            let all = |size| (0..30).map(move |seed| first(workload, seed, size));
            let wide: BTreeSet<bool> = all(MANY_FOR_A_SEGMENT).map(|it| widest(&it) > 40).collect();
            assert_eq!(wide, BTreeSet::from([false, true]), "{workload:?}");
            assert!(all(MANY_FOR_A_SEGMENT).all(|it| it.segments().len() > 1), "{workload:?}");
            assert!(all(MANY_FOR_A_NODE).any(|it| joins(&it)), "{workload:?}");
            let sizes: BTreeSet<usize> = (0..2_000).map(|seed| workload.size(Chance::new(seed))).collect();
            assert!(sizes.contains(&MANY_FOR_A_NODE) && sizes.contains(&MANY_FOR_A_SEGMENT), "{sizes:?}");
        }
    }
}
