//! `POST /v1/operations/{operation}/cancel`: asks that an operation ends

use super::{OperationPath, brief, find};
use serde_json::json;
use weir_domain::{
    engine::{Operation, OperationUpdate, TODO_PATIENCE},
    timeline::TimelineKind,
};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Kind, Nothing, Problem, Route, function,
    wire::operation::{OperationCancel as Body, OperationView},
};
use weir_store::Write;

/// Longest reason, in characters
const REASON_MAX: usize = 500;

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
        if call.body.reason.as_ref().is_some_and(|reason| reason.chars().count() > REASON_MAX) {
            let detail = format!("a reason has at most {REASON_MAX} characters");
            return Err(Problem::new(Kind::LimitExceeded, detail));
        }
        let id = call.path.operation;
        let operation = find(cx, &call.scope, id).await?;
        if operation.is_active() && !operation.cancel {
            cx.engine().commit(&asked(cx, &call, &operation)?).await?;
        }
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

/// The wish, with its events. Somebody who asked at the same time makes it a conflict, and is as good
fn asked(cx: &Cx, call: &Call<OperationCancel>, operation: &Operation) -> Result<[Write; 3], Problem> {
    let (engine, id) = (cx.engine(), operation.info.operation_id);
    let reason = call.body.reason.as_deref();
    let message = match reason {
        Some(reason) => format!("{} asked that it ends: {reason}", call.actor.id),
        None => format!("{} asked that it ends", call.actor.id),
    };
    let update = OperationUpdate::Cancel { by: call.actor.id.clone(), wake: call.now + TODO_PATIENCE };
    let subject = ("operation", id.to_string());
    let metadata = json!({ "reason": reason });
    Ok([
        Write::Operation { scope: call.scope.clone(), operation: id, update },
        engine.event(operation, TimelineKind::OperationCancelRequested, message, Some(&call.actor))?,
        engine.audit(&call.scope, &call.actor, "operation.cancel", subject, metadata, Some(call.request))?,
    ])
}
