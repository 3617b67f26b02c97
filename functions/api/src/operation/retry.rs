//! `POST /v1/operations/{operation}/retry`: does again what an operation has left undone

use super::{OperationPath, brief, find, started, wish};
use crate::refusal;
use weir_edge::{
    Answer, Call, Cx, Endpoint, Nothing, Problem, Route, Use,
    wire::operation::{OperationRetry as Body, OperationView},
};
use weir_orchestration::{Placed, scenario::retry_scenario};

/// Does again what an operation has left undone
pub struct OperationRetry;

impl Endpoint for OperationRetry {
    const ROUTE: Route = Route {
        path: "/v1/operations/{operation}/retry",
        operation: "operation_retry",
        permission: "operation:create",
        summary: "Runs what an operation has left undone as another operation, behind the same gates",
        uses: &[
            Use::TableRead,
            Use::TableWrite,
            Use::ObjectsRead("plans/"),
            Use::ObjectsWrite("plans/"),
            Use::StartOperation,
        ],
        ..Route::POST
    };
    type Path = OperationPath;
    type Query = Nothing;
    type Body = Body;
    type Reply = OperationView;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<OperationView>, Problem> {
        let reason = wish::reason(call.body.reason.as_ref())?;
        let (id, scope, origin) = (call.path.operation, &call.scope, refusal::origin(&call));
        let placed = retry_scenario(cx.engine(), scope, &call.actor, &origin, id, reason).await;
        let placed = placed.map_err(refusal::retry)?;
        let view = brief(cx, &find(cx, scope, placed.operation()).await?, call.now).await?;
        Ok(started(view, matches!(placed, Placed::Own(_))))
    }
}
