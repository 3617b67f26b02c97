//! `POST /v1/intents`: what somebody wants becomes a plan that can be read

use crate::refusal;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use weir_domain::{
    id::PlanId,
    plan::{Plan, PlanSnapshot},
};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Kind, Nothing, Problem, Route, Use,
    wire::{
        intent::{IntentCreate as Body, IntentPlanned},
        plan::PlanView,
    },
};
use weir_orchestration::intents::{IntentRequest, Prepared, plan_intent, prepare};

/// Longest name of an action, in bytes
const ACTION_MAX: usize = 63;

/// Whether anything is to be recorded
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IntentCreateQuery {
    /// Only say what would be planned: nothing is written, and no `Idempotency-Key` is looked at
    #[serde(default)]
    dry_run: bool,
}

/// Records an intent and plans it
pub struct IntentCreate;

impl Endpoint for IntentCreate {
    const ROUTE: Route = Route {
        path: "/v1/intents",
        operation: "intent_create",
        permission: "intent:create",
        summary: "Records what somebody wants and plans it; nothing runs. With `dry_run`, nothing is recorded either",
        dry_run: true,
        uses: &[Use::TableRead, Use::TableWrite, Use::ObjectsWrite("plans/"), Use::LargeAnswers],
        ..Route::POST
    };
    type Path = Nothing;
    type Query = IntentCreateQuery;
    type Body = Body;
    type Reply = IntentPlanned;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<IntentPlanned>, Problem> {
        let scope = call.tenant_scope()?.clone();
        let origin = refusal::origin(&call);
        let request = request(call.body)?;
        if call.query.dry_run {
            let prepared = prepare(cx.engine(), &scope, &call.actor, &origin, &request).await;
            return Ok(Answer::with_status(200, shown(prepared.map_err(refusal::delivery)?)));
        }
        let prepared = plan_intent(cx.engine(), &scope, &call.actor, &origin, &request).await;
        let intent = prepared.map_err(refusal::delivery)?.intent;
        Ok(IntentPlanned { intent: intent.into(), plan: None, preview: None }.into())
    }
}

/// What would be recorded, and what it would mean
fn shown(prepared: Prepared) -> IntentPlanned {
    let preview = Some(prepared.preview());
    let mut children: BTreeMap<PlanId, (Plan, PlanSnapshot)> =
        prepared.children.into_iter().map(|child| (child.0.plan_id, child)).collect();
    let plan = view((prepared.plan, prepared.graph), &mut children);
    IntentPlanned { intent: prepared.intent.into(), plan: Some(plan), preview }
}

/// A plan with the plans of the operations that it runs inside it, taken out of `others`
fn view(
    (plan, graph): (Plan, PlanSnapshot),
    others: &mut BTreeMap<PlanId, (Plan, PlanSnapshot)>,
) -> PlanView {
    let own = plan.bindings.iter().filter_map(|binding| binding.sub_operation_plan_id);
    let own: Vec<_> = own.filter_map(|id| others.remove(&id)).collect();
    let sub_operations = own.into_iter().map(|child| view(child, others)).collect();
    PlanView { plan, operation_id: None, graph: graph.nodes.nodes().to_vec(), sub_operations }
}

fn request(body: Body) -> Result<IntentRequest, Problem> {
    if body.action.is_empty() || body.action.len() > ACTION_MAX {
        let detail = format!("an action has 1 to {ACTION_MAX} characters");
        return Err(Problem::new(Kind::InvalidBody, detail).at("/action", "its length"));
    }
    let kind = body.target_resource_id.kind();
    if body.target_resource_type.is_some_and(|said| said != kind) {
        let detail = format!("`{}` is a resource of kind `{kind}`", body.target_resource_id);
        return Err(Problem::new(Kind::InvalidBody, detail).at("/target_resource_type", "another kind"));
    }
    Ok(IntentRequest {
        action: body.action,
        target: body.target_resource_id,
        scenario: body.scenario,
        inputs: body.inputs,
        desired_result: body.desired_result,
        constraints: object(serde_json::to_value(body.constraints)?),
        customizations: body.customizations,
    })
}

/// The fields of what was written from a struct
fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(fields) = value { fields } else { Map::new() }
}
