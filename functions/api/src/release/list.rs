//! `GET /v1/releases`

use schemars::JsonSchema;
use serde::Deserialize;
use strum::VariantArray as _;
use weir_domain::delivery::{Release, ReleaseStatus};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Nothing, Problem, Route,
    page::{self, page},
    wire::page::Page,
};
use weir_store::{Entity as _, Key, Query};

/// Lists releases, the newest first
pub struct ReleaseList;

/// Which releases, and which page of them
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseListQuery {
    /// Only those of these statuses
    #[serde(default)]
    status: Vec<ReleaseStatus>,
    /// At most so many; 50 if absent, never more than 200
    limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before
    cursor: Option<String>,
}

impl Endpoint for ReleaseList {
    const ROUTE: Route = Route {
        path: "/v1/releases",
        operation: "release_list",
        permission: "release:read",
        summary: "Lists releases, the newest first",
        ..Route::GET
    };
    type Path = Nothing;
    type Query = ReleaseListQuery;
    type Body = Nothing;
    type Reply = Page<Release>;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<Page<Release>>, Problem> {
        let wanted = call.query;
        let statuses = if wanted.status.is_empty() { ReleaseStatus::VARIANTS } else { &wanted.status };
        let lists = statuses.iter().map(|status| Key::list(&call.scope, Release::KIND, status.as_str()));
        let query = Query::Lists(lists.collect());
        let found = cx.table().list::<Release>(&query, wanted.cursor.as_deref(), page::size(wanted.limit));
        Ok(page(found.await?, |release| release).into())
    }
}
