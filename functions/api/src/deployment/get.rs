//! `GET /v1/deployments/{deployment}`: an operation that deploys, as a job with tasks

use crate::operation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use weir_domain::{
    canonical::Digest,
    definition::address::Address,
    delivery::{Promotion, TargetState},
    engine::{NodeRun, Operation},
    id::{DeploymentId, OperationId, TaskId},
    operation::{DeploymentTaskStatus, OperationType},
    plan::{Executor, Graph, Plan, PlanContext, PlanNode},
};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Nothing, Problem, Route, Use,
    wire::deployment::{DeploymentTaskView, DeploymentView},
};
use weir_store::{Entity as _, Key};

/// Tasks whose logs are shown; those of the others are read task by task
const LOGS_MAX: usize = 50;

/// The last bytes of a task's log that are shown
const LOG_TAIL: usize = 4 * 1024;

/// Shows a deployment and its tasks
pub struct DeploymentGet;

/// Which deployment
#[derive(Debug, Deserialize, JsonSchema)]
pub struct DeploymentPath {
    /// The deployment
    deployment: DeploymentId,
}

impl Endpoint for DeploymentGet {
    const ROUTE: Route = Route {
        path: "/v1/deployments/{deployment}",
        operation: "deployment_get",
        permission: "deployment:read",
        summary: "Shows a deployment: what went where, by which agent, with what before it",
        uses: &[Use::TableRead, Use::ObjectsRead("plans/"), Use::ObjectsRead("logs/"), Use::LargeAnswers],
        ..Route::GET
    };
    type Path = DeploymentPath;
    type Query = Nothing;
    type Body = Nothing;
    type Reply = DeploymentView;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<DeploymentView>, Problem> {
        let id = call.path.deployment;
        let missing = || Problem::not_found(format!("deployment `{id}`"));
        let found = cx.table().operation_get(&call.scope, OperationId::from(id)).await?;
        let operation =
            found.filter(|found| found.info.operation_type.is_deployment()).ok_or_else(missing)?;
        let info = &operation.info;
        let plan = cx.table().read::<Plan>(&Key::entity(&call.scope, Plan::KIND, info.plan_id)).await?;
        let Some((PlanContext::Delivery(context), _)) = plan.map(|(plan, version)| (plan.context, version))
        else {
            return Err(missing());
        };
        let graph = cx.engine().graph_of(&operation).await?;
        let nodes = cx.engine().all_nodes(&operation).await?;
        let undone = undone(cx, &operation).await?;
        let tasks = tasks(cx, &operation, &graph, &nodes, undone).await?;
        let artifacts: BTreeSet<Digest> = tasks.iter().map(|task| task.digest.clone()).collect();
        let view = DeploymentView {
            id,
            promotion_id: info.promotion_id,
            release_id: info.release_id,
            environment_id: context.environment,
            status: operation::shown(&operation, &nodes).deployment_job(undone),
            strategy: serde_json::to_value(context.delivery.strategy)?
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            artifacts: artifacts.into_iter().collect(),
            rollback_of: info.rollback_of.map(DeploymentId::from),
            tasks,
            created_at: info.created_at.into(),
            completed_at: operation.completed_at.map(Into::into),
        };
        Ok(view.into())
    }
}

/// Whether a later job gave the targets back what they had
async fn undone(cx: &Cx, operation: &Operation) -> Result<bool, Problem> {
    let info = &operation.info;
    let Some(id) = info.promotion_id.filter(|_| info.operation_type != OperationType::Rollback) else {
        return Ok(false);
    };
    let found = cx.table().read::<Promotion>(&Key::entity(&info.scope, Promotion::KIND, id)).await?;
    Ok(found.is_some_and(|(promotion, _)| promotion.rolled_back_by.is_some()))
}

/// The nodes that agents do, as tasks
async fn tasks(
    cx: &Cx,
    operation: &Operation,
    graph: &Graph,
    nodes: &[NodeRun],
    undone: bool,
) -> Result<Vec<DeploymentTaskView>, Problem> {
    let mut states: BTreeMap<Address, Option<TargetState>> = BTreeMap::new();
    let mut tasks = Vec::new();
    for node in nodes {
        let Some((target, digest)) = graph.node(node.ordinal).and_then(deploys) else { continue };
        if !states.contains_key(&target) {
            let key = Key::entity(&operation.info.scope, TargetState::KIND, &target);
            let found = cx.table().read::<TargetState>(&key).await?;
            states.insert(target.clone(), found.map(|(state, _)| state));
        }
        let state = states.get(&target).and_then(Option::as_ref);
        let logs = if tasks.len() < LOGS_MAX { logs(cx, operation, node).await? } else { None };
        tasks.push(DeploymentTaskView {
            id: TaskId { operation: operation.info.operation_id, ordinal: node.ordinal },
            job_id: operation.info.operation_id.into(),
            digest,
            status: DeploymentTaskStatus::of_node(node.status, undone),
            agent_id: node.holder.as_deref().and_then(|holder| holder.parse().ok()),
            logs,
            previous_digest: state.and_then(|state| before(state, operation)),
            target_id: target,
        });
    }
    Ok(tasks)
}

/// Where a node deploys what, if it does
fn deploys(node: &PlanNode) -> Option<(Address, Digest)> {
    let Executor::Agent(target) = &node.runs else { return None };
    let digest = node.job_contract.as_ref()?.inputs.get("digest")?.as_str()?.parse().ok()?;
    Some((target.clone(), digest))
}

/// What the target had before the operation: known as long as nothing came after it
fn before(state: &TargetState, operation: &Operation) -> Option<Digest> {
    if state.current.operation_id == operation.info.operation_id {
        state.previous.as_ref().map(|before| before.digest.clone())
    } else {
        None
    }
}

/// The last lines of what the last attempt that said anything said
async fn logs(cx: &Cx, operation: &Operation, node: &NodeRun) -> Result<Option<String>, Problem> {
    for attempt in (1..=node.attempt).rev() {
        let found = cx.ledger().log_get(operation.info.operation_id, node.ordinal, attempt).await?;
        if let Some(text) = found {
            return Ok(Some(tail(&text).to_owned()));
        }
    }
    Ok(None)
}

fn tail(text: &str) -> &str {
    let from = text.len().saturating_sub(LOG_TAIL);
    let start = (from..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.get(start..).unwrap_or_default()
}
