//! `POST /v1/gates/{gate}/decisions`: approves or rejects

use super::{refusal, view};
use schemars::JsonSchema;
use serde::Deserialize;
use weir_domain::{
    gate::{DecisionRequest, Gate, GateRefusal},
    id::GateId,
};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Nothing, Problem, Route, function,
    wire::gate::{GateDecide as Body, GateView},
};
use weir_orchestration::gates::{DecisionError, record_decision};
use weir_store::NodeKey;

/// Says yes or no at a gate
pub struct GateDecide;

/// Which gate
#[derive(Debug, Deserialize, JsonSchema)]
pub struct GatePath {
    /// The gate
    pub(super) gate: GateId,
}

impl Endpoint for GateDecide {
    const ROUTE: Route = Route {
        path: "/v1/gates/{gate}/decisions",
        operation: "gate_decide",
        permission: "gate:decide",
        summary: "Approves or rejects what waits at a gate",
        uses: function::DRIVING,
        ..Route::POST
    };
    type Path = GatePath;
    type Query = Nothing;
    type Body = Body;
    type Reply = GateView;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<GateView>, Problem> {
        let request = DecisionRequest {
            actor: &call.actor,
            action: call.body.action,
            comment: call.body.comment.as_deref(),
            closure_hash: call.body.closure_hash.as_ref(),
            now: call.now,
        };
        let decided = record_decision(cx.engine(), &call.scope, call.path.gate, request, Some(call.request));
        let gate = match decided.await {
            Ok(gate) => gate,
            Err(DecisionError::NotFound(id)) => return Err(Problem::not_found(format!("gate `{id}`"))),
            Err(DecisionError::Refused(refused, gate)) if was_own(&call, refused, &gate) => {
                // The first run was cut off after it had decided: what follows is done again, which is harmless.
                cx.engine().drive_node(&NodeKey::new(&call.scope, gate.operation_id, gate.ordinal)).await?;
                *gate
            }
            Err(DecisionError::Refused(refused, gate)) => return Err(refusal(refused, &call.actor, &gate)),
            Err(DecisionError::Engine(error)) => return Err(error.into()),
        };
        Ok(view(gate, call.now).into())
    }
}

/// Whether the decision that is in the way is that of this very call
fn was_own(call: &Call<GateDecide>, refused: GateRefusal, gate: &Gate) -> bool {
    let same = gate.decisions.iter().any(|decision| {
        decision.actor == call.actor
            && decision.action == call.body.action
            && decision.comment == call.body.comment
            && decision.at.millis() >= call.ids.created_at()
    });
    call.again && same && matches!(refused, GateRefusal::AlreadyDecided | GateRefusal::GateClosed)
}
