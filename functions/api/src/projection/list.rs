//! `GET /v1/projections`

use super::{all_services, resources, timelines};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Nothing, Problem, Route,
    page::PageQuery,
    wire::{page::Page, projection::ProjectionView},
};

/// Lists projections
pub struct ProjectionList;

impl Endpoint for ProjectionList {
    const ROUTE: Route = Route {
        path: "/v1/projections",
        operation: "projection_list",
        permission: "projection:read",
        summary: "Lists projections, each with how far behind the ledger it is",
        ..Route::GET
    };
    type Path = Nothing;
    type Query = PageQuery;
    type Body = Nothing;
    type Reply = Page<ProjectionView>;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<Page<ProjectionView>>, Problem> {
        let (scope, now) = (&call.scope, call.now);
        let items =
            vec![resources(cx, scope, now).await?, all_services(cx, scope, now).await?, timelines(now)];
        Ok(Page { items, next_cursor: None }.into())
    }
}
