//! `GET /v1/operations`

use super::brief;
use schemars::JsonSchema;
use serde::Deserialize;
use weir_domain::operation::OperationStatus;
use weir_edge::{
    Answer, Call, Cx, Endpoint, Nothing, Problem, Route, page,
    wire::{operation::OperationView, page::Page},
};

/// Lists operations, the newest first
pub struct OperationList;

/// Which operations, and which page of them
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OperationListQuery {
    /// Only those that show one of these statuses; a page may then hold fewer than asked for, also none
    #[serde(default)]
    status: Vec<OperationStatus>,
    /// At most so many; 50 if absent, never more than 200
    limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before
    cursor: Option<String>,
}

impl Endpoint for OperationList {
    const ROUTE: Route = Route {
        path: "/v1/operations",
        operation: "operation_list",
        permission: "operation:read",
        summary: "Lists operations, the newest first",
        ..Route::GET
    };
    type Path = Nothing;
    type Query = OperationListQuery;
    type Body = Nothing;
    type Reply = Page<OperationView>;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<Page<OperationView>>, Problem> {
        let (wanted, cursor) = (&call.query.status, call.query.cursor.as_deref());
        let stored = stored(wanted);
        let found = cx.table().operations(&call.scope, &stored, cursor, page::size(call.query.limit));
        let (operations, next_cursor) = found.await?;
        let mut items = Vec::with_capacity(operations.len());
        for operation in &operations {
            let view = brief(cx, operation, call.now).await?;
            if wanted.is_empty() || wanted.contains(&view.status) {
                items.push(view);
            }
        }
        Ok(Page { items, next_cursor }.into())
    }
}

/// The stored statuses in which an operation may show one of `wanted`: what one shows while it runs, or where
/// its end was asked for, is made from its nodes
pub(crate) fn stored(wanted: &[OperationStatus]) -> Vec<OperationStatus> {
    use OperationStatus as S;
    let active = [S::Created, S::Queued, S::Running];
    let mut stored: Vec<S> = wanted
        .iter()
        .flat_map(|status| match status {
            S::Succeeded | S::Failed | S::RolledBack => vec![*status],
            S::Cancelled => [&active[..], &[S::Cancelled]].concat(),
            S::Created
            | S::Queued
            | S::Running
            | S::WaitingGate
            | S::WaitingIntervention
            | S::Paused
            | S::Verifying => active.to_vec(),
        })
        .collect();
    stored.sort_unstable();
    stored.dedup();
    stored
}
