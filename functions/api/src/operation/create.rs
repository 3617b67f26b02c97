//! `POST /v1/plans/{plan}/operations`: runs a plan

use super::{brief, find, started};
use crate::refusal;
use schemars::JsonSchema;
use serde::Deserialize;
use weir_domain::{
    id::PlanId,
    plan::{Plan, PlanContext},
};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Kind, Nothing, Problem, Route, Use, authz, wire::operation::OperationView,
};
use weir_orchestration::{Placed, definition::request_apply, delivery::start_plan, scenario::start_scenario};
use weir_store::{Entity as _, Key};

/// Runs a plan that was recorded with its intent
pub struct OperationCreate;

/// Which plan
#[derive(Debug, Deserialize, JsonSchema)]
pub struct PlanPath {
    /// The plan
    plan: PlanId,
}

impl Endpoint for OperationCreate {
    const ROUTE: Route = Route {
        path: "/v1/plans/{plan}/operations",
        operation: "operation_create",
        permission: "operation:create",
        summary: "Runs a plan; 200 where an operation of the same identity is under way already",
        uses: &[
            Use::TableRead,
            Use::TableWrite,
            Use::ObjectsRead("plans/"),
            Use::ObjectsRead("state/"),
            Use::ObjectsWrite("plans/"),
            Use::StartOperation,
        ],
        ..Route::POST
    };
    type Path = PlanPath;
    type Query = Nothing;
    type Body = Nothing;
    type Reply = OperationView;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<OperationView>, Problem> {
        let (id, scope, actor) = (call.path.plan, &call.scope, &call.actor);
        let found = cx.table().read::<Plan>(&Key::entity(scope, Plan::KIND, id)).await?;
        let (plan, _) = found.ok_or_else(|| Problem::not_found(format!("plan `{id}`")))?;
        let origin = refusal::origin(&call);
        let own = refusal::own_operation(&origin);
        let (operation, is_new) = match plan.context {
            PlanContext::Delivery(_) => {
                let requested = start_plan(cx.engine(), scope, actor, &origin, id).await;
                let operation = requested.map_err(refusal::delivery)?.promotion.workflow_run_id;
                (operation, operation == own)
            }
            PlanContext::Scenario(_) => {
                let placed = start_scenario(cx.engine(), scope, actor, &origin, id).await;
                let placed = placed.map_err(refusal::delivery)?;
                (placed.operation(), matches!(placed, Placed::Own(_)))
            }
            PlanContext::Definition(_) => {
                authz::require(actor, "definition:apply")?;
                let placed = request_apply(cx.engine(), scope, actor, &origin, id).await;
                let operation = placed.map_err(refusal::definition)?.operation();
                (operation, operation == own)
            }
            PlanContext::None {} => {
                return Err(Problem::new(
                    Kind::NotAllowedNow,
                    format!("plan `{id}` is about nothing that can run"),
                ));
            }
        };
        let view = brief(cx, &find(cx, scope, operation).await?, call.now).await?;
        Ok(started(view, is_new))
    }
}
