//! `GET /v1/gates`

use super::view;
use schemars::JsonSchema;
use serde::Deserialize;
use weir_domain::gate::{Gate, GateStatus};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Nothing, Problem, Route,
    page::{self, page},
    wire::{gate::GateView, page::Page},
};
use weir_store::{Entity as _, Key, Query};

/// Lists gates, the newest first
pub struct GateList;

/// Which gates, and which page of them
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateListQuery {
    /// Only those of these statuses; those that are open where none is given
    #[serde(default)]
    status: Vec<GateStatus>,
    /// At most so many; 50 if absent, never more than 200
    limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before
    cursor: Option<String>,
}

impl Endpoint for GateList {
    const ROUTE: Route = Route {
        path: "/v1/gates",
        operation: "gate_list",
        permission: "gate:read",
        summary: "Lists the gates that wait for people, or those of other statuses",
        ..Route::GET
    };
    type Path = Nothing;
    type Query = GateListQuery;
    type Body = Nothing;
    type Reply = Page<GateView>;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<Page<GateView>>, Problem> {
        let wanted = call.query;
        let statuses = if wanted.status.is_empty() { &[GateStatus::Open] } else { wanted.status.as_slice() };
        let lists = statuses.iter().map(|status| Key::list(&call.scope, Gate::KIND, status.as_str()));
        let query = Query::Lists(lists.collect());
        let found = cx.table().list::<Gate>(&query, wanted.cursor.as_deref(), page::size(wanted.limit));
        Ok(page(found.await?, |gate| view(gate, call.now)).into())
    }
}
