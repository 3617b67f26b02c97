//! `GET /v1/plans`

use super::with_run;
use crate::side::side_by_side;
use schemars::JsonSchema;
use serde::Deserialize;
use strum::VariantArray as _;
use weir_domain::plan::{Plan, PlanStatus};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Nothing, Problem, Route, Use,
    page::size,
    wire::{page::Page, plan::PlanRecord},
};
use weir_store::{Entity as _, Key, Query};

/// Lists plans, the newest first
pub struct PlanList;

/// Which plans, and which page of them
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanListQuery {
    /// Only those of these statuses
    #[serde(default)]
    status: Vec<PlanStatus>,
    /// At most so many; 50 if absent, never more than 200
    limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before
    cursor: Option<String>,
}

impl Endpoint for PlanList {
    const ROUTE: Route = Route {
        path: "/v1/plans",
        operation: "plan_list",
        permission: "plan:read",
        summary: "Lists plans without their graphs, the newest first",
        uses: &[Use::TableRead, Use::LargeAnswers],
        ..Route::GET
    };
    type Path = Nothing;
    type Query = PlanListQuery;
    type Body = Nothing;
    type Reply = Page<PlanRecord>;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<Page<PlanRecord>>, Problem> {
        let wanted = call.query;
        let statuses = if wanted.status.is_empty() { PlanStatus::VARIANTS } else { &wanted.status };
        let lists = statuses.iter().map(|status| Key::list(&call.scope, Plan::KIND, status.as_str()));
        let query = Query::Lists(lists.collect());
        let found = cx.table().list::<Plan>(&query, wanted.cursor.as_deref(), size(wanted.limit));
        let (plans, next_cursor) = found.await?;
        let looks = plans.into_iter().map(|plan| with_run(cx, &call.scope, plan));
        let items = side_by_side(looks.collect()).await?;
        Ok(Page { items, next_cursor }.into())
    }
}
