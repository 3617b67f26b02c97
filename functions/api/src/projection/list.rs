//! `GET /v1/projections`

use super::{listed_services, resources, timelines};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Kind, Nothing, Problem, Route,
    page::PageQuery,
    wire::{page::Page, projection::ProjectionView},
};

/// Every projection, in the order in which they are listed
const NAMES: [&str; 3] = ["resources", "services", "timelines"];

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
        let begin = call.query.cursor.as_deref().map(after).transpose()?.unwrap_or(0);
        let end = begin.saturating_add(call.query.size());
        let (scope, now) = (&call.scope, call.now);
        let mut items = Vec::new();
        for name in NAMES.into_iter().skip(begin).take(end - begin) {
            items.push(match name {
                "resources" => resources(cx, scope, now).await?,
                "services" => listed_services(cx, scope, now).await?,
                _ => timelines(now),
            });
        }
        let last = items.last().map(|item| item.name.clone());
        Ok(Page { items, next_cursor: last.filter(|_| end < NAMES.len()) }.into())
    }
}

/// The place after the projection that a page ended with
fn after(cursor: &str) -> Result<usize, Problem> {
    let place = NAMES.iter().position(|name| *name == cursor);
    place.map(|place| place + 1).ok_or_else(|| {
        Problem::new(Kind::InvalidQuery, "`cursor` is not the `next_cursor` of a page of this list")
            .at("/cursor", "not a cursor of this list")
    })
}
