//! `GET /v1/scenarios/{scenario}`

use super::view;
use schemars::JsonSchema;
use serde::Deserialize;
use weir_domain::definition::address::{Address, Kind};
use weir_edge::{Answer, Call, Cx, Endpoint, Nothing, Problem, Route, wire::scenario::ScenarioView};

/// Shows a scenario
pub struct ScenarioGet;

/// Which scenario
#[derive(Debug, Deserialize, JsonSchema)]
pub struct ScenarioPath {
    /// Its address
    scenario: Address,
}

impl Endpoint for ScenarioGet {
    const ROUTE: Route = Route {
        path: "/v1/scenarios/{scenario}",
        operation: "scenario_get",
        permission: "scenario:read",
        summary: "Shows a scenario: what it does, needs and gives, and what can go wrong",
        ..Route::GET
    };
    type Path = ScenarioPath;
    type Query = Nothing;
    type Body = Nothing;
    type Reply = ScenarioView;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<ScenarioView>, Problem> {
        let id = &call.path.scenario;
        let found = if id.kind() == Kind::Scenario { cx.resource(&call.scope, id).await? } else { None };
        let (row, scope) = found.ok_or_else(|| Problem::not_found(format!("scenario `{id}`")))?;
        Ok(view(scope, row)?.into())
    }
}
