//! An operation as it was found, and what that says of when it goes on and when it could be over

use super::{
    ahead::Ahead,
    get::behind,
    waits::{Facts, agents},
};
use crate::side::side_by_side;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use weir_domain::{
    delivery::{Agent, AgentStatus},
    engine::{NodeRun, Operation},
    gate::{Dependency, Earliest, GateFacts, GateSpec},
    id::OperationId,
    operation::{
        EarliestStart, Held, Opens, earliest_end, earliest_start,
        explain::{excluded, said},
        held,
    },
    plan::{Executor, Graph, NodeStatus, NodeType, PlanNode},
    time::Millis,
};
use weir_edge::{
    Cx, Problem,
    wire::{explain::Obstacle, operation::QueuedBehind},
};
use weir_orchestration::{gates::facts_of, scenario::child_id};

/// Gates that are asked when they could open; what is behind more of them is taken to wait for somebody
const GATES_MAX: usize = 200;

/// An operation as it was found
pub(super) struct Looked {
    pub operation: Operation,
    pub graph: Arc<Graph>,
    pub nodes: Vec<NodeRun>,
    pub queued_behind: Vec<QueuedBehind>,
    pub held: Option<Held>,
    pub now: Millis,
    /// What the gates that have not ended are decided on
    gates: BTreeMap<u32, GateFacts>,
    /// Only where agents are asked for
    agents: Vec<Agent>,
}

impl Looked {
    /// Reads what has to be known of `operation`
    pub async fn at(cx: &Cx, operation: Operation, now: Millis) -> Result<Self, Problem> {
        let graph = cx.engine().graph_of(&operation).await?;
        let nodes = cx.engine().all_nodes(&operation).await?;
        let queued_behind = if operation.materialised { Vec::new() } else { behind(cx, &operation).await? };
        let before: Vec<_> = queued_behind.iter().map(|it| it.operation_id).collect();
        let held = held(&operation, &before);
        let mut looked = Self {
            operation,
            graph,
            nodes,
            queued_behind,
            held,
            now,
            gates: BTreeMap::new(),
            agents: Vec::new(),
        };
        if looked.operation.is_active() {
            looked.gates = looked.read_gates(cx).await?;
            if looked.left().any(|(_, node)| matches!(node.runs, Executor::Agent(_))) {
                looked.agents = agents(cx, &looked.operation.info.scope).await?;
            }
        }
        Ok(looked)
    }

    async fn read_gates(&self, cx: &Cx) -> Result<BTreeMap<u32, GateFacts>, Problem> {
        let (operation, graph) = (&self.operation, &self.graph);
        let open = self.left().filter(|(_, node)| node.node_type == NodeType::Gate).take(GATES_MAX);
        let looks = open.map(|(ordinal, _)| async move {
            Ok(facts_of(cx.engine(), operation, graph, ordinal).await?.map(|found| (ordinal, found)))
        });
        let found: Vec<Option<(u32, GateFacts)>> = side_by_side(looks.collect()).await?;
        Ok(found.into_iter().flatten().collect())
    }

    fn runs(&self) -> BTreeMap<u32, &NodeRun> {
        self.nodes.iter().map(|node| (node.ordinal, node)).collect()
    }

    /// The nodes that have not ended
    fn left(&self) -> impl Iterator<Item = (u32, &PlanNode)> {
        let ended = self.nodes.iter().filter(|run| run.status.is_terminal()).map(|run| run.ordinal);
        let ended: BTreeSet<u32> = ended.collect();
        self.graph.living().filter(move |(ordinal, _)| !ended.contains(ordinal))
    }

    /// The operations that have to end before this one goes on everywhere: those before it in its queues, those that its
    /// nodes run, and those that its gates wait for
    pub fn waits_for(&self) -> BTreeSet<OperationId> {
        let queued = self.queued_behind.iter().filter_map(|it| it.operation_id);
        let run = self.nodes.iter().filter(|node| node.runs_operation()).map(|node| self.child(node));
        let gates = self.left().filter_map(|(_, node)| depends_on(node));
        queued.chain(run).chain(gates).collect()
    }

    fn child(&self, node: &NodeRun) -> OperationId {
        child_id(self.operation.info.operation_id, node.ordinal, node.attempt)
    }

