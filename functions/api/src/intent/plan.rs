//! `POST /v1/intents/{intent}/plan`: plans an intent again that nothing runs yet

use super::get::IntentPath;
use crate::refusal;
use weir_edge::{Answer, Call, Cx, Endpoint, Nothing, Problem, Route, Use, wire::intent::IntentView};
use weir_orchestration::replan::plan_again;

/// Plans an intent again
pub struct IntentPlan;

impl Endpoint for IntentPlan {
    const ROUTE: Route = Route {
        path: "/v1/intents/{intent}/plan",
        operation: "intent_plan",
        permission: "intent:create",
        success: 200,
        summary: "Plans again what somebody wants and nothing runs yet: the plan before is superseded",
        uses: &[Use::TableRead, Use::TableWrite, Use::ObjectsWrite("plans/")],
        ..Route::POST
    };
    type Path = IntentPath;
    type Query = Nothing;
    type Body = Nothing;
    type Reply = IntentView;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<IntentView>, Problem> {
        let (scope, origin) = (call.tenant_scope()?, refusal::origin(&call));
        let intent = plan_again(cx.engine(), scope, &call.actor, &origin, call.path.intent).await;
        Ok(IntentView::from(intent.map_err(refusal::delivery)?).into())
    }
}
