//! `GET /v1/interventions`

use schemars::JsonSchema;
use serde::Deserialize;
use weir_domain::intervention::{Intervention, InterventionStatus};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Nothing, Problem, Route,
    page::{self, page},
    wire::page::Page,
};
use weir_store::{Entity as _, Key, Query};

/// Lists interventions, the newest first
pub struct InterventionList;

/// Which interventions, and which page of them
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InterventionListQuery {
    /// Only those of these statuses; those that are open where none is given
    #[serde(default)]
    status: Vec<InterventionStatus>,
    /// At most so many; 50 if absent, never more than 200
    limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before
    cursor: Option<String>,
}

impl Endpoint for InterventionList {
    const ROUTE: Route = Route {
        path: "/v1/interventions",
        operation: "intervention_list",
        permission: "intervention:read",
        summary: "Lists the nodes that wait for a person to take them by hand, or those that were taken",
        ..Route::GET
    };
    type Path = Nothing;
    type Query = InterventionListQuery;
    type Body = Nothing;
    type Reply = Page<Intervention>;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<Page<Intervention>>, Problem> {
        let wanted = call.query;
        let open = &[InterventionStatus::Open];
        let statuses = if wanted.status.is_empty() { open } else { wanted.status.as_slice() };
        let lists = statuses.iter().map(|status| Key::list(&call.scope, Intervention::KIND, status.as_str()));
        let query = Query::Lists(lists.collect());
        let found =
            cx.table().list::<Intervention>(&query, wanted.cursor.as_deref(), page::size(wanted.limit));
        Ok(page(found.await?, |intervention| intervention).into())
    }
}
