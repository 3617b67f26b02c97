//! `GET /v1/workflow-runs/{operation}/steps`: every attempt of every step of a run

use crate::operation::{OperationPath, find};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use weir_domain::{
    engine::{NodeRun, Operation},
    id::TaskId,
    intervention::{Intervention, intervention_id},
    plan::{Executor, Graph, JobContract, NodeStatus, NodeType, PlanNode, segment_of},
    planner::ASSIGNMENTS_RESTORE,
};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Kind, Problem, Route, Use,
    page::size,
    wire::{page::Page, workflow::StepRun},
};
use weir_store::{Entity as _, Key};

/// How many bytes of steps one page holds, or little more: Lambda answers with 6 MB at most
const BYTES_MAX: usize = 2 << 20;

/// Lists the step runs of a workflow run
pub struct WorkflowStepRuns;

/// Which page of them
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkflowStepRunsQuery {
    /// At most so many; 50 if absent, never more than 200
    limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before
    cursor: Option<String>,
}

impl Endpoint for WorkflowStepRuns {
    const ROUTE: Route = Route {
        path: "/v1/workflow-runs/{operation}/steps",
        operation: "workflow_step_runs",
        permission: "workflow:read",
        summary: "Lists the step runs of a workflow run, attempt by attempt, with what each was given, gave and printed",
        uses: &[
            Use::TableRead,
            Use::ObjectsRead("plans/"),
            Use::ObjectsRead("outputs/"),
            Use::ObjectsRead("logs/"),
        ],
        ..Route::GET
    };
    type Path = OperationPath;
    type Query = WorkflowStepRunsQuery;
    type Body = weir_edge::Nothing;
    type Reply = Page<StepRun>;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<Page<StepRun>>, Problem> {
        let operation = find(cx, &call.scope, call.path.operation).await?;
        let graph = cx.engine().graph_of(&operation).await?;
        let after = call.query.cursor.as_deref().map(read_cursor).transpose()?.unwrap_or((0, 0));
        let limit = size(call.query.limit);
        let mut found = attempts(cx, &operation, &graph, after, limit).await?;
        let mut more = found.len() > limit;
        found.truncate(limit);
        let (mut items, mut bytes, mut last) = (Vec::with_capacity(found.len()), 0, None);
        for (node, attempt) in &found {
            if bytes >= BYTES_MAX {
                more = true;
                break;
            }
            if let Some(planned) = graph.node(node.ordinal) {
                let step = step(cx, &operation, planned, node, *attempt).await?;
                bytes += serde_json::to_vec(&step)?.len();
                items.push(step);
            }
            last = Some(format!("{}.{attempt}", node.ordinal));
        }
        Ok(Page { items, next_cursor: last.filter(|_| more) }.into())
    }
}

/// `7.2`: after the second attempt of the seventh node
fn read_cursor(cursor: &str) -> Result<(u32, u32), Problem> {
    let read = || {
        let (ordinal, attempt) = cursor.split_once('.')?;
        Some((ordinal.parse().ok()?, attempt.parse().ok()?))
    };
    read().ok_or_else(|| {
        Problem::new(Kind::InvalidQuery, "`cursor` is not the `next_cursor` of a page of this list")
            .at("/cursor", "not a cursor of this list")
    })
}

/// One attempt more than `limit` after those up to `after`, with their nodes; only the segments that hold them are read
async fn attempts(
    cx: &Cx,
    operation: &Operation,
    graph: &Graph,
    after: (u32, u32),
    limit: usize,
) -> Result<Vec<(NodeRun, u32)>, Problem> {
    let info = &operation.info;
    let mut segments: Vec<u32> = operation.segments().collect();
    segments.sort_unstable();
    let mut found = Vec::new();
    for segment in segments.into_iter().filter(|segment| *segment >= segment_of(after.0.max(1))) {
        for node in cx.table().nodes(&info.scope, info.operation_id, segment).await? {
            if graph.node(node.ordinal).is_none_or(|planned| planned.node_type == NodeType::Join) {
                continue;
            }
            let first = node.attempt.min(1);
            let new = (first..=node.attempt).filter(|attempt| (node.ordinal, *attempt) > after);
            found.extend(new.map(|attempt| (node.clone(), attempt)));
            if found.len() > limit {
                return Ok(found);
            }
        }
    }
    Ok(found)
}

/// One attempt: the node's present one, or one that another followed
async fn step(
    cx: &Cx,
    operation: &Operation,
    planned: &PlanNode,
    node: &NodeRun,
    attempt: u32,
) -> Result<StepRun, Problem> {
    let info = &operation.info;
    let is_present = attempt == node.attempt;
    let past = node.past.iter().find(|past| past.attempt == attempt && !is_present);
    let inputs = match &planned.job_contract {
        Some(contract) if is_present => cx.engine().contract_of(&info.scope, node, contract).await?.inputs,
        Some(contract) => given_then(cx, operation, node, attempt, contract).await?.inputs,
        None => Map::new(),
    };
    let works = matches!(node.terms.runs, Executor::Job | Executor::Agent(_)) && attempt > 0;
    let logs =
        if works { cx.ledger().log_get(info.operation_id, node.ordinal, attempt).await? } else { None };
    let task = TaskId { operation: info.operation_id, ordinal: node.ordinal };
    Ok(StepRun {
        id: format!("{task}.{attempt}"),
        workflow_run_id: info.operation_id,
        node_id: planned.node_id.clone(),
        status: if is_present { node.status } else { NodeStatus::Failed },
        attempt_number: attempt,
        inputs,
        outputs: gave(cx, operation, planned, node, attempt).await?,
        logs,
        error: if is_present { node.error.clone() } else { past.map(|past| past.error.clone()) },
        started_at: if is_present { node.started_at } else { past.and_then(|past| past.started_at) }
            .map(Into::into),
        completed_at: if is_present { node.finished_at } else { past.map(|past| past.ended_at) }
            .map(Into::into),
    })
}

/// What an attempt that another one followed was given: the inputs that a person replaced before it, over the plan's
async fn given_then(
    cx: &Cx,
    operation: &Operation,
    node: &NodeRun,
    attempt: u32,
    contract: &JobContract,
) -> Result<JobContract, Problem> {
    if node.inputs_from.is_none() {
        return Ok(contract.clone());
    }
    let info = &operation.info;
    for before in (1..attempt).rev() {
        let id = intervention_id(info.operation_id, node.ordinal, before);
        let found =
            cx.table().read::<Intervention>(&Key::entity(&info.scope, Intervention::KIND, id)).await?;
        if let Some((found, _)) = found {
            return Ok(found.applied_to(contract)); // it holds what those before it replaced, too
        }
    }
    Ok(contract.clone())
}

/// What an attempt gave. One that puts assignments back says what became of each, however it ended
async fn gave(
    cx: &Cx,
    operation: &Operation,
    planned: &PlanNode,
    node: &NodeRun,
    attempt: u32,
) -> Result<Map<String, Value>, Problem> {
    let id = operation.info.operation_id;
    let capability = planned.job_contract.as_ref().map(|contract| contract.capability.as_str());
    if capability == Some(ASSIGNMENTS_RESTORE) {
        let kept = cx.ledger().outputs_get(id, node.ordinal, attempt).await?;
        return Ok(kept.map(|bytes| serde_json::from_slice(&bytes)).transpose()?.unwrap_or_default());
    }
    if attempt != node.attempt {
        return Ok(Map::new());
    }
    Ok(cx.engine().outputs(id, planned, node).await?)
}
