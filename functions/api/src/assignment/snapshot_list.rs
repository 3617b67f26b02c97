//! `GET /v1/assignment-snapshots`

use schemars::JsonSchema;
use serde::Deserialize;
use weir_domain::assignment::AssignmentSnapshot;
use weir_edge::{
    Answer, Call, Cx, Endpoint, Nothing, Problem, Route,
    page::{self, page},
    wire::page::Page,
};
use weir_store::{Entity as _, Key, Query};

/// Lists snapshots of assignments, the newest first
pub struct AssignmentSnapshotList;

/// Which page of them
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AssignmentSnapshotListQuery {
    /// At most so many; 50 if absent, never more than 200
    limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before
    cursor: Option<String>,
}

impl Endpoint for AssignmentSnapshotList {
    const ROUTE: Route = Route {
        path: "/v1/assignment-snapshots",
        operation: "assignment_snapshot_list",
        permission: "assignment:read",
        summary: "Lists snapshots of assignments, the newest first",
        ..Route::GET
    };
    type Path = Nothing;
    type Query = AssignmentSnapshotListQuery;
    type Body = Nothing;
    type Reply = Page<AssignmentSnapshot>;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<Page<AssignmentSnapshot>>, Problem> {
        let query = Query::Lists(vec![Key::list(&call.scope, AssignmentSnapshot::KIND, "kept")]);
        let (cursor, size) = (call.query.cursor, page::size(call.query.limit));
        let found = cx.table().list::<AssignmentSnapshot>(&query, cursor.as_deref(), size);
        Ok(page(found.await?, |snapshot| snapshot).into())
    }
}
