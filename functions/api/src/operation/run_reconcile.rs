//! `POST /v1/operation-runs/reconcile`: finds what stands still, and drives it forward or fails it

use super::runs;
use crate::refusal;
use weir_domain::operation::ReconcilePass;
use weir_edge::{
    Answer, Call, Cx, Endpoint, Nothing, Problem, Route, Use, driving, wire::operation_run::OperationRun,
};
use weir_orchestration::Placed;
use weir_store::{Entity as _, Key};

/// Makes a pass of housekeeping
pub struct OperationRunReconcile;

impl Endpoint for OperationRunReconcile {
    const ROUTE: Route = Route {
        path: "/v1/operation-runs/reconcile",
        operation: "operation_run_reconcile",
        permission: "operation:reconcile",
        summary: "Finds what stands still and drives it forward or fails it; 200 where that is under way already",
        uses: driving![Use::StartSegment],
        ..Route::POST
    };
    type Path = Nothing;
    type Query = Nothing;
    type Body = Nothing;
    type Reply = OperationRun;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<OperationRun>, Problem> {
        let scope = call.workspace_scope()?;
        let placed = cx.engine().reconcile_now(&call.actor, &refusal::origin(&call)).await?;
        let id = placed.operation();
        let found = cx.table().read::<ReconcilePass>(&Key::entity(scope, ReconcilePass::KIND, id)).await?;
        let (pass, _) = found.ok_or_else(|| Problem::not_found(format!("operation run `{id}`")))?;
        let mut run = runs::of_pass(&pass, scope, call.now);
        run.repairs = pass.repairs;
        Ok(match placed {
            Placed::Own(_) => run.into(),
            Placed::Other(_) => Answer::with_status(200, run),
        })
    }
}
