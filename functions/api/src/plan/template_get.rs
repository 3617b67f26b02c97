//! `GET /v1/plan-templates/{template}`

use crate::{recipes::Recipes, workflow::template};
use schemars::JsonSchema;
use serde::Deserialize;
use weir_domain::definition::address::Address;
use weir_edge::{Answer, Call, Cx, Endpoint, Nothing, Problem, Route, wire::scenario::TemplateView};

/// Shows a plan template
pub struct PlanTemplateGet;

/// Which template
#[derive(Debug, Deserialize, JsonSchema)]
pub struct PlanTemplatePath {
    /// Its address
    template: Address,
}

impl Endpoint for PlanTemplateGet {
    const ROUTE: Route = Route {
        path: "/v1/plan-templates/{template}",
        operation: "plan_template_get",
        permission: "template:read",
        summary: "Shows a plan template: its graph, the contracts of its steps, what may be edited, which scenarios follow it",
        ..Route::GET
    };
    type Path = PlanTemplatePath;
    type Query = Nothing;
    type Body = Nothing;
    type Reply = TemplateView;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<TemplateView>, Problem> {
        let id = &call.path.template;
        let found = template(cx, &call.scope, id).await?;
        let found = found.ok_or_else(|| Problem::not_found(format!("plan template `{id}`")))?;
        Ok(Recipes::of(cx, &call.scope).await?.plan_template(found).into())
    }
}
