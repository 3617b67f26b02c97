//! `GET /v1/workflow-templates/{template}`

use super::view;
use schemars::JsonSchema;
use serde::Deserialize;
use weir_domain::definition::{
    address::{Address, Kind},
    spec::Template,
};
use weir_edge::{Answer, Call, Cx, Endpoint, Nothing, Problem, Route, wire::workflow::WorkflowTemplate};

/// Shows a workflow template
pub struct WorkflowTemplateGet;

/// Which template
#[derive(Debug, Deserialize, JsonSchema)]
pub struct WorkflowTemplatePath {
    /// Its address
    template: Address,
}

impl Endpoint for WorkflowTemplateGet {
    const ROUTE: Route = Route {
        path: "/v1/workflow-templates/{template}",
        operation: "workflow_template_get",
        permission: "workflow:read",
        summary: "Shows a workflow template: a template of the definition, or a built-in one",
        ..Route::GET
    };
    type Path = WorkflowTemplatePath;
    type Query = Nothing;
    type Body = Nothing;
    type Reply = WorkflowTemplate;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<WorkflowTemplate>, Problem> {
        let id = &call.path.template;
        let missing = || Problem::not_found(format!("workflow template `{id}`"));
        if id.kind() != Kind::Template {
            return Err(missing());
        }
        if let Some((row, scope)) = cx.resource(&call.scope, id).await? {
            let spec: Template = serde_json::from_value(row.spec)?;
            return Ok(view::template(row.address, spec, scope.tenant, false).into());
        }
        let found = view::builtin()?.into_iter().find(|template| template.id == *id);
        Ok(found.ok_or_else(missing)?.into())
    }
}
