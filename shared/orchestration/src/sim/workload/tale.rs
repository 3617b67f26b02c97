//! Graphs by chance

use super::{Part, StoryError, Workload, gates};
use crate::sim::{
    chance::Chance,
    work::{GIVES, UNDOES, Work},
};
use std::collections::{BTreeMap, BTreeSet};
use weir_domain::{
    definition::address::Address,
    plan::{
        Backoff, Compensation, Executor, Graph, Idempotency, JobContract, NodeId, NodeIdError, NodeType,
        OnFailure, PlanNode,
    },
};

/// How many targets there are
const TARGETS: u64 = 2;

/// How deep operations run operations
const DEPTH_MAX: u32 = 2;

/// What an operation may not share with others
const SHARED: [&str; 2] = ["target.sim.shared", "provider.shared"];

pub(super) fn target(number: u64) -> String {
    format!("target.sim.t{number}")
}

/// The targets whose agents serve
pub(super) fn targets() -> Vec<String> {
    (1..=TARGETS).map(target).collect()
}

fn name(number: usize) -> Result<NodeId, NodeIdError> {
    format!("n{number:05}").parse()
}

/// A job called `n<number>` that waits for `needs`
pub fn job(
    number: usize,
    needs: impl IntoIterator<Item = usize>,
    work: Work,
) -> Result<PlanNode, NodeIdError> {
    let mut node = PlanNode::new(name(number)?, NodeType::Job, format!("job {number}"), Executor::Job);
    node.depends_on = needs.into_iter().map(name).collect::<Result<BTreeSet<_>, _>>()?;
    node.job_contract = Some(contract(work));
    Ok(node)
}

/// The contract of a job that does `work`
pub(in crate::sim) fn contract(work: Work) -> JobContract {
    JobContract {
        capability: "sim".to_owned(),
        inputs: work.inputs(),
        outputs: Vec::new(),
        timeout_s: 600,
        attempts: 3,
        backoff: Backoff { base_s: 1, factor: 2, max_s: 20 },
        idempotency: Idempotency::Natural,
        secrets: Vec::new(),
        deadline_s: None,
    }
}

/// What a workload's nodes may be, each as one node in so many; 0 is never
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mix {
    /// Attempts that fail
    fails: u64,
    /// A time limit over all attempts
    deadline: u64,
    /// A failure waits for a person
    pauses: u64,
    /// A step that a person does
    manual: u64,
    /// Ended by a callback
    later: u64,
    /// Runs an operation
    child: u64,
    /// An approval
    gate: u64,
    /// A gate of any kind
    waits: u64,
    /// A failure has all that was done taken back
    rollback: u64,
    /// It says what undoes it
    compensated: u64,
}

impl Mix {
    pub const fn of(workload: Workload) -> Self {
        const NONE: Mix = Mix {
            fails: 0,
            deadline: 0,
            pauses: 0,
            manual: 0,
            later: 0,
            child: 0,
            gate: 0,
            waits: 0,
            rollback: 0,
            compensated: 0,
        };
        match workload {
            Workload::Chain
            | Workload::Diamond
            | Workload::Layers
            | Workload::Fan
            | Workload::Cancel
            | Workload::Pause
            | Workload::Queue => NONE,
            Workload::Failures => Self { fails: 3, deadline: 4, ..NONE },
            Workload::Gates => Self { gate: 4, ..NONE },
            Workload::Patches => Self { fails: 5, gate: 5, pauses: 12, ..NONE },
            Workload::Waits => Self { waits: 2, ..NONE },
            Workload::Hands => Self { fails: 2, pauses: 2, manual: 5, deadline: 6, ..NONE },
            Workload::Callbacks => Self { later: 2, fails: 4, pauses: 8, ..NONE },
            Workload::Nested => Self { child: 3, fails: 6, pauses: 4, ..NONE },
            Workload::Undo => Self { fails: 3, child: 5, rollback: 2, compensated: 2, ..NONE },
            Workload::Retry => {
                Self { fails: 2, deadline: 8, gate: 6, child: 8, rollback: 6, compensated: 3, ..NONE }
            }
            Workload::Everything => {
                let by_hand = Self { pauses: 5, manual: 8, gate: 6, waits: 8, ..NONE };
                Self { fails: 4, deadline: 8, later: 5, child: 6, ..by_hand }
            }
        }
    }
}

impl Mix {
    /// Whether some gates open or close at a time
    pub const fn waits_for_a_time(&self) -> bool {
        self.waits > 0
    }
}

