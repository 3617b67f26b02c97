//! `GET /v1/job-templates/{template}`

use crate::recipes::Recipes;
use schemars::JsonSchema;
use serde::Deserialize;
use weir_domain::definition::address::{Address, Kind};
use weir_edge::{Answer, Call, Cx, Endpoint, Nothing, Problem, Route, wire::scenario::TemplateView};

/// Shows a job template
pub struct JobTemplateGet;

/// Which template
#[derive(Debug, Deserialize, JsonSchema)]
pub struct JobTemplatePath {
    /// Its address
    template: Address,
}

impl Endpoint for JobTemplateGet {
    const ROUTE: Route = Route {
        path: "/v1/job-templates/{template}",
        operation: "job_template_get",
        permission: "template:read",
        summary: "Shows a job template: its contract, and the scenarios whose templates share it",
        ..Route::GET
    };
    type Path = JobTemplatePath;
    type Query = Nothing;
    type Body = Nothing;
    type Reply = TemplateView;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<TemplateView>, Problem> {
        let id = &call.path.template;
        let found = if id.kind() == Kind::Job { cx.resource(&call.scope, id).await? } else { None };
        let (row, scope) = found.ok_or_else(|| Problem::not_found(format!("job template `{id}`")))?;
        Ok(Recipes::of(cx, &call.scope).await?.job_template(scope, row)?.into())
    }
}
