//! `GET /v1/operations/{operation}/timeline`: what happened, the earliest first
//!
//! What people and the engine did to the operation is stored; what its nodes did is told from their runs, which
//! saves writing it twice.

use super::{OperationPath, find};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, json};
use weir_domain::{
    engine::{NodeRun, Operation},
    failure::FailureSummary,
    id::{EventId, Id as _},
    plan::{Executor, Graph, NodeStatus, NodeType, PlanNode, segment_of},
    time::Millis,
    timeline::{Level, TimelineEvent, TimelineKind},
};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Kind, Nothing, Problem, Route, Use,
    wire::operation::{TIMELINE_PAGE_MAX, Timeline},
};
use weir_store::{Key, Query};

/// Stored events that are told where all is told at once, the newest of them: more than any operation but a
/// long-lived one has
const EVENTS_MAX: usize = 1_000;

/// How many events a page has, where the caller does not say
const PAGE_DEFAULT: u32 = 1_000;

/// Shows what happened in an operation
pub struct OperationTimeline;

/// Which part of it
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OperationTimelineQuery {
    /// At most so many events; 1,000 if absent, never more than 5,000. What one node tells is not parted
    limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before
    cursor: Option<String>,
}

impl Endpoint for OperationTimeline {
    const ROUTE: Route = Route {
        path: "/v1/operations/{operation}/timeline",
        operation: "operation_timeline",
        permission: "operation:read",
        summary: "Shows what happened in an operation: what was done to it, then what its nodes did; each page the earliest first",
        uses: &[Use::TableRead, Use::ObjectsRead("plans/"), Use::LargeAnswers],
        ..Route::GET
    };
    type Path = OperationPath;
    type Query = OperationTimelineQuery;
    type Body = Nothing;
    type Reply = Timeline;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<Timeline>, Problem> {
        let operation = find(cx, &call.scope, call.path.operation).await?;
        let limit = call.query.limit.unwrap_or(PAGE_DEFAULT).clamp(1, TIMELINE_PAGE_MAX);
        let limit = usize::try_from(limit).unwrap_or(1);
        let place = call.query.cursor.as_deref().map(Place::read).transpose()?;
        let (mut events, next) = page(cx, &operation, place.unwrap_or(Place::Stored(None)), limit).await?;
        events.sort_by_key(|event| (event.ts, event.id));
        let next_cursor = next.map(|next| next.write());
        Ok(Timeline { operation_id: operation.info.operation_id, events, next_cursor }.into())
    }
}

/// Where a page begins: in what is stored, or after a node
enum Place {
    Stored(Option<String>),
    After(u32),
}

impl Place {
    fn write(&self) -> String {
        match self {
            Self::Stored(after) => format!("e{}", after.as_deref().unwrap_or_default()),
            Self::After(ordinal) => format!("n{ordinal}"),
        }
    }

    fn read(cursor: &str) -> Result<Self, Problem> {
        let read = || match cursor.split_at_checked(1)? {
            ("e", after) if !after.is_empty() => Some(Self::Stored(Some(after.to_owned()))),
            ("n", ordinal) => Some(Self::After(ordinal.parse().ok()?)),
            _ => None,
        };
        read().ok_or_else(|| {
            Problem::new(Kind::InvalidQuery, "`cursor` is not the `next_cursor` of a page of this timeline")
                .at("/cursor", "not a cursor of this timeline")
        })
    }
}

/// At most `limit` events from `place` on, in no order, and where the next ones begin
async fn page(
    cx: &Cx,
    operation: &Operation,
    place: Place,
    limit: usize,
) -> Result<(Vec<TimelineEvent>, Option<Place>), Problem> {
    let (mut events, after) = match place {
        Place::After(ordinal) => (Vec::new(), ordinal),
        Place::Stored(after) => match stored(cx, operation, after.as_deref(), limit).await? {
            (events, Some(next)) => return Ok((events, Some(Place::Stored(Some(next))))),
            (events, None) => (events, 0),
        },
    };
    let graph = cx.engine().graph_of(operation).await?;
    let info = &operation.info;
    let mut segments: Vec<u32> = operation.segments().collect();
    segments.sort_unstable();
    let mut last = after;
    for segment in segments.into_iter().filter(|segment| *segment >= segment_of(after.saturating_add(1))) {
        let mut nodes = cx.table().nodes(&info.scope, info.operation_id, segment).await?;
        nodes.retain(|node| node.ordinal > after);
        nodes.sort_unstable_by_key(|node| node.ordinal);
        for node in &nodes {
            let new = told_in(operation, &graph, node);
            if !events.is_empty() && events.len() + new.len() > limit {
                return Ok((events, Some(Place::After(last))));
            }
            events.extend(new);
            last = node.ordinal;
        }
    }
    Ok((events, None))
}

/// What people and the engine did to the operation
async fn stored(
    cx: &Cx,
    operation: &Operation,
    after: Option<&str>,
    limit: usize,
) -> Result<(Vec<TimelineEvent>, Option<String>), Problem> {
    let info = &operation.info;
    let pk = Key::operation_partition(&info.scope, info.operation_id);
    let query = Query::Partition { pk, prefix: "event#".to_owned() };
    Ok(cx.table().list::<TimelineEvent>(&query, after, limit).await?)
}

/// What happened in an operation with these nodes, the earliest first
pub(crate) async fn events(
    cx: &Cx,
    operation: &Operation,
    nodes: &[NodeRun],
) -> Result<Vec<TimelineEvent>, Problem> {
    let (mut events, _) = stored(cx, operation, None, EVENTS_MAX).await?;
    let graph = cx.engine().graph_of(operation).await?;
    events.extend(nodes.iter().flat_map(|node| told_in(operation, &graph, node)));
    events.sort_by_key(|event| (event.ts, event.id));
    Ok(events)
}

/// What one node run of the graph tells; a join tells nothing
fn told_in(operation: &Operation, graph: &Graph, node: &NodeRun) -> Vec<TimelineEvent> {
    let plan_node = graph.node(node.ordinal).filter(|node| node.node_type != NodeType::Join);
    plan_node.map(|plan_node| told(operation, node, plan_node)).unwrap_or_default()
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
