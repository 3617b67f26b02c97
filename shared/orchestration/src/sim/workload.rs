//! Workloads: a graph, and what people do while it runs
//!
//! One function a workload, from chance to [`Story`]; the enum is what the command line knows. A new one is a variant,
//! its function, and nothing else.

use super::{
    chance::Chance,
    people::{Act, Deed},
    work::Work,
};
use std::collections::BTreeSet;
use strum::{EnumString, IntoStaticStr, VariantArray};
use weir_domain::{
    definition::spec::ApprovalRule,
    gate::{ApprovalGate, GateSpec},
    plan::{
        Backoff, Executor, Graph, GraphError, Idempotency, JobContract, NodeId, NodeIdError, NodeType,
        OnFailure, PlanNode,
    },
};

/// What a run is about
#[derive(Debug, Clone)]
pub struct Story {
    /// The plan
    pub graph: Graph,
    /// What people do
    pub acts: Vec<Act>,
    /// The targets whose agents serve
    pub targets: Vec<String>,
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
    /// Nodes that fail, are tried again, pass their failure by or skip what waits for them
    Failures,
    /// Cancelled at some moment
    Cancel,
    /// Held and let go, perhaps twice
    Pause,
    /// Gates that people decide
    Gates,
}

impl Workload {
    /// The workload as the command line knows it
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The story that `chance` tells, of about `size` nodes
    pub(super) fn story(self, chance: Chance, size: usize) -> Result<Story, StoryError> {
        let chance = chance.of("story");
        let tale = Tale { chance, failures: self == Self::Failures };
        let nodes = match self {
            Self::Chain => tale.chain(size)?,
            Self::Diamond => tale.diamond(size)?,
            Self::Fan => tale.diamond(if chance.of("wide").one_in(8) { 90 } else { size })?,
            Self::Layers | Self::Failures | Self::Cancel | Self::Pause => tale.layers(size)?,
            Self::Gates => tale.gates(size)?,
        };
        let graph = Graph::new(nodes)?;
        let acts = self.acts(chance, &graph);
        let targets = (1..=TARGETS).map(target).collect();
        Ok(Story { graph, acts, targets })
    }

    fn acts(self, chance: Chance, graph: &Graph) -> Vec<Act> {
        let at = |name: &str, most: u64| chance.of(name).below(most);
        match self {
            Self::Cancel => vec![Act { at_s: at("cancel", 20), what: Deed::Cancel }],
            Self::Pause => {
                let (first, held) = (at("pause", 12), 1 + at("held", 60));
                let mut acts = vec![
                    Act { at_s: first, what: Deed::Pause },
                    Act { at_s: first + held, what: Deed::Resume },
                ];
                if chance.of("again").one_in(3) {
                    acts.push(Act { at_s: first + held + 3, what: Deed::Pause });
                    acts.push(Act { at_s: first + held + 30, what: Deed::Resume });
                }
                if chance.of("cancelled").one_in(4) {
                    acts.push(Act { at_s: first + at("later", 40), what: Deed::Cancel });
                }
                // Whatever was asked while nobody answered: at last somebody looks again.
                acts.push(Act { at_s: 1_200, what: Deed::Resume });
                acts
            }
            Self::Gates => {
                let gates = (1..).zip(graph.nodes()).filter(|(_, node)| node.node_type == NodeType::Gate);
                let says = |ordinal: u32| {
                    let rejects = chance.of("rejects").at(u64::from(ordinal)).one_in(6);
                    if rejects { Deed::Reject(ordinal) } else { Deed::Approve(ordinal) }
                };
                gates.map(|(ordinal, _)| Act { at_s: at("decides", 40), what: says(ordinal) }).collect()
            }
            Self::Chain | Self::Diamond | Self::Layers | Self::Fan | Self::Failures => Vec::new(),
        }
    }
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
}

/// How many targets there are
const TARGETS: usize = 2;

fn target(number: usize) -> String {
    format!("target.sim.t{number}")
}

/// A job called `n<number>` that waits for `needs`
pub fn job(
    number: usize,
    needs: impl IntoIterator<Item = usize>,
    work: Work,
) -> Result<PlanNode, NodeIdError> {
    let id = |number: usize| format!("n{number:05}").parse::<NodeId>();
    let mut node = PlanNode::new(id(number)?, NodeType::Job, format!("job {number}"), Executor::Job);
    node.depends_on = needs.into_iter().map(id).collect::<Result<BTreeSet<_>, _>>()?;
    node.job_contract = Some(JobContract {
        capability: "sim".to_owned(),
        inputs: work.inputs(),
        outputs: Vec::new(),
        timeout_s: 600,
        attempts: 3,
        backoff: Backoff { base_s: 1, factor: 2, max_s: 20 },
        idempotency: Idempotency::Natural,
        secrets: Vec::new(),
        deadline_s: None,
    });
    Ok(node)
}

/// Nodes by chance
struct Tale {
    chance: Chance,
    failures: bool,
}

impl Tale {
    fn node(&self, number: usize, needs: impl IntoIterator<Item = usize>) -> Result<PlanNode, NodeIdError> {
        let chance = self.chance.of("node").at(number as u64);
        let fails = self.failures && chance.of("fails").one_in(3);
        let failures = if fails { u32::try_from(1 + chance.of("often").below(4)).unwrap_or(1) } else { 0 };
        let work = Work {
            millis: 200 + chance.of("takes").below(if chance.of("long").one_in(6) { 40_000 } else { 4_000 }),
            failures,
            fatal: fails && chance.of("fatal").one_in(3),
        };
        let mut node = job(number, needs, work)?;
        if chance.of("agent").one_in(3) {
            let target = target(1 + usize::try_from(chance.of("target").below(TARGETS as u64)).unwrap_or(0));
            if let Ok(executor) = format!("agent:{target}").parse::<Executor>() {
                node.runs = executor;
            }
        }
        if self.failures && chance.of("passed").one_in(3) {
            node.on_failure = OnFailure::Continue;
        }
        Ok(node)
    }

    fn chain(&self, size: usize) -> Result<Vec<PlanNode>, StoryError> {
        Ok((0..size).map(|n| self.node(n, n.checked_sub(1))).collect::<Result<_, _>>()?)
    }

    fn diamond(&self, size: usize) -> Result<Vec<PlanNode>, StoryError> {
        let last = size.max(3) - 1;
        let mut nodes = vec![self.node(0, [])?];
        for n in 1..last {
            nodes.push(self.node(n, [0])?);
        }
        nodes.push(self.node(last, 1..last)?);
        Ok(nodes)
    }

    fn layers(&self, size: usize) -> Result<Vec<PlanNode>, StoryError> {
        let mut nodes = Vec::new();
        for n in 0..size {
            let chance = self.chance.of("edges").at(n as u64);
            let near = n.saturating_sub(6);
            let needs = (near..n).filter(|before| chance.at(*before as u64).below(3) == 0);
            nodes.push(self.node(n, needs)?);
        }
        Ok(nodes)
    }

    fn gates(&self, size: usize) -> Result<Vec<PlanNode>, StoryError> {
        let mut nodes = self.layers(size)?;
        for node in nodes.iter_mut().skip(1).step_by(4) {
            node.node_type = NodeType::Gate;
            node.runs = Executor::Decide;
            node.job_contract = None;
            let rule = ApprovalRule {
                required_approvals: 1,
                eligible_groups: None,
                require_sod: false,
                expires_after_s: None,
            };
            let gate = ApprovalGate { rule, policies: Vec::new(), reasons: Vec::new() };
            node.gate = Some(GateSpec::Approval(gate));
        }
        Ok(nodes)
    }
}
