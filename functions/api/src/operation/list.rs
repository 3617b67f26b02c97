//! `GET /v1/operations`

use super::brief;
use crate::pages::{Listed, fill};
use schemars::JsonSchema;
use serde::Deserialize;
use weir_domain::{engine::Operation, operation::OperationStatus, scope::Scope, time::Millis};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Nothing, Problem, Route,
    page::size,
    wire::{operation::OperationView, page::Page},
};

/// Lists operations, the newest first
pub struct OperationList;

/// Which operations, and which page of them
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OperationListQuery {
    /// Only those that show one of these statuses; a page may then hold fewer than asked for, and yet not be the last
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
        let query = call.query;
        let list = Operations {
            cx,
            scope: &call.scope,
            stored: stored(&query.status),
            wanted: &query.status,
            now: call.now,
        };
        Ok(fill(cx, &list, query.cursor, size(query.limit)).await?.into())
    }
}

/// The operations of `scope`
struct Operations<'a> {
    cx: &'a Cx,
    scope: &'a Scope,
    stored: Vec<OperationStatus>,
    wanted: &'a [OperationStatus],
    now: Millis,
}

impl Listed for Operations<'_> {
    type Found = Operation;
    type Item = OperationView;

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

    async fn item(&self, found: &Operation) -> Result<Option<OperationView>, Problem> {
        let view = brief(self.cx, found, self.now).await?;
        Ok(Some(view).filter(|view| self.wanted.is_empty() || self.wanted.contains(&view.status)))
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
