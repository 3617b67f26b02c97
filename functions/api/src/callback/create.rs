//! `POST /v1/callbacks/{token}`: how an attempt ended that was left to somebody outside

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use weir_domain::{
    audit::AuditEvent,
    canonical::Digest,
    failure::FailureSummary,
    id::{AuditId, Id as _},
    sanitise::sanitise,
};
use weir_edge::{
    Answer, Auth, Call, Cx, Endpoint, Idempotency, Kind, Nothing, Problem, Proof, Route, function,
    wire::callback::{CallbackAck, CallbackReport, CallbackStatus},
};
use weir_orchestration::{
    Outcome,
    callbacks::{CallbackRow, Called},
};

/// The most bytes of a callback
const BODY_MAX: usize = 64 * 1024;

/// Ends the attempt that the token was made for
pub struct CallbackCreate;

/// Which callback
#[derive(Debug, Deserialize, JsonSchema)]
pub struct CallbackPath {
    /// The token that the job was given
    #[schemars(extend("pattern" = "^wcb_[0-9a-f]{64}$"))]
    #[expect(dead_code, reason = "by it the caller has been recognised")]
    token: String,
}

impl Endpoint for CallbackCreate {
    const ROUTE: Route = Route {
        path: "/v1/callbacks/{token}",
        operation: "callback_create",
        success: 200,
        auth: Auth::Callback,
        idempotency: Idempotency::None,
        body_limit: BODY_MAX,
        summary: "Ends an attempt of a job that was left to somebody outside; the same callback again changes nothing",
        uses: function::DRIVING,
        ..Route::POST
    };
    type Path = CallbackPath;
    type Query = Nothing;
    type Body = CallbackReport;
    type Reply = CallbackAck;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<CallbackAck>, Problem> {
        let Proof::Callback(row) = &call.proof else {
            return Err(Problem::internal("a callback without its token"));
        };
        let engine = cx.engine();
        let open = if call.now < row.expires_at { engine.awaited(row).await? } else { None };
        if let Some(node) = &open
            && call.body.status == CallbackStatus::Succeeded
            && let Err(missing) = engine.keep_result(row, node, &call.body.result).await?
        {
            let detail = format!("the body was refused at `/result`: {missing}");
            return Err(Problem::new(Kind::InvalidBody, detail).at("/result", missing));
        }
        let said = Digest::of(&call.body)?;
        let result_id = format!("callback/{}/{said}", row.attempt);
        let called = if call.now < row.expires_at {
            engine.called_back(row, outcome(&call.body), result_id).await?
        } else {
            repeated(cx, row, &result_id).await?
        };
        audit(cx, &call, row, &said, &called).await?;
        match called {
            Called::Accepted => Ok(CallbackAck { accepted: true }.into()),
            Called::TooLate => {
                let detail =
                    format!("attempt {} has ended, or its time is over: this changes nothing", row.attempt);
                Err(Problem::new(Kind::AttemptSuperseded, detail))
            }
        }
    }
}

/// Whether the attempt was ended by this very callback while it still could
async fn repeated(cx: &Cx, row: &CallbackRow, result_id: &str) -> Result<Called, Problem> {
    let node = cx.table().node_get(&row.node()).await?;
    let same = node.is_some_and(|node| {
        node.attempt == row.attempt
            && node.status.is_terminal()
            && node.result_id.as_deref() == Some(result_id)
    });
    Ok(if same { Called::Accepted } else { Called::TooLate })
}

fn outcome(report: &CallbackReport) -> Outcome {
    match report.status {
        CallbackStatus::Succeeded => Outcome::Succeeded,
        CallbackStatus::Failed => {
            let message = report.message.as_deref().unwrap_or("whoever was called said that it failed");
            let error = FailureSummary::new("callback_failed", sanitise(message));
            Outcome::Failed { error, retryable: report.retryable }
        }
    }
}

/// Written after the effect: a crash in between leaves it to the next time that the same is told
async fn audit(
    cx: &Cx,
    call: &Call<CallbackCreate>,
    row: &CallbackRow,
    said: &Digest,
    called: &Called,
) -> Result<(), Problem> {
    let (action, word) = match called {
        Called::Accepted => ("callback.accept", "accepted"),
        Called::TooLate => ("callback.refuse", "too late"),
    };
    // One event for each callback and answer, however often it is told.
    let id = AuditId::derived(row.expires_at.0, &format!("{}/{said}/{word}", row.hash));
    let metadata = json!({ "node": row.ordinal, "attempt": row.attempt, "status": call.body.status });
    let subject = ("operation", row.operation.to_string());
    let event = AuditEvent::new(
        id,
        call.now.into(),
        call.actor.clone(),
        action,
        subject,
        metadata,
        Some(call.request),
    );
    cx.commit(&row.scope, Vec::new(), &event).await
}
