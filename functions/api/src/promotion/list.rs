//! `GET /v1/promotions`

use schemars::JsonSchema;
use serde::Deserialize;
use strum::VariantArray as _;
use weir_domain::delivery::{Promotion, PromotionStatus};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Nothing, Problem, Route,
    page::{self, page},
    wire::{page::Page, promotion::PromotionView},
};
use weir_store::{Entity as _, Key, Query};

/// Lists promotions, the newest first
pub struct PromotionList;

/// Which promotions, and which page of them
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PromotionListQuery {
    /// Only those of these statuses
    #[serde(default)]
    status: Vec<PromotionStatus>,
    /// At most so many; 50 if absent, never more than 200
    limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before
    cursor: Option<String>,
}

impl Endpoint for PromotionList {
    const ROUTE: Route = Route {
        path: "/v1/promotions",
        operation: "promotion_list",
        permission: "promotion:read",
        summary: "Lists promotions, the newest first",
        ..Route::GET
    };
    type Path = Nothing;
    type Query = PromotionListQuery;
    type Body = Nothing;
    type Reply = Page<PromotionView>;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<Page<PromotionView>>, Problem> {
        let wanted = call.query;
        let statuses = if wanted.status.is_empty() { PromotionStatus::VARIANTS } else { &wanted.status };
        let lists = statuses.iter().map(|status| Key::list(&call.scope, Promotion::KIND, status.as_str()));
        let query = Query::Lists(lists.collect());
        let found = cx.table().list::<Promotion>(&query, wanted.cursor.as_deref(), page::size(wanted.limit));
        Ok(page(found.await?, PromotionView::from).into())
    }
}
