//! `GET /v1/operations/{operation}/explain`: why an operation is not further, and when it could be

use super::{
    OperationPath, find,
    get::behind,
    view,
    waits::{Facts, agents},
};
use std::collections::{BTreeMap, BTreeSet};
use weir_domain::{
    delivery::AgentStatus,
    engine::{NodeRun, Operation},
    gate::GateFacts,
    id::OperationId,
    operation::{
        EarliestStart, Held, Opens, OperationStatus, OperationType, earliest_start,
        explain::{excluded, said},
        held,
    },
    plan::{Executor, Graph, NodeType, PlanNode},
    time::Millis,
};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Nothing, Problem, Route, Use,
    wire::explain::{Explanation, Obstacle},
};
use weir_orchestration::{
    gates::facts_of,
    rollback::rollback_id,
    scenario::{PARENT, retried_by},
};

/// Gates that are asked when they could open; what is behind more of them is taken to wait for somebody
const GATES_MAX: usize = 200;

/// Says why an operation is not further
pub struct OperationExplain;

impl Endpoint for OperationExplain {
    const ROUTE: Route = Route {
        path: "/v1/operations/{operation}/explain",
        operation: "operation_explain",
        permission: "operation:read",
        summary: "Says why an operation is not further, who or what can end that, and when it could go on at the earliest",
        uses: &[Use::TableRead, Use::ObjectsRead("plans/")],
        ..Route::GET
    };
    type Path = OperationPath;
    type Query = Nothing;
    type Body = Nothing;
    type Reply = Explanation;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<Explanation>, Problem> {
        let operation = find(cx, &call.scope, call.path.operation).await?;
        let graph = cx.engine().graph_of(&operation).await?;
        let nodes = cx.engine().all_nodes(&operation).await?;
        let shown = view::view(&operation, &nodes, call.now);
        let active = operation.is_active();
        let queued_behind = if operation.materialised { Vec::new() } else { behind(cx, &operation).await? };
        let before: Vec<_> = queued_behind.iter().map(|it| it.operation_id).collect();
        let held = held(&operation, &before);
        let looked = Looked { operation: &operation, graph: &graph, nodes: &nodes, now: call.now };
        let (waits, earliest, commands) = if active {
            let waits = looked.waits(cx).await?;
            let commands = commands(&operation, held.as_ref(), &waits);
            (waits, looked.earliest(cx, held.as_ref()).await?, commands)
        } else {
            (Vec::new(), None, after_end(cx, &operation).await?)
        };
        Ok(Explanation {
            operation_id: shown.operation_id,
            title: shown.title,
            status: shown.status,
            since: shown.updated_at,
            commands,
            held,
            queued_behind,
            failure: shown.failure_summary,
            waits,
            earliest,
        }
        .into())
    }
}

/// An operation as it was found
struct Looked<'a> {
    operation: &'a Operation,
    graph: &'a Graph,
    nodes: &'a [NodeRun],
    now: Millis,
}

impl Looked<'_> {
    /// What the nodes wait for now, each with what has been said about it
    async fn waits(&self, cx: &Cx) -> Result<Vec<Obstacle>, Problem> {
        let Self { operation, graph, nodes, now } = *self;
        let facts = Facts::gather(cx, operation, graph, nodes, now).await?;
        let obstacle = |node: &NodeRun| {
            let wait = facts.wait(node, graph.node(node.ordinal)?)?;
            let gate = facts.gate(node.ordinal);
            let (said, excluded) = (gate.map(said), gate.map(excluded));
            Some(Obstacle { wait, said: said.unwrap_or_default(), excluded: excluded.unwrap_or_default() })
        };
        Ok(nodes.iter().filter_map(obstacle).collect())
    }

    /// When the next piece of work could begin, as the gates before it answer for the time at which they would be asked
    async fn earliest(&self, cx: &Cx, held: Option<&Held>) -> Result<Option<EarliestStart>, Problem> {
        let Self { operation, graph, nodes, now } = *self;
        let runs: BTreeMap<u32, &NodeRun> = nodes.iter().map(|node| (node.ordinal, node)).collect();
        let ended = |ordinal: &u32| runs.get(ordinal).is_some_and(|run| run.status.is_terminal());
        let left = || graph.living().filter(|(ordinal, _)| !ended(ordinal));
        let open = left().filter(|(_, node)| node.node_type == NodeType::Gate);
        let mut facts: BTreeMap<u32, GateFacts> = BTreeMap::new();
        for (ordinal, _) in open.take(GATES_MAX) {
            facts.extend(
                facts_of(cx.engine(), operation, graph, ordinal).await?.map(|found| (ordinal, found)),
            );
        }
        let opens = |ordinal: u32, at: Millis| {
            let spec = graph.node(ordinal).and_then(|node| node.gate.as_ref());
            let asked = spec.zip(facts.get(&ordinal)).map(|(spec, facts)| spec.ask(facts, at));
            asked.map_or(Opens::Somebody, |answer| Opens::of(&answer, at))
        };
        let asks_agents = left().any(|(_, node)| matches!(node.runs, Executor::Agent(_)));
        let agents = if asks_agents { agents(cx, &operation.info.scope).await? } else { Vec::new() };
        let is_served = |node: &PlanNode| match (&node.runs, &node.job_contract) {
            (Executor::Agent(target), Some(contract)) => agents.iter().any(|agent| {
                agent.serves(target, &contract.capability) && agent.status(now) != AgentStatus::Offline
            }),
            (Executor::Agent(_) | Executor::Decide | Executor::Job | Executor::Join, _) => true,
        };
        Ok(earliest_start(graph, &runs, held, opens, is_served, now))
    }
}

/// What can be done about it, in the words of the command line
fn commands(operation: &Operation, held: Option<&Held>, waits: &[Obstacle]) -> Vec<String> {
    let id = operation.info.operation_id;
    let first = match held {
        Some(Held::Paused { by, .. }) => {
            let parent = operation.info.parent.filter(|_| by == PARENT);
            vec![format!("weir operation resume {}", parent.map_or(id, |parent| parent.operation))]
        }
        Some(Held::Queued { behind }) => {
            let behind: BTreeSet<OperationId> = behind.iter().copied().collect();
            behind.into_iter().map(|ahead| format!("weir explain {ahead}")).collect()
        }
        Some(Held::Ending { .. } | Held::Beginning {}) | None => Vec::new(),
    };
    first.into_iter().chain(waits.iter().filter_map(|it| it.wait.command())).collect()
}

/// What can be done about an operation that has ended without succeeding
async fn after_end(cx: &Cx, operation: &Operation) -> Result<Vec<String>, Problem> {
    let (info, id) = (&operation.info, operation.info.operation_id);
    if operation.status == OperationStatus::Succeeded {
        return Ok(Vec::new());
    }
    if let Some(parent) = info.parent {
        return Ok(vec![format!("weir explain {}", parent.operation)]);
    }
    if info.operation_type != OperationType::ScenarioRun {
        return Ok(vec![format!("weir operation timeline {id}")]);
    }
    if let Some(again) = retried_by(cx.engine(), &info.scope, id).await? {
        return Ok(vec![format!("weir explain {again}")]);
    }
    let back = match rollback_id(operation) {
        Some(back) => cx.table().operation_get(&info.scope, back).await?,
        None => None,
    };
    Ok(vec![match back {
        Some(back) => format!("weir explain {}", back.info.operation_id),
        None => format!("weir operation retry {id}"),
    }])
}
