//! `GET /v1/operations/{operation}/explain`: why an operation is not further, and when it could be

use super::{OperationPath, find, view, waits::Facts};
use std::collections::BTreeMap;
use weir_domain::{
    engine::{NodeRun, Operation},
    gate::GateFacts,
    operation::{
        EarliestStart, Held, Opens, earliest_start,
        explain::{excluded, said},
        held,
    },
    plan::{Graph, NodeType},
    time::Millis,
};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Nothing, Problem, Route, Use,
    wire::explain::{Explanation, Obstacle},
};
use weir_orchestration::gates::facts_of;

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
        let waits = if active { waits(cx, &operation, &graph, &nodes, call.now).await? } else { Vec::new() };
        let behind = cx.engine().behind(&operation).await?;
        let behind: Vec<_> = behind.into_iter().map(|it| it.operation).collect();
        let earliest = if active { earliest(cx, &operation, &graph, &nodes, call.now).await? } else { None };
        let held = held(&operation, if operation.materialised { &[] } else { &behind });
        Ok(Explanation {
            operation_id: shown.operation_id,
            title: shown.title,
            status: shown.status,
            since: shown.updated_at,
            commands: commands(&operation, held.as_ref(), &waits),
            held,
            waits,
            earliest,
        }
        .into())
    }
}

/// What the nodes wait for now, each with what has been said about it
async fn waits(
    cx: &Cx,
    operation: &Operation,
    graph: &Graph,
    nodes: &[NodeRun],
    now: Millis,
) -> Result<Vec<Obstacle>, Problem> {
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
async fn earliest(
    cx: &Cx,
    operation: &Operation,
    graph: &Graph,
    nodes: &[NodeRun],
    now: Millis,
) -> Result<Option<EarliestStart>, Problem> {
    let runs: BTreeMap<u32, &NodeRun> = nodes.iter().map(|node| (node.ordinal, node)).collect();
    let ended = |ordinal: &u32| runs.get(ordinal).is_some_and(|run| run.status.is_terminal());
    let open = graph.living().filter(|(ordinal, node)| node.node_type == NodeType::Gate && !ended(ordinal));
    let mut facts: BTreeMap<u32, GateFacts> = BTreeMap::new();
    for (ordinal, _) in open.take(GATES_MAX) {
        facts.extend(facts_of(cx.engine(), operation, graph, ordinal).await?.map(|found| (ordinal, found)));
    }
    let opens = |ordinal: u32, at: Millis| {
        let spec = graph.node(ordinal).and_then(|node| node.gate.as_ref());
        let asked = spec.zip(facts.get(&ordinal)).map(|(spec, facts)| spec.ask(facts, at));
        asked.map_or(Opens::Somebody, |answer| Opens::of(&answer, at))
    };
    Ok(earliest_start(graph, &runs, opens, now))
}

/// What can be done about it, in the words of the command line
fn commands(operation: &Operation, held: Option<&Held>, waits: &[Obstacle]) -> Vec<String> {
    let id = operation.info.operation_id;
    let resume = match held {
        Some(Held::Paused { .. }) => Some(format!("weir operation resume {id}")),
        Some(Held::Ending { .. } | Held::Queued { .. } | Held::Beginning {}) | None => None,
    };
    resume.into_iter().chain(waits.iter().filter_map(|it| it.wait.command())).collect()
}
