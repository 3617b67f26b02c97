//! `POST /v1/operations/{operation}/pause`: holds an operation

use super::{
    OperationPath, brief, find,
    wish::{self, Wish},
};
use weir_domain::{engine::Operation, timeline::TimelineKind};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Kind, Nothing, Problem, Route, function,
    wire::operation::{OperationHold, OperationView},
};

/// Holds an operation
pub struct OperationPause;

impl Endpoint for OperationPause {
    const ROUTE: Route = Route {
        path: "/v1/operations/{operation}/pause",
        operation: "operation_pause",
        permission: "operation:pause",
        success: 200,
        summary: "Holds an operation and those that its nodes run: what has been handed out goes on, nothing further is until it is resumed",
        uses: function::DRIVING,
        ..Route::POST
    };
    type Path = OperationPath;
    type Query = Nothing;
    type Body = OperationHold;
    type Reply = OperationView;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<OperationView>, Problem> {
        let id = call.path.operation;
        let reason = wish::reason(call.body.reason.as_ref())?;
        find(cx, &call.scope, id).await?;
        let wish = Wish {
            kind: TimelineKind::OperationPaused,
            action: "operation.pause",
            words: "paused it",
            reason,
        };
        let told = |operation: &Operation| wish.told(cx, &call, operation);
        if let Some(after) = cx.engine().pause_told(&call.scope, id, &call.actor.id, &told).await? {
            return Ok(brief(cx, &after, call.now).await?.into());
        }
        let now = find(cx, &call.scope, id).await?;
        let detail = if now.is_active() {
            format!("operation `{id}` was asked to end, and begins nothing further anyway")
        } else {
            format!("operation `{id}` has ended: {}", now.status.as_str())
        };
        Err(Problem::new(Kind::NotAllowedNow, detail))
    }
}
