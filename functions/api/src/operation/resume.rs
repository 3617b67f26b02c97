//! `POST /v1/operations/{operation}/resume`: lets a paused operation go on

use super::{
    OperationPath, brief, find,
    wish::{self, Wish},
};
use weir_domain::{engine::Operation, timeline::TimelineKind};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Kind, Nothing, Problem, Route, function,
    wire::operation::{OperationHold, OperationView},
};

/// Lets a paused operation go on
pub struct OperationResume;

impl Endpoint for OperationResume {
    const ROUTE: Route = Route {
        path: "/v1/operations/{operation}/resume",
        operation: "operation_resume",
        permission: "operation:resume",
        success: 200,
        summary: "Lets a paused operation go on: everything that was held begins",
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
            kind: TimelineKind::OperationResumed,
            action: "operation.resume",
            words: "let it go on",
            reason,
        };
        let told = |operation: &Operation| wish.told(cx, &call, operation);
        if cx.engine().resume_told(&call.scope, id, &told).await?.is_some() {
            let after = find(cx, &call.scope, id).await?;
            return Ok(brief(cx, &after, call.now).await?.into());
        }
        let now = find(cx, &call.scope, id).await?;
        let detail = format!("operation `{id}` has ended: {}", now.status.as_str());
        Err(Problem::new(Kind::NotAllowedNow, detail))
    }
}