/// What a node is
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Job,
    Manual,
    Child,
    Approval,
    Gate,
}

/// Graphs by chance, of nodes in a mix
pub(super) struct Tale {
    chance: Chance,
    mix: Mix,
    /// How many operations stand above
    depth: u32,
}

impl Tale {
    pub const fn new(chance: Chance, mix: Mix) -> Self {
        Self { chance, mix, depth: 0 }
    }

    /// One node after the other
    pub fn chain(&self, size: usize) -> Result<Part, StoryError> {
        self.part((0..size).map(|n| self.node(n, n.checked_sub(1))).collect::<Result<_, _>>()?)
    }

    /// Out to many, and in again
    pub fn diamond(&self, size: usize) -> Result<Part, StoryError> {
        let last = size.max(3) - 1;
        let mut nodes = vec![self.node(0, [])?];
        for n in 1..last {
            nodes.push(self.node(n, [0])?);
        }
        nodes.push(self.node(last, 1..last)?);
        self.part(nodes)
    }

    /// Each node waits for some of the six before it
    pub fn layers(&self, size: usize) -> Result<Part, StoryError> {
        let mut nodes = Vec::new();
        for n in 0..size {
            let chance = self.chance.of("edges").at(n as u64);
            let near = n.saturating_sub(6);
            let needs = (near..n).filter(|before| chance.at(*before as u64).below(3) == 0);
            nodes.push(self.node(n, needs)?);
        }
        self.part(nodes)
    }

    /// One after the other, out and in again, or in layers
    pub fn of_any_shape(&self, size: usize) -> Result<Part, StoryError> {
        match self.chance.of("shape").below(6) {
            0 => self.chain(size),
            1 | 2 => self.diamond(size),
            _ => self.layers(size),
        }
    }

    /// Has the operation of `parts`, and further ones, use what they may not share
    pub fn share(&self, parts: &mut Vec<Part>, size: usize) -> Result<(), StoryError> {
        for number in 1..2 + self.chance.of("rivals").below(2) {
            let chance = self.chance.of("rival").at(number);
            let mut rival = Self::new(chance, self.mix).layers(size.min(3))?;
            rival.at_s = chance.of("at").below(40);
            rival.takes_back = chance.of("back").one_in(4);
            parts.push(rival);
        }
        for (number, part) in parts.iter_mut().enumerate() {
            let chance = self.chance.of("shares").at(number as u64);
            let (first, both) = (usize::try_from(chance.below(2)).unwrap_or(0), chance.of("both").one_in(3));
            let used = SHARED.iter().skip(if both { 0 } else { first }).take(if both { 2 } else { 1 });
            let used: Result<BTreeSet<Address>, _> = used.map(|text| text.parse()).collect();
            part.exclusive = used.map_err(|error| StoryError::Words(error.to_string()))?;
        }
        Ok(())
    }

    fn is(&self, chance: Chance, name: &str, one_in: u64) -> bool {
        one_in > 0 && chance.of(name).one_in(one_in)
    }

    fn kind(&self, chance: Chance) -> Kind {
        let mix = &self.mix;
        let kinds = [
            (Kind::Gate, "waits", mix.waits),
            (Kind::Approval, "gate", mix.gate),
            (Kind::Manual, "manual", mix.manual),
            (Kind::Child, "child", if self.depth < DEPTH_MAX { mix.child } else { 0 }),
        ];
        let found = kinds.into_iter().find(|(_, name, one_in)| self.is(chance, name, *one_in));
        found.map_or(Kind::Job, |(kind, ..)| kind)
    }

    fn node(&self, number: usize, needs: impl IntoIterator<Item = usize>) -> Result<PlanNode, StoryError> {
        let chance = self.chance.of("node").at(number as u64);
        let mut node = job(number, needs, self.work(chance, "takes"))?;
        match self.kind(chance) {
            Kind::Job => self.furnish(chance, &mut node),
            Kind::Manual => (node.node_type, node.runs) = (NodeType::Intervention, Executor::Decide),
            Kind::Child => {
                (node.node_type, node.runs) = (NodeType::SubOperation, Executor::Decide);
                node.on_failure = self.on_failure(chance);
            }
            kind @ (Kind::Approval | Kind::Gate) => {
                (node.node_type, node.runs) = (NodeType::Gate, Executor::Decide);
                let one = kind == Kind::Approval;
                node.gate = Some(if one { gates::approval(1, None) } else { gates::any(chance)? });
            }
        }
        if node.runs == Executor::Decide {
            node.job_contract = None;
        }
        Ok(node)
    }

