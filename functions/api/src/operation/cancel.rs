//! `POST /v1/operations/{operation}/cancel`: asks that an operation ends

use super::{
    OperationPath, brief, find,
    wish::{self, Wish},
};
use weir_domain::{
    engine::{Operation, OperationUpdate, TODO_PATIENCE},
    timeline::TimelineKind,
};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Kind, Nothing, Problem, Route, function,
    wire::operation::{OperationCancel as Body, OperationView},
};

/// Asks that an operation ends
pub struct OperationCancel;

impl Endpoint for OperationCancel {
    const ROUTE: Route = Route {
        path: "/v1/operations/{operation}/cancel",
        operation: "operation_cancel",
        permission: "operation:cancel",
        success: 202,
        summary: "Asks that an operation ends: nothing further begins, and what runs is told to stop",
        uses: function::DRIVING,
        ..Route::POST
    };
    type Path = OperationPath;
    type Query = Nothing;
    type Body = Body;
    type Reply = OperationView;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<OperationView>, Problem> {
        let id = call.path.operation;
        let reason = wish::reason(call.body.reason.as_ref())?;
        find(cx, &call.scope, id).await?;
        let (by, wake) = (call.actor.id.clone(), call.now + TODO_PATIENCE);
        let update = OperationUpdate::Cancel { by, why: None, wake };
        let wish = Wish {
            kind: TimelineKind::OperationCancelRequested,
            action: "operation.cancel",
            words: "asked that it ends",
            reason,
        };
        let told = |operation: &Operation| wish.told(cx, &call, operation);
        cx.engine().wish(&call.scope, id, &update, &told).await?;
        // Asked for by now, by this call or another one: whoever finds it sweeps the nodes.
        if cx.engine().cancel(&call.scope, id, &call.actor.id).await?.is_some() {
            let after = find(cx, &call.scope, id).await?;
            return Ok(brief(cx, &after, call.now).await?.into());
        }
        let ended = find(cx, &call.scope, id).await?;
        if ended.cancel && call.again {
            // The first run of this very call asked, and by now that was done.
            return Ok(brief(cx, &ended, call.now).await?.into());
        }
        let detail = format!("operation `{id}` has ended: {}", ended.status.as_str());
        Err(Problem::new(Kind::NotAllowedNow, detail))
    }
}