    /// What the first `limit` of the nodes that wait now wait for, each with what has been said about it
    pub async fn waits(&self, cx: &Cx, limit: usize) -> Result<Vec<Obstacle>, Problem> {
        let may_wait = |node: &&NodeRun| matches!(node.status, NodeStatus::Ready | NodeStatus::Waiting);
        let nodes: Vec<NodeRun> = self.nodes.iter().filter(may_wait).take(limit).cloned().collect();
        let facts = Facts::gather(cx, &self.operation, &self.graph, &nodes, self.now).await?;
        let obstacle = |node: &NodeRun| {
            let wait = facts.wait(node, self.graph.node(node.ordinal)?)?;
            let gate = facts.gate(node.ordinal);
            let (said, excluded) = (gate.map(said), gate.map(excluded));
            Some(Obstacle { wait, said: said.unwrap_or_default(), excluded: excluded.unwrap_or_default() })
        };
        Ok(nodes.iter().filter_map(obstacle).collect())
    }

    /// When the next piece of work could begin, as the gates before it answer for the time at which they would be asked
    pub fn earliest(&self, ahead: &Ahead) -> Option<EarliestStart> {
        let (held, from, runs) = (self.held.as_ref(), self.turn(ahead), self.runs());
        let opens = |ordinal, at| self.opens(ahead, runs.get(&ordinal).copied(), ordinal, at);
        earliest_start(&self.graph, &runs, held, opens, |node| self.is_served(node), from)
    }

    /// When all of it could be over
    pub fn end(&self, ahead: &Ahead) -> Opens {
        let (held, from, runs) = (self.held.as_ref(), self.turn(ahead), self.runs());
        let opens = |ordinal, at| self.opens(ahead, runs.get(&ordinal).copied(), ordinal, at);
        earliest_end(&self.graph, &runs, held, opens, |node| self.is_served(node), from)
    }

    /// Not before this it is its turn on everything that it uses alone
    fn turn(&self, ahead: &Ahead) -> Millis {
        let before = self.queued_behind.iter().filter_map(|it| it.operation_id);
        let ends = before.filter_map(|id| match ahead.ends(id)? {
            Opens::At(at) | Opens::Somebody(at) => Some(at),
            Opens::Never => None, // it leaves as soon as it fails
        });
        ends.fold(self.now, Millis::max)
    }

    /// From when on what waits at `ordinal` at the time `at` could go on
    fn opens(&self, ahead: &Ahead, run: Option<&NodeRun>, ordinal: u32, at: Millis) -> Opens {
        let Some(node) = self.graph.node(ordinal) else { return Opens::Never };
        if node.node_type != NodeType::Gate {
            return match run.and_then(|run| ahead.ends(self.child(run))) {
                // It may be tried again, or passed by.
                Some(Opens::Never) | None => Opens::At(at),
                Some(ends) => ends,
            };
        }
        let asked = node.gate.as_ref().zip(self.gates.get(&ordinal)).map(|(spec, facts)| spec.ask(facts, at));
        let Some(answer) = asked else { return Opens::Somebody(at) };
        match (answer.earliest, depends_on(node).and_then(|id| ahead.ends(id))) {
            (Earliest::Unknown {}, Some(Opens::At(ends) | Opens::Somebody(ends))) => {
                Opens::Somebody(ends.max(at))
            }
            (Earliest::Unknown {}, Some(Opens::Never)) => Opens::Never,
            _ => Opens::of(&answer, at),
        }
    }

    fn is_served(&self, node: &PlanNode) -> bool {
        match (&node.runs, &node.job_contract) {
            (Executor::Agent(target), Some(contract)) => self.agents.iter().any(|agent| {
                agent.serves(target, &contract.capability) && agent.status(self.now) != AgentStatus::Offline
            }),
            (Executor::Agent(_) | Executor::Decide | Executor::Job | Executor::Join, _) => true,
        }
    }
}

/// The operation that the gate of a node waits for
fn depends_on(node: &PlanNode) -> Option<OperationId> {
    match node.gate.as_ref()? {
        GateSpec::Dependency(gate) => match &gate.on {
            Dependency::Operation(id) => Some(*id),
            Dependency::Release(_) => None,
        },
        GateSpec::Approval(_)
        | GateSpec::FreezeWindow(_)
        | GateSpec::Manual(_)
        | GateSpec::Schedule(_)
        | GateSpec::Policy(_)
        | GateSpec::Security(_) => None,
    }
}