    fn work(&self, chance: Chance, takes: &str) -> Work {
        let fails = self.is(chance, "fails", self.mix.fails);
        let failures = if fails { u32::try_from(1 + chance.of("often").below(4)).unwrap_or(1) } else { 0 };
        Work {
            millis: 200 + chance.of(takes).below(if chance.of("long").one_in(6) { 40_000 } else { 4_000 }),
            failures,
            fatal: fails && chance.of("fatal").one_in(3),
        }
    }

    fn on_failure(&self, chance: Chance) -> OnFailure {
        if self.is(chance, "pauses", self.mix.pauses) {
            OnFailure::Pause
        } else if self.is(chance, "rolls back", self.mix.rollback) {
            OnFailure::Rollback
        } else if self.mix.fails > 0 && chance.of("passed").one_in(3) {
            OnFailure::Continue
        } else {
            OnFailure::Fail
        }
    }

    /// Who does the job, within which time, and what its failure means
    fn furnish(&self, chance: Chance, node: &mut PlanNode) {
        if chance.of("agent").one_in(3) {
            let target = target(1 + chance.of("target").below(TARGETS));
            if let Ok(executor) = format!("agent:{target}").parse::<Executor>() {
                node.runs = executor;
            }
        }
        node.on_failure = self.on_failure(chance);
        let Some(contract) = &mut node.job_contract else { return };
        if self.is(chance, "deadline", self.mix.deadline) {
            contract.deadline_s = u32::try_from(2 + chance.of("within").below(40)).ok();
        }
        if node.runs == Executor::Job && self.is(chance, "later", self.mix.later) {
            contract.inputs.insert("answers".to_owned(), "later".into());
        }
        // An agent's job gives nothing, so nobody could say what is to be undone.
        if node.runs == Executor::Job && self.is(chance, "compensated", self.mix.compensated) {
            contract.outputs = vec![GIVES.to_owned()];
            node.compensation = Some(Box::new(self.compensation(chance.of("undo"))));
        }
    }

    /// What undoes a job: another one, which may fail
    fn compensation(&self, chance: Chance) -> Compensation {
        let mut job_contract = contract(self.work(chance, "takes"));
        job_contract.inputs.insert(UNDOES.to_owned(), format!("${{outputs.{GIVES}}}").into());
        Compensation { job_contract, inherits: BTreeSet::new(), runs: Executor::Job, target: None }
    }

    /// The operation over `nodes`, with those that they run
    fn part(&self, nodes: Vec<PlanNode>) -> Result<Part, StoryError> {
        let mut children = BTreeMap::new();
        for (number, node) in (0u64..).zip(&nodes).filter(|(_, it)| it.node_type == NodeType::SubOperation) {
            let chance = self.chance.of("child").at(number);
            let inner = Self { chance, mix: self.mix, depth: self.depth + 1 };
            let size = 1 + usize::try_from(chance.of("size").below(2)).unwrap_or(0);
            children.insert(node.node_id.clone(), inner.layers(size)?);
        }
        let nodes = self.verified(nodes)?;
        Ok(Part { children, ..Part::new(Graph::new(nodes)?) })
    }

    /// `nodes` with a verification behind each that a person does or may take over; whoever waits for such a node waits
    /// for its verification instead
    fn verified(&self, nodes: Vec<PlanNode>) -> Result<Vec<PlanNode>, StoryError> {
        let by_hand =
            |node: &PlanNode| node.node_type == NodeType::Intervention || node.on_failure == OnFailure::Pause;
        let mut checks: BTreeMap<NodeId, NodeId> = BTreeMap::new();
        for node in nodes.iter().filter(|node| by_hand(node)) {
            checks.insert(node.node_id.clone(), format!("{}.check", node.node_id).parse()?);
        }
        let mut all = Vec::new();
        for (number, mut node) in (0u64..).zip(nodes) {
            node.depends_on =
                node.depends_on.iter().map(|need| checks.get(need).unwrap_or(need).clone()).collect();
            let check = checks.get(&node.node_id).map(|id| {
                let chance = self.chance.of("check").at(number);
                let title = format!("look at {}", node.node_id);
                let mut check = PlanNode::new(id.clone(), NodeType::Verification, title, Executor::Job);
                check.depends_on = BTreeSet::from([node.node_id.clone()]);
                let fatal = chance.one_in(8);
                let work = Work { millis: 200, failures: u32::from(fatal), fatal };
                check.job_contract = Some(contract(work));
                check
            });
            all.push(node);
            all.extend(check);
        }
        Ok(all)
    }
}
