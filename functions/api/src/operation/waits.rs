//! What a node waits for, who can end that, and since when

use crate::side::side_by_side;
use std::collections::BTreeMap;
use weir_domain::{
    definition::address::Address,
    delivery::Agent,
    engine::{NodeRun, Operation},
    gate::{Gate, GateAnswer, GateSpec},
    id::OperationId,
    intervention::{Intervention, intervention_id},
    plan::{Executor, Graph, NodeStatus, NodeType, PlanNode},
    scope::Scope,
    time::{Millis, Time},
};
use weir_edge::{
    Cx, Problem,
    authz::able,
    wire::operation::{Wait, WaitKind},
};
use weir_orchestration::{gates::ask, scenario::child_id};
use weir_store::{Entity as _, Key, Query};

/// The list that every agent stands in, and how many of it are read
const AGENTS_LIST: &str = "registered";
const AGENTS_MAX: usize = 1_000;

/// What has to be known to say what the nodes of an operation wait for: read only where a node asks for it
pub(super) struct Facts {
    now: Millis,
    operation: OperationId,
    gates: BTreeMap<u32, (Option<Gate>, GateAnswer)>,
    interventions: BTreeMap<u32, Intervention>,
    agents: Vec<Agent>,
}

/// The agents of the scope, each with what it serves and when it was heard of last
pub(super) async fn agents(cx: &Cx, scope: &Scope) -> Result<Vec<Agent>, Problem> {
    let all = Query::Lists(vec![Key::list(scope, Agent::KIND, AGENTS_LIST)]);
    Ok(cx.table().list::<Agent>(&all, None, AGENTS_MAX).await?.0)
}

impl Facts {
    /// Reads what the nodes that wait now ask for
    pub async fn gather(
        cx: &Cx,
        operation: &Operation,
        graph: &Graph,
        nodes: &[NodeRun],
        now: Millis,
    ) -> Result<Self, Problem> {
        let scope = &operation.info.scope;
        let mut facts = Self {
            now,
            operation: operation.info.operation_id,
            gates: BTreeMap::new(),
            interventions: BTreeMap::new(),
            agents: Vec::new(),
        };
        let by_hand = nodes.iter().filter(|node| node.awaits_person()).map(|node| async move {
            let id = intervention_id(operation.info.operation_id, node.ordinal, node.attempt);
            let found = cx.table().read::<Intervention>(&Key::entity(scope, Intervention::KIND, id)).await?;
            Ok(found.map(|(found, _)| (node.ordinal, found)))
        });
        facts.interventions.extend(side_by_side(by_hand.collect()).await?.into_iter().flatten());
        let waiting = nodes.iter().filter(|node| node.status == NodeStatus::Waiting);
        let gates = waiting.map(|node| async move {
            let asked = ask(cx.engine(), operation, graph, node.ordinal).await?;
            Ok(asked.map(|asked| (node.ordinal, asked)))
        });
        facts.gates.extend(side_by_side(gates.collect()).await?.into_iter().flatten());
        let unclaimed = |node: &NodeRun| {
            node.status == NodeStatus::Ready && matches!(node.terms.runs, Executor::Agent(_))
        };
        if nodes.iter().any(unclaimed) {
            facts.agents = agents(cx, scope).await?;
        }
        Ok(facts)
    }

    /// What `node` waits for now, if it waits for anything but other nodes
    pub fn wait(&self, node: &NodeRun, plan_node: &PlanNode) -> Option<Wait> {
        match node.status {
            NodeStatus::Ready => Some(self.start(node, plan_node)),
            NodeStatus::Waiting => Some(self.outside(node, plan_node)),
            NodeStatus::Pending
            | NodeStatus::Running
            | NodeStatus::Succeeded
            | NodeStatus::Failed
            | NodeStatus::Skipped => None,
        }
    }

    /// The record of the gate at `ordinal`, if it waits
    pub fn gate(&self, ordinal: u32) -> Option<&Gate> {
        self.gates.get(&ordinal)?.0.as_ref()
    }

    /// Nobody has begun the attempt yet
    fn start(&self, node: &NodeRun, plan_node: &PlanNode) -> Wait {
        let since: Time = node.ready_at.unwrap_or(self.now).into();
        // A first attempt has no backoff; one that was claimed while this call was under way lies in its future.
        let held = node.not_before.filter(|at| *at > self.now && !node.past.is_empty());
        let (kind, what, who) = match (&node.terms.runs, held) {
            (_, Some(_)) => {
                let what = format!("attempt {} of {}, after its backoff", node.attempt, node.terms.attempts);
                (WaitKind::Retry, what, "nobody: it begins by itself".to_owned())
            }
            (Executor::Agent(target), None) => (
                WaitKind::Agent,
                format!("an agent of `{target}` to claim it"),
                self.agents_of(target, plan_node),
            ),
            (Executor::Job, None) => (
                WaitKind::Worker,
                "a worker to take it".to_owned(),
                "nobody: it is sent again by itself".to_owned(),
            ),
            (Executor::Decide | Executor::Join, None) => (
                WaitKind::Worker,
                "the engine to decide it".to_owned(),
                "nobody: it is decided by itself".to_owned(),
            ),
        };
        Wait {
            node_id: plan_node.node_id.clone(),
            kind,
            what,
            who,
            since,
            until: held.map(Into::into),
            gate_id: None,
            intervention_id: None,
            may: Vec::new(),
            operation_id: None,
        }
    }

