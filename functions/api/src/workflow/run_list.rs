//! `GET /v1/workflow-runs`

use super::view;
use crate::operation::stored;
use schemars::JsonSchema;
use serde::Deserialize;
use weir_domain::operation::{OperationStatus, WorkflowKind};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Nothing, Problem, Route, page,
    wire::{page::Page, workflow::WorkflowRun},
};

/// Lists workflow runs, the newest first
pub struct WorkflowRunList;

/// Which runs, and which page of them; a page may hold fewer than asked for, also none, and yet not be the last
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkflowRunListQuery {
    /// Only those that bring releases somewhere in one of these ways
    #[serde(default)]
    kind: Vec<WorkflowKind>,
    /// Only those that show one of these statuses
    #[serde(default)]
    status: Vec<OperationStatus>,
    /// At most so many; 50 if absent, never more than 200
    limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before
    cursor: Option<String>,
}

impl Endpoint for WorkflowRunList {
    const ROUTE: Route = Route {
        path: "/v1/workflow-runs",
        operation: "workflow_run_list",
        permission: "workflow:read",
        summary: "Lists workflow runs, the newest first",
        ..Route::GET
    };
    type Path = Nothing;
    type Query = WorkflowRunListQuery;
    type Body = Nothing;
    type Reply = Page<WorkflowRun>;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<Page<WorkflowRun>>, Problem> {
        let (wanted, cursor) = (&call.query, call.query.cursor.as_deref());
        let statuses = stored(&wanted.status);
        let found = cx.table().operations(&call.scope, &statuses, cursor, page::size(wanted.limit));
        let (operations, next_cursor) = found.await?;
        let mut items = Vec::new();
        for operation in &operations {
            let kind = operation.info.operation_type.workflow_kind();
            if !wanted.kind.is_empty() && !kind.is_some_and(|kind| wanted.kind.contains(&kind)) {
                continue;
            }
            let nodes =
                if operation.is_active() { cx.engine().all_nodes(operation).await? } else { Vec::new() };
            let plan = view::plan_of(cx, operation).await?;
            let intent = view::intent_of(cx, operation, plan.as_ref()).await?;
            let run = view::run(operation, &nodes, plan.as_ref(), intent)?;
            if wanted.status.is_empty() || wanted.status.contains(&run.status) {
                items.push(run);
            }
        }
        Ok(Page { items, next_cursor }.into())
    }
}
