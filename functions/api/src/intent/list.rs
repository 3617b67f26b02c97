//! `GET /v1/intents`

use schemars::JsonSchema;
use serde::Deserialize;
use strum::VariantArray as _;
use weir_domain::intent::{Intent, IntentStatus};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Nothing, Problem, Route, Use,
    page::{self, page},
    wire::{intent::IntentView, page::Page},
};
use weir_store::{Entity as _, Key, Query};

/// Lists intents, the newest first
pub struct IntentList;

/// Which intents, and which page of them
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IntentListQuery {
    /// Only those of these statuses
    #[serde(default)]
    status: Vec<IntentStatus>,
    /// At most so many; 50 if absent, never more than 200
    limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before
    cursor: Option<String>,
}

impl Endpoint for IntentList {
    const ROUTE: Route = Route {
        path: "/v1/intents",
        operation: "intent_list",
        permission: "intent:read",
        summary: "Lists what was wanted, the newest first",
        uses: &[Use::TableRead, Use::LargeAnswers],
        ..Route::GET
    };
    type Path = Nothing;
    type Query = IntentListQuery;
    type Body = Nothing;
    type Reply = Page<IntentView>;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<Page<IntentView>>, Problem> {
        let wanted = call.query;
        let statuses = if wanted.status.is_empty() { IntentStatus::VARIANTS } else { &wanted.status };
        let lists = statuses.iter().map(|status| Key::list(&call.scope, Intent::KIND, status.as_str()));
        let query = Query::Lists(lists.collect());
        let found = cx.table().list::<Intent>(&query, wanted.cursor.as_deref(), page::size(wanted.limit));
        Ok(page(found.await?, IntentView::from).into())
    }
}
