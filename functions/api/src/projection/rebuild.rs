//! `POST /v1/projections/rebuild`: makes the rows of the definition again from the ledger

use crate::{
    operation::{brief, find, started},
    refusal,
};
use weir_edge::{Answer, Call, Cx, Endpoint, Nothing, Problem, Route, Use, wire::operation::OperationView};
use weir_orchestration::{Placed, definition::request_rebuild};

/// Starts the operation that makes projections again
pub struct ProjectionRebuild;

impl Endpoint for ProjectionRebuild {
    const ROUTE: Route = Route {
        path: "/v1/projections/rebuild",
        operation: "projection_rebuild",
        permission: "projection:rebuild",
        summary: "Makes the rows of the definition again from the ledger while they are read; 200 where that is under way already",
        uses: &[
            Use::TableRead,
            Use::TableWrite,
            Use::ObjectsRead("plans/"),
            Use::ObjectsWrite("plans/"),
            Use::StartOperation,
        ],
        ..Route::POST
    };
    type Path = Nothing;
    type Query = Nothing;
    type Body = Nothing;
    type Reply = OperationView;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<OperationView>, Problem> {
        let scope = call.workspace_scope()?;
        let placed = request_rebuild(cx.engine(), &call.actor, &refusal::origin(&call)).await?;
        let view = brief(cx, &find(cx, scope, placed.operation()).await?, call.now).await?;
        Ok(started(view, matches!(placed, Placed::Own(_))))
    }
}
