//! `GET /v1/workflow-templates/{template}`

use super::view;
use crate::recipes::Found;
use schemars::JsonSchema;
use serde::Deserialize;
use weir_domain::{
    definition::address::{Address, Kind},
    scope::Scope,
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
        let found = find(cx, &call.scope, id).await?;
        let found = found.ok_or_else(|| Problem::not_found(format!("workflow template `{id}`")))?;
        Ok(view::template(found).into())
    }
}

/// The template `id`, if the scope sees one: the definition's or a built-in one
pub(crate) async fn find(cx: &Cx, scope: &Scope, id: &Address) -> Result<Option<Found>, Problem> {
    if id.kind() != Kind::Template {
        return Ok(None);
    }
    if let Some((row, scope)) = cx.resource(scope, id).await? {
        return Ok(Some(Found::of(scope, row)?));
    }
    Ok(view::builtin()?.into_iter().find(|template| template.id == *id))
}
