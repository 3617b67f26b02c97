//! `POST /v1/intents`: what somebody wants becomes a plan that can be read

use crate::refusal;
use serde_json::{Map, Value};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Nothing, Problem, Route, Use,
    wire::intent::{IntentAction, IntentCreate as Body, IntentView},
};
use weir_orchestration::delivery::{IntentRequest, plan_intent};

/// Records an intent and plans it
pub struct IntentCreate;

impl Endpoint for IntentCreate {
    const ROUTE: Route = Route {
        path: "/v1/intents",
        operation: "intent_create",
        permission: "intent:create",
        summary: "Records what somebody wants and plans it; nothing runs",
        uses: &[Use::TableRead, Use::TableWrite, Use::ObjectsWrite("plans/")],
        ..Route::POST
    };
    type Path = Nothing;
    type Query = Nothing;
    type Body = Body;
    type Reply = IntentView;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<IntentView>, Problem> {
        let scope = call.tenant_scope()?.clone();
        let origin = refusal::origin(&call);
        let action = match call.body.action {
            IntentAction::Deploy => "deploy",
            IntentAction::Promote => "promote",
        };
        let request = IntentRequest {
            action: action.to_owned(),
            environment: call.body.target_resource_id,
            release_id: call.body.desired_result.release_id,
            desired_result: object(serde_json::to_value(call.body.desired_result)?),
            constraints: object(serde_json::to_value(call.body.constraints)?),
        };
        let (intent, _) = plan_intent(cx.engine(), &scope, &call.actor, &origin, &request)
            .await
            .map_err(refusal::delivery)?;
        Ok(intent.into())
    }
}

/// The fields of what was written from a struct
fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(fields) = value { fields } else { Map::new() }
}