    /// The agents that may claim a task of `target`, with how each is
    fn agents_of(&self, target: &Address, plan_node: &PlanNode) -> String {
        let capability = plan_node.job_contract.as_ref().map_or("", |contract| contract.capability.as_str());
        let known: Vec<_> = self
            .agents
            .iter()
            .filter(|agent| agent.serves(target, capability))
            .map(|agent| {
                format!("agent `{}` ({}), which is {}", agent.name, agent.id, agent.status(self.now).as_str())
            })
            .collect();
        if known.is_empty() {
            format!("nobody yet: register an agent for `{target}` that can `{capability}`")
        } else {
            known.join(" or ")
        }
    }

    /// It waits for something outside
    fn outside(&self, node: &NodeRun, plan_node: &PlanNode) -> Wait {
        let since: Time = node.started_at.or(node.ready_at).unwrap_or(self.now).into();
        let wait = |kind, what: String, who: String| Wait {
            node_id: plan_node.node_id.clone(),
            kind,
            what,
            who,
            since,
            until: None,
            gate_id: None,
            intervention_id: None,
            may: Vec::new(),
            operation_id: None,
        };
        if node.awaits_person() {
            return self.person(node, wait);
        }
        if let Some((gate, answer)) = self.gates.get(&node.ordinal) {
            let kind = plan_node.gate.as_ref().map_or(WaitKind::Approval, kind_of);
            let waits = wait(kind, answer.what.clone(), answer.who.clone());
            let people = plan_node.gate.as_ref().is_some_and(GateSpec::is_for_people);
            let ends = gate.as_ref().and_then(|gate| gate.expires_at);
            return Wait {
                gate_id: gate.as_ref().map(|gate| gate.gate_id),
                since: gate.as_ref().map_or(since, |gate| gate.created_at),
                until: if people { ends } else { answer.earliest.time().or(ends) },
                ..waits
            };
        }
        if node.waits_for_callback() {
            let what = "whoever it called to call back".to_owned();
            let who = "nobody: it is given up when its time is over".to_owned();
            return Wait { until: node.deadline.map(Into::into), ..wait(WaitKind::Worker, what, who) };
        }
        match node.terms.kind {
            NodeType::SubOperation => {
                let child = child_id(self.operation, node.ordinal, node.attempt);
                let what = format!("operation {child} to end");
                let who = "whoever that one waits for".to_owned();
                Wait { operation_id: Some(child), ..wait(WaitKind::SubOperation, what, who) }
            }
            NodeType::Gate => {
                wait(WaitKind::Approval, "its gate to open".to_owned(), "nobody yet".to_owned())
            }
            NodeType::Job
            | NodeType::Verification
            | NodeType::Intervention
            | NodeType::Change
            | NodeType::Evidence
            | NodeType::Join => {
                wait(WaitKind::Intervention, "a person to look at it".to_owned(), "an operator".to_owned())
            }
        }
    }
}

const fn kind_of(spec: &GateSpec) -> WaitKind {
    match spec {
        GateSpec::Approval(_) => WaitKind::Approval,
        GateSpec::FreezeWindow(_) => WaitKind::FreezeWindow,
        GateSpec::Manual(_) => WaitKind::Manual,
        GateSpec::Schedule(_) => WaitKind::Schedule,
        GateSpec::Dependency(_) => WaitKind::Dependency,
        GateSpec::Policy(_) => WaitKind::Policy,
        GateSpec::Security(_) => WaitKind::Security,
    }
}

impl Facts {
    /// A person has to take the node by hand
    fn person(&self, node: &NodeRun, wait: impl Fn(WaitKind, String, String) -> Wait) -> Wait {
        let what = match &node.error {
            Some(error) => format!("a person, since it failed: {}", error.message),
            None => "a person to do it".to_owned(),
        };
        let who = format!("anyone with one of the roles {}", able("intervention:decide"));
        let waits = wait(WaitKind::Intervention, what, who);
        match self.interventions.get(&node.ordinal) {
            Some(found) => Wait {
                intervention_id: Some(found.intervention_id),
                may: found.may.clone(),
                since: found.created_at,
                ..waits
            },
            None => waits,
        }
    }
}
