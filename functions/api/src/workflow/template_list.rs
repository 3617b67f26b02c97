//! `GET /v1/workflow-templates`

use super::view;
use crate::walk::walk_kind;
use schemars::JsonSchema;
use serde::Deserialize;
use weir_domain::definition::{address::Kind, spec::Template};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Kind as ProblemKind, Nothing, Problem, Route,
    page::size,
    wire::{page::Page, workflow::WorkflowTemplate},
};

/// How a cursor among the built-in templates begins; how many of them were given follows
const BUILTIN: &str = "builtin.";

/// Lists workflow templates
pub struct WorkflowTemplateList;

/// Which templates, and which page of them
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkflowTemplateListQuery {
    /// Only those that are a part of Weir, or only the others
    is_builtin: Option<bool>,
    /// At most so many; 50 if absent, never more than 200
    limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before
    cursor: Option<String>,
}

impl Endpoint for WorkflowTemplateList {
    const ROUTE: Route = Route {
        path: "/v1/workflow-templates",
        operation: "workflow_template_list",
        permission: "workflow:read",
        summary: "Lists workflow templates: built-in ones, then those of the tenant and of its workspace",
        ..Route::GET
    };
    type Path = Nothing;
    type Query = WorkflowTemplateListQuery;
    type Body = Nothing;
    type Reply = Page<WorkflowTemplate>;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<Page<WorkflowTemplate>>, Problem> {
        let (wanted, limit) = (&call.query, size(call.query.limit));
        let mut page = Page { items: Vec::new(), next_cursor: None };
        let mut cursor = wanted.cursor.as_deref();
        let given = cursor.map_or(Ok(Some(0)), among_builtin)?;
        if let Some(given) = given {
            cursor = None;
            if wanted.is_builtin != Some(false) {
                let mut left = view::builtin()?.into_iter().skip(given).peekable();
                page.items.extend(left.by_ref().take(limit));
                let is_last = left.peek().is_none();
                if !is_last || (page.items.len() == limit && wanted.is_builtin.is_none()) {
                    page.next_cursor = Some(format!("{BUILTIN}{}", given + page.items.len()));
                    return Ok(page.into());
                }
            }
        }
        if wanted.is_builtin == Some(true) {
            return Ok(page.into());
        }
        let (rows, next) =
            walk_kind(cx, &call.scope, Kind::Template, cursor, limit - page.items.len()).await?;
        for (scope, row) in rows {
            let spec: Template = serde_json::from_value(row.spec)?;
            page.items.push(view::template(row.address, spec, scope.tenant, false));
        }
        page.next_cursor = next;
        Ok(page.into())
    }
}

/// How many built-in templates were given before this cursor; none where it is past them
fn among_builtin(cursor: &str) -> Result<Option<usize>, Problem> {
    let Some(given) = cursor.strip_prefix(BUILTIN) else { return Ok(None) };
    let given = given.parse().map_err(|_| {
        Problem::new(ProblemKind::InvalidQuery, "`cursor` is not the `next_cursor` of a page of this list")
            .at("/cursor", "not a cursor of this list")
    })?;
    Ok(Some(given))
}
