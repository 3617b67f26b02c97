//! `GET /v1/operation-runs/{operation}`: one run, with everything that failed in it or was repaired by it

use super::{OperationPath, runs};
use std::collections::BTreeSet;
use weir_domain::{engine::Operation, failure::FailureSummary, operation::ReconcilePass, plan::NodeStatus};
use weir_edge::{Answer, Call, Cx, Endpoint, Nothing, Problem, Route, wire::operation_run::OperationRun};
use weir_store::{Entity as _, Key};

/// Different failures that one run shows
const FAILURES_MAX: usize = 20;

/// Shows an operation run
pub struct OperationRunGet;

impl Endpoint for OperationRunGet {
    const ROUTE: Route = Route {
        path: "/v1/operation-runs/{operation}",
        operation: "operation_run_get",
        permission: "operation:read",
        summary: "Shows an operation run: what it counted, why it failed, what housekeeping repaired",
        ..Route::GET
    };
    type Path = OperationPath;
    type Query = Nothing;
    type Body = Nothing;
    type Reply = OperationRun;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<OperationRun>, Problem> {
        let (id, scope) = (call.path.operation, &call.scope);
        if let Some(operation) = cx.table().operation_get(scope, id).await? {
            let mut run = runs::of_operation(cx, &operation, call.now).await?;
            run.failure_summary = failures(cx, &operation).await?;
            return Ok(run.into());
        }
        let found = cx.table().read::<ReconcilePass>(&Key::entity(scope, ReconcilePass::KIND, id)).await?;
        let (pass, _) = found.ok_or_else(|| Problem::not_found(format!("operation run `{id}`")))?;
        let mut run = runs::of_pass(&pass, scope, call.now);
        run.repairs = pass.repairs;
        Ok(run.into())
    }
}

/// Why it failed: the operation's own reason first, then those of its nodes that say something else
async fn failures(cx: &Cx, operation: &Operation) -> Result<Vec<FailureSummary>, Problem> {
    let nodes = cx.engine().all_nodes(operation).await?;
    let failed = nodes.into_iter().filter(|node| node.status == NodeStatus::Failed);
    let of_nodes = failed.filter_map(|node| node.error);
    let mut seen = BTreeSet::new();
    let new = |failure: &FailureSummary| seen.insert((failure.code.clone(), failure.message.clone()));
    let all = operation.failure_summary.clone().into_iter().chain(of_nodes);
    Ok(all.filter(new).take(FAILURES_MAX).collect())
}
