//! `GET /v1/operations/{operation}/timeline`: what happened, the earliest first
//!
//! What people and the engine did to the operation is stored; what its nodes did is told from their runs, which
//! saves writing it twice.

use super::{OperationPath, find};
use serde_json::{Map, json};
use weir_domain::{
    engine::{NodeRun, Operation},
    failure::FailureSummary,
    id::{EventId, Id as _},
    plan::{Executor, NodeStatus, NodeType, PlanNode},
    time::Millis,
    timeline::{Level, TimelineEvent, TimelineKind},
};
use weir_edge::{Answer, Call, Cx, Endpoint, Nothing, Problem, Route, Use, wire::operation::Timeline};
use weir_store::{Key, Query};

/// Stored events that are told, the newest of them: more than any operation but a long-lived one has
const EVENTS_MAX: usize = 1_000;

/// Shows what happened in an operation
pub struct OperationTimeline;

impl Endpoint for OperationTimeline {
    const ROUTE: Route = Route {
        path: "/v1/operations/{operation}/timeline",
        operation: "operation_timeline",
        permission: "operation:read",
        summary: "Shows what happened in an operation, the earliest first",
        uses: &[Use::TableRead, Use::ObjectsRead("plans/")],
        ..Route::GET
    };
    type Path = OperationPath;
    type Query = Nothing;
    type Body = Nothing;
    type Reply = Timeline;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<Timeline>, Problem> {
        let operation = find(cx, &call.scope, call.path.operation).await?;
        let nodes = cx.engine().all_nodes(&operation).await?;
        let events = events(cx, &operation, &nodes).await?;
        Ok(Timeline { operation_id: operation.info.operation_id, events }.into())
    }
}

/// What happened in an operation with these nodes, the earliest first
pub(crate) async fn events(
    cx: &Cx,
    operation: &Operation,
    nodes: &[NodeRun],
) -> Result<Vec<TimelineEvent>, Problem> {
    let info = &operation.info;
    let pk = Key::operation_partition(&info.scope, info.operation_id);
    let stored = Query::Partition { pk, prefix: "event#".to_owned() };
    let (mut events, _) = cx.table().list::<TimelineEvent>(&stored, None, EVENTS_MAX).await?;
    let graph = cx.engine().graph_of(operation).await?;
    for node in nodes {
        if let Some(plan_node) = graph.node(node.ordinal).filter(|node| node.node_type != NodeType::Join) {
            events.extend(told(operation, node, plan_node));
        }
    }
    events.sort_by_key(|event| (event.ts, event.id));
    Ok(events)
}

/// What one node run tells: each attempt's begin and end, and the node's
fn told(operation: &Operation, node: &NodeRun, plan_node: &PlanNode) -> Vec<TimelineEvent> {
    let teller = Teller { operation, node, plan_node };
    let mut events = Vec::new();
    for past in &node.past {
        events.extend(past.started_at.map(|at| teller.moved(at, past.attempt, NodeStatus::Running, None)));
        events.push(teller.retried(past.ended_at, past.attempt, &past.error));
    }
    if node.terms.runs != Executor::Decide {
        events.extend(node.ready_at.map(|at| teller.moved(at, node.attempt, NodeStatus::Ready, None)));
    }
    let waits = matches!(node.terms.kind, NodeType::Gate | NodeType::Intervention);
    let begun = if waits { NodeStatus::Waiting } else { NodeStatus::Running };
    events.extend(node.started_at.map(|at| teller.moved(at, node.attempt, begun, None)));
    if node.status.is_terminal() {
        events.extend(
            node.finished_at.map(|at| teller.moved(at, node.attempt, node.status, node.error.as_ref())),
        );
    }
    events
}

struct Teller<'a> {
    operation: &'a Operation,
    node: &'a NodeRun,
    plan_node: &'a PlanNode,
}

impl Teller<'_> {
    fn moved(
        &self,
        at: Millis,
        attempt: u32,
        to: NodeStatus,
        error: Option<&FailureSummary>,
    ) -> TimelineEvent {
        let mut message = format!("{}: {}", self.plan_node.title, to.as_str());
        if let Some(error) = error {
            message.push_str(&format!(", {}", error.message));
        }
        let event = self.event(at, TimelineKind::NodeStatusChanged, attempt, to.as_str(), message);
        let level = if to == NodeStatus::Failed { Level::Error } else { Level::Info };
        TimelineEvent { level, ..event }
    }

    fn retried(&self, at: Millis, attempt: u32, error: &FailureSummary) -> TimelineEvent {
        let (title, max) = (&self.plan_node.title, self.node.terms.attempts);
        let message = format!("{title}: attempt {attempt} of {max} failed, {}", error.message);
        let event = self.event(at, TimelineKind::NodeRetried, attempt, "retried", message);
        TimelineEvent { level: Level::Warn, ..event }
    }

    /// Its id is derived from what it tells, so that it is the same whenever it is told
    fn event(
        &self,
        at: Millis,
        kind: TimelineKind,
        attempt: u32,
        status: &str,
        message: String,
    ) -> TimelineEvent {
        let (operation, ordinal) = (self.operation.info.operation_id, self.node.ordinal);
        let id = EventId::derived(at.0, &format!("{operation}/{ordinal}/{attempt}/{status}"));
        let mut event = TimelineEvent::new(id, at.into(), operation, kind, message)
            .at_node(ordinal, self.plan_node.node_id.clone());
        event.meta =
            Map::from_iter([("attempt".to_owned(), json!(attempt)), ("status".to_owned(), json!(status))]);
        event
    }
}
