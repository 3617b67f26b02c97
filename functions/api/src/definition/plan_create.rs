//! `POST /v1/definition/plans`: what an uploaded definition would change

use crate::refusal;
use weir_edge::{
    Answer, Call, Cx, Endpoint, Nothing, Problem, Route, Use,
    wire::definition::{DefinitionPlanCreate, DefinitionPlanView},
};
use weir_orchestration::definition::plan;

/// Plans a change of the definition
pub struct DefinitionPlan;

impl Endpoint for DefinitionPlan {
    const ROUTE: Route = Route {
        path: "/v1/definition/plans",
        operation: "definition_plan_create",
        permission: "definition:plan",
        summary: "Tells what an uploaded definition would change; nothing is changed",
        uses: &[
            Use::TableRead,
            Use::TableWrite,
            Use::ObjectsRead("definitions/"),
            Use::ObjectsWrite("definitions/"),
            Use::ObjectsRead("state/"),
            Use::ObjectsWrite("plans/"),
        ],
        ..Route::POST
    };
    type Path = Nothing;
    type Query = Nothing;
    type Body = DefinitionPlanCreate;
    type Reply = DefinitionPlanView;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<DefinitionPlanView>, Problem> {
        let scope = call.workspace_scope()?;
        let origin = refusal::origin(&call);
        let planned = plan(cx.engine(), scope, &call.actor, &origin, &call.body.definition).await;
        let planned = planned.map_err(refusal::definition)?;
        Ok(DefinitionPlanView { plan_id: planned.plan.map(|plan| plan.plan_id), changes: planned.changes }
            .into())
    }
}
