//! `GET /v1/workflow-runs/{operation}`: a run with its log and what it gave

use super::view;
use crate::operation::{OperationPath, events, find};
use weir_edge::{Answer, Call, Cx, Endpoint, Nothing, Problem, Route, Use, wire::workflow::WorkflowRun};

/// Shows a workflow run
pub struct WorkflowRunGet;

impl Endpoint for WorkflowRunGet {
    const ROUTE: Route = Route {
        path: "/v1/workflow-runs/{operation}",
        operation: "workflow_run_get",
        permission: "workflow:read",
        summary: "Shows a workflow run: what it was given, what it gave, what happened in it",
        uses: &[Use::TableRead, Use::ObjectsRead("plans/"), Use::ObjectsRead("outputs/"), Use::LargeAnswers],
        ..Route::GET
    };
    type Path = OperationPath;
    type Query = Nothing;
    type Body = Nothing;
    type Reply = WorkflowRun;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<WorkflowRun>, Problem> {
        let operation = find(cx, &call.scope, call.path.operation).await?;
        let nodes = cx.engine().all_nodes(&operation).await?;
        let plan = view::plan_of(cx, &operation).await?;
        let intent = view::intent_of(cx, &operation, plan.as_ref()).await?;
        let mut run = view::run(&operation, &nodes, plan.as_ref(), intent)?;
        let gives = view::gives(&operation, plan.as_ref())?;
        if !gives.is_empty() {
            let graph = cx.engine().graph_of(&operation).await?;
            run.outputs = view::outputs(cx, &operation, &graph, &nodes, &gives).await?;
        }
        let events = events(cx, &operation, &nodes).await?;
        run.logs = events.into_iter().map(view::log).collect::<Result<_, _>>()?;
        Ok(run.into())
    }
}
