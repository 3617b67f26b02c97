//! `GET /v1/plan-templates`

use crate::{recipes::Recipes, workflow::templates};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Nothing, Problem, Route, Use,
    page::PageQuery,
    wire::{page::Page, scenario::TemplateView},
};

/// Lists plan templates
pub struct PlanTemplateList;

impl Endpoint for PlanTemplateList {
    const ROUTE: Route = Route {
        path: "/v1/plan-templates",
        operation: "plan_template_list",
        permission: "template:read",
        summary: "Lists plan templates: built-in ones, then those of the tenant and of its workspace, with the contracts of their steps",
        uses: &[Use::TableRead, Use::LargeAnswers],
        ..Route::GET
    };
    type Path = Nothing;
    type Query = PageQuery;
    type Body = Nothing;
    type Reply = Page<TemplateView>;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<Page<TemplateView>>, Problem> {
        let (scope, limit, cursor) = (&call.scope, call.query.size(), call.query.cursor.as_deref());
        let (found, next_cursor) = templates(cx, scope, None, cursor, limit).await?;
        let recipes = Recipes::of(cx, scope).await?;
        let items = found.into_iter().map(|found| recipes.plan_template(found)).collect();
        Ok(Page { items, next_cursor }.into())
    }
}
