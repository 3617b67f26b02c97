//! `POST /v1/intents/{intent}/cancel`: takes an intent back that nothing runs yet

use super::get::IntentPath;
use crate::{definition::DefinitionPlan, refusal};
use weir_domain::{
    id::IntentId,
    intent::Intent,
    plan::{Plan, PlanContext, patch::REASON_MAX},
    scope::Scope,
};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Kind, Nothing, Problem, Route, Use,
    authz::require,
    wire::intent::{IntentCancel as Body, IntentView},
};
use weir_orchestration::replan::cancel_intent;
use weir_store::{Entity as _, Key};

/// Takes an intent back
pub struct IntentCancel;

impl Endpoint for IntentCancel {
    const ROUTE: Route = Route {
        path: "/v1/intents/{intent}/cancel",
        operation: "intent_cancel",
        permission: "intent:create",
        success: 200,
        summary: "Takes back what somebody wants and nothing runs yet: its plan cannot be started any more",
        uses: &[Use::TableRead, Use::TableWrite],
        ..Route::POST
    };
    type Path = IntentPath;
    type Query = Nothing;
    type Body = Body;
    type Reply = IntentView;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<IntentView>, Problem> {
        let (scope, origin) = (&call.scope, refusal::origin(&call));
        let reason = call.body.reason.as_ref();
        if reason.is_some_and(|reason| reason.chars().count() > REASON_MAX) {
            let detail = format!("a reason has at most {REASON_MAX} characters");
            return Err(Problem::new(Kind::InvalidBody, detail).at("/reason", "too long"));
        }
        let reason = reason.map(String::as_str);
        if is_of_definition(cx, scope, call.path.intent).await? {
            require(&call.actor, DefinitionPlan::ROUTE.permission)?;
        }
        let intent = cancel_intent(cx.engine(), scope, &call.actor, &origin, call.path.intent, reason).await;
        Ok(IntentView::from(intent.map_err(refusal::delivery)?).into())
    }
}

/// Whether it is a change of the definition that is wanted: whoever may not ask for one does not take one back
async fn is_of_definition(cx: &Cx, scope: &Scope, id: IntentId) -> Result<bool, Problem> {
    let intent = cx.table().read::<Intent>(&Key::entity(scope, Intent::KIND, id)).await?;
    let Some(plan) = intent.and_then(|(intent, _)| intent.plan_id) else { return Ok(false) };
    let plan = cx.table().read::<Plan>(&Key::entity(scope, Plan::KIND, plan)).await?;
    Ok(plan.is_some_and(|(plan, _)| matches!(plan.context, PlanContext::Definition(_))))
}
