//! `GET /v1/job-templates`

use crate::{recipes::Recipes, walk::walk_kind};
use weir_domain::definition::address::Kind;
use weir_edge::{
    Answer, Call, Cx, Endpoint, Nothing, Problem, Route, Use,
    page::PageQuery,
    wire::{page::Page, scenario::TemplateView},
};

/// Lists job templates
pub struct JobTemplateList;

impl Endpoint for JobTemplateList {
    const ROUTE: Route = Route {
        path: "/v1/job-templates",
        operation: "job_template_list",
        permission: "template:read",
        summary: "Lists job templates, those of the tenant and of its workspace: the jobs that templates share",
        uses: &[Use::TableRead, Use::LargeAnswers],
        ..Route::GET
    };
    type Path = Nothing;
    type Query = PageQuery;
    type Body = Nothing;
    type Reply = Page<TemplateView>;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<Page<TemplateView>>, Problem> {
        let (scope, limit, cursor) = (&call.scope, call.query.size(), call.query.cursor.as_deref());
        let (rows, next_cursor) = walk_kind(cx, scope, Kind::Job, cursor, limit).await?;
        let recipes = Recipes::of(cx, scope).await?;
        let items = rows.into_iter().map(|(scope, row)| recipes.job_template(scope, row));
        let items = items.collect::<Result<_, _>>()?;
        Ok(Page { items, next_cursor }.into())
    }
}
