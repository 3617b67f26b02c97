//! `GET /v1/scenarios`

use super::view;
use crate::walk::walk_kind;
use weir_domain::definition::address::Kind;
use weir_edge::{
    Answer, Call, Cx, Endpoint, Nothing, Problem, Route,
    page::PageQuery,
    wire::{page::Page, scenario::ScenarioView},
};

/// Lists scenarios
pub struct ScenarioList;

impl Endpoint for ScenarioList {
    const ROUTE: Route = Route {
        path: "/v1/scenarios",
        operation: "scenario_list",
        permission: "scenario:read",
        summary: "Lists the scenarios of the tenant and of its workspace: what they do, need and give, and what can go wrong",
        ..Route::GET
    };
    type Path = Nothing;
    type Query = PageQuery;
    type Body = Nothing;
    type Reply = Page<ScenarioView>;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<Page<ScenarioView>>, Problem> {
        let (limit, cursor) = (call.query.size(), call.query.cursor.as_deref());
        let (rows, next_cursor) = walk_kind(cx, &call.scope, Kind::Scenario, cursor, limit).await?;
        let items = rows.into_iter().map(|(scope, row)| view(scope, row)).collect::<Result<_, _>>()?;
        Ok(Page { items, next_cursor }.into())
    }
}
