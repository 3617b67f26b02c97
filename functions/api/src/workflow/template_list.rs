//! `GET /v1/workflow-templates`

use super::view;
use crate::{recipes::Found, walk::walk_kind};
use schemars::JsonSchema;
use serde::Deserialize;
use weir_domain::{definition::address::Kind, scope::Scope};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Kind as ProblemKind, Nothing, Problem, Route, Use,
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
        uses: &[Use::TableRead, Use::LargeAnswers],
        ..Route::GET
    };
    type Path = Nothing;
    type Query = WorkflowTemplateListQuery;
    type Body = Nothing;
    type Reply = Page<WorkflowTemplate>;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<Page<WorkflowTemplate>>, Problem> {
        let wanted = call.query;
        let found = page(cx, &call.scope, wanted.is_builtin, wanted.cursor.as_deref(), size(wanted.limit));
        let (templates, next_cursor) = found.await?;
        Ok(Page { items: templates.into_iter().map(view::template).collect(), next_cursor }.into())
    }
}

/// At most `limit` templates from `cursor` on: the built-in ones, then those of the tenant and of its workspace
pub(crate) async fn page(
    cx: &Cx,
    scope: &Scope,
    is_builtin: Option<bool>,
    mut cursor: Option<&str>,
    limit: usize,
) -> Result<(Vec<Found>, Option<String>), Problem> {
    let mut found = Vec::new();
    let given = cursor.map_or(Ok(Some(0)), among_builtin)?;
    if let Some(given) = given {
        cursor = None;
        if is_builtin != Some(false) {
            let mut left = view::builtin()?.into_iter().skip(given).peekable();
            found.extend(left.by_ref().take(limit));
            let is_last = left.peek().is_none();
            if !is_last || (found.len() == limit && is_builtin.is_none()) {
                let next = format!("{BUILTIN}{}", given + found.len());
                return Ok((found, Some(next)));
            }
        }
    }
    if is_builtin == Some(true) {
        return Ok((found, None));
    }
    let (rows, next) = walk_kind(cx, scope, Kind::Template, cursor, limit - found.len()).await?;
    for (scope, row) in rows {
        found.push(Found::of(scope, row)?);
    }
    Ok((found, next))
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
