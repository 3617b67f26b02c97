//! `GET /v1/intents/{intent}`

use schemars::JsonSchema;
use serde::Deserialize;
use weir_domain::{id::IntentId, intent::Intent};
use weir_edge::{Answer, Call, Cx, Endpoint, Nothing, Problem, Route, wire::intent::IntentView};
use weir_store::{Entity as _, Key};

/// Shows an intent
pub struct IntentGet;

/// Which intent
#[derive(Debug, Deserialize, JsonSchema)]
pub struct IntentPath {
    /// The intent
    pub(super) intent: IntentId,
}

impl Endpoint for IntentGet {
    const ROUTE: Route = Route {
        path: "/v1/intents/{intent}",
        operation: "intent_get",
        permission: "intent:read",
        summary: "Shows what somebody wanted, and what came of it",
        ..Route::GET
    };
    type Path = IntentPath;
    type Query = Nothing;
    type Body = Nothing;
    type Reply = IntentView;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<IntentView>, Problem> {
        let id = call.path.intent;
        let found = cx.table().read::<Intent>(&Key::entity(&call.scope, Intent::KIND, id)).await?;
        let (intent, _) = found.ok_or_else(|| Problem::not_found(format!("intent `{id}`")))?;
        Ok(IntentView::from(intent).into())
    }
}
