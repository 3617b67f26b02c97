//! `GET /v1/workflow-runs`

use super::view;
use crate::{
    operation::stored,
    pages::{Listed, fill},
};
use schemars::JsonSchema;
use serde::Deserialize;
use weir_domain::{
    engine::Operation,
    operation::{OperationStatus, WorkflowKind},
    scope::Scope,
};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Nothing, Problem, Route, Use,
    page::size,
    wire::{page::Page, workflow::WorkflowRun},
};

/// Lists workflow runs, the newest first
pub struct WorkflowRunList;

/// Which runs, and which page of them; a page may hold fewer than asked for, and yet not be the last
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
        uses: &[Use::TableRead, Use::LargeAnswers],
        ..Route::GET
    };
    type Path = Nothing;
    type Query = WorkflowRunListQuery;
    type Body = Nothing;
    type Reply = Page<WorkflowRun>;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<Page<WorkflowRun>>, Problem> {
        let query = call.query;
        let list = Runs { cx, scope: &call.scope, stored: stored(&query.status), wanted: &query };
        Ok(fill(cx, &list, query.cursor.clone(), size(query.limit)).await?.into())
    }
}

/// The workflow runs of `scope`
struct Runs<'a> {
    cx: &'a Cx,
    scope: &'a Scope,
    stored: Vec<OperationStatus>,
    wanted: &'a WorkflowRunListQuery,
}

impl Listed for Runs<'_> {
    type Found = Operation;
    type Item = WorkflowRun;

    async fn look(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Operation>, Option<String>), Problem> {
        Ok(self.cx.table().operations(self.scope, &self.stored, after, limit).await?)
    }

    fn cursor(&self, found: &Operation) -> String {
        found.info.operation_id.to_string()
    }

    async fn item(&self, found: &Operation) -> Result<Option<WorkflowRun>, Problem> {
        let (cx, wanted) = (self.cx, self.wanted);
        let kind = found.info.operation_type.workflow_kind();
        if !wanted.kind.is_empty() && !kind.is_some_and(|kind| wanted.kind.contains(&kind)) {
            return Ok(None);
        }
        let nodes = if found.is_active() { cx.engine().all_nodes(found).await? } else { Vec::new() };
        let plan = view::plan_of(cx, found).await?;
        let intent = view::intent_of(cx, found, plan.as_ref()).await?;
        let run = view::run(found, &nodes, plan.as_ref(), intent)?;
        Ok(Some(run).filter(|run| wanted.status.is_empty() || wanted.status.contains(&run.status)))
    }
}
