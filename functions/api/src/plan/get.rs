//! `GET /v1/plans/{plan}`

use super::with_run;
use schemars::JsonSchema;
use serde::Deserialize;
use weir_domain::{id::PlanId, plan::Plan, scope::Scope};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Nothing, Problem, Route, Use,
    wire::plan::{PlanRecord, PlanView},
};
use weir_store::{Entity as _, Key};

/// Shows a plan and its graph
pub struct PlanGet;

/// Which plan
#[derive(Debug, Deserialize, JsonSchema)]
pub struct PlanPath {
    /// The plan
    plan: PlanId,
}

impl Endpoint for PlanGet {
    const ROUTE: Route = Route {
        path: "/v1/plans/{plan}",
        operation: "plan_get",
        permission: "plan:read",
        summary: "Shows a plan and its graph",
        uses: &[Use::TableRead, Use::ObjectsRead("plans/"), Use::LargeAnswers],
        ..Route::GET
    };
    type Path = PlanPath;
    type Query = Nothing;
    type Body = Nothing;
    type Reply = PlanView;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<PlanView>, Problem> {
        let id = call.path.plan;
        let found = view(cx, &call.scope, id).await?;
        Ok(found.ok_or_else(|| Problem::not_found(format!("plan `{id}`")))?.into())
    }
}

/// The plan with its graph and, inline, the plans of the operations that it runs; planning has bounded their depth
async fn view(cx: &Cx, scope: &Scope, id: PlanId) -> Result<Option<PlanView>, Problem> {
    let found = cx.table().read::<Plan>(&Key::entity(scope, Plan::KIND, id)).await?;
    let Some((plan, _)) = found else { return Ok(None) };
    let PlanRecord { plan, operation_id } = with_run(cx, scope, plan).await?;
    let graph = cx.engine().graph(&plan.graph_hash).await?.nodes().to_vec();
    let mut sub_operations = Vec::new();
    for id in plan.bindings.iter().filter_map(|binding| binding.sub_operation_plan_id) {
        sub_operations.extend(Box::pin(view(cx, scope, id)).await?);
    }
    Ok(Some(PlanView { plan, operation_id, graph, sub_operations }))
}
