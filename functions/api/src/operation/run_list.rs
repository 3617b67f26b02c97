//! `GET /v1/operation-runs`

use super::runs::{Wanted, page};
use schemars::JsonSchema;
use serde::Deserialize;
use weir_domain::operation::{Freshness, OperationType, RunOutcome, RunStatus};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Nothing, Problem, Route,
    authn::tenant_named,
    page::size,
    wire::{operation_run::OperationRun, page::Page},
};

/// Lists operation runs, the newest first
pub struct OperationRunList;

/// Which runs, and which page of them; a page may hold fewer than asked for, also none, and yet not be the last
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OperationRunListQuery {
    /// Only those in one of these statuses
    #[serde(default)]
    status: Vec<RunStatus>,
    /// Only those with one of these outcomes
    #[serde(default)]
    outcome: Vec<RunOutcome>,
    /// Only those of one of these types
    #[serde(default, rename = "type")]
    operation_type: Vec<OperationType>,
    /// Only those of which this is so
    #[serde(default)]
    freshness: Vec<Freshness>,
    /// Only those that housekeeping ended, or only the others
    reconciled: Option<bool>,
    /// Those of this tenant, by its name or its external id, for callers of the workspace; without it the workspace's own
    tenant: Option<String>,
    /// At most so many; 50 if absent, never more than 200
    limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before
    cursor: Option<String>,
}

impl Endpoint for OperationRunList {
    const ROUTE: Route = Route {
        path: "/v1/operation-runs",
        operation: "operation_run_list",
        permission: "operation:read",
        summary: "Lists operation runs, housekeeping among them, the newest first",
        ..Route::GET
    };
    type Path = Nothing;
    type Query = OperationRunListQuery;
    type Body = Nothing;
    type Reply = Page<OperationRun>;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<Page<OperationRun>>, Problem> {
        let query = call.query;
        let scope = match &query.tenant {
            Some(wanted) => tenant_named(cx, call.scope.tenant.as_ref(), wanted).await?,
            None => call.scope.clone(),
        };
        let wanted = Wanted {
            statuses: query.status,
            outcomes: query.outcome,
            types: query.operation_type,
            freshness: query.freshness,
            reconciled: query.reconciled,
        };
        Ok(page(cx, &scope, &wanted, query.cursor, size(query.limit), call.now).await?.into())
    }
}
