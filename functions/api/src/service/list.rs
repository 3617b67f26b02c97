//! `GET /v1/services`

use super::view;
use crate::{projection, walk::walk_kind};
use weir_domain::definition::address::Kind;
use weir_edge::{
    Answer, Call, Cx, Endpoint, Nothing, Problem, Route,
    page::PageQuery,
    wire::{page::Page, projection::Projected, service::ServiceView},
};

/// Lists services
pub struct ServiceList;

impl Endpoint for ServiceList {
    const ROUTE: Route = Route {
        path: "/v1/services",
        operation: "service_list",
        permission: "service:read",
        summary: "Lists services, each with the latest release of each of its environments",
        ..Route::GET
    };
    type Path = Nothing;
    type Query = PageQuery;
    type Body = Nothing;
    type Reply = Projected<Page<ServiceView>>;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<Self::Reply>, Problem> {
        // First, so that no row is older than what is said of them.
        let projection = projection::services(cx, &call.scope, call.now).await?;
        let (cursor, limit) = (call.query.cursor.as_deref(), call.query.size());
        let (rows, next_cursor) = walk_kind(cx, &call.scope, Kind::Service, cursor, limit).await?;
        let mut items = Vec::with_capacity(rows.len());
        for (owner, row) in rows {
            items.push(view::view(cx, &call.scope, &owner, row).await?);
        }
        Ok(Projected { answer: Page { items, next_cursor }, projection }.into())
    }
}
