//! `GET /v1/health`

use weir_edge::{Answer, Auth, Call, Cx, Endpoint, Nothing, Problem, Route, wire::health::Health};

/// Tells that the API answers, and as what
pub struct HealthGet;

impl Endpoint for HealthGet {
    const ROUTE: Route = Route {
        path: "/v1/health",
        operation: "health_get",
        auth: Auth::Public,
        summary: "Tells that the API answers, and as what",
        uses: &[],
        ..Route::GET
    };
    type Path = Nothing;
    type Query = Nothing;
    type Body = Nothing;
    type Reply = Health;

    async fn handle(cx: &Cx, _: Call<Self>) -> Result<Answer<Health>, Problem> {
        Ok(Health {
            status: "ok".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            stage: cx.config.stage.clone(),
            workspace: cx.config.workspace.to_string(),
        }
        .into())
    }
}
