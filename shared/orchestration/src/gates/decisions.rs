//! What people decide at a gate

use super::DECISION_TRIES;
use crate::{Engine, EngineError, queues::Notice, records::record};
use weir_domain::{
    actor::Actor,
    gate::{DecisionRequest, Gate, GateRefusal, apply, decide},
    id::{GateId, RequestId},
    scope::Scope,
    timeline::TimelineKind,
};
use weir_store::{Entity as _, Key, NodeKey, TransactError, Write};

/// Why a decision was not recorded
#[derive(Debug, thiserror::Error)]
pub enum DecisionError {
    /// There is no such gate in this scope
    #[error("there is no gate `{0}`")]
    NotFound(GateId),
    /// A rule refused it; the refusal has been audited
    #[error("{0}")]
    Refused(GateRefusal, Box<Gate>),
    /// It could not be carried out
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Somebody decides on a gate. What a rule refuses is audited too
pub async fn record_decision(
    engine: &Engine,
    scope: &Scope,
    id: GateId,
    request: DecisionRequest<'_>,
    request_id: Option<RequestId>,
) -> Result<Gate, DecisionError> {
    let key = Key::entity(scope, Gate::KIND, id);
    for _ in 0..DECISION_TRIES {
        let read = engine.table.read::<Gate>(&key).await.map_err(EngineError::from)?;
        let Some((gate, version)) = read else { return Err(DecisionError::NotFound(id)) };
        let events = match decide(&gate, &request) {
            Ok(events) => events,
            Err(refusal) => {
                let metadata = serde_json::json!({ "refused": refusal.code(), "action": request.action });
                let audit = engine.audit(
                    scope,
                    request.actor,
                    "gate.decide",
                    ("gate", id.to_string()),
                    metadata,
                    request_id,
                )?;
                engine.commit(&[audit]).await?;
                return Err(DecisionError::Refused(refusal, Box::new(gate)));
            }
        };
        let after = events.iter().fold(gate, apply);
        let writes = decision_writes(engine, scope, &after, version, &request, request_id).await?;
        match engine.table.transact(&writes).await {
            Ok(()) => {
                engine.drive_node(&NodeKey::new(scope, after.operation_id, after.ordinal)).await?;
                let notice = Notice { scope: scope.clone(), gate: id };
                engine.queues.send_notice(&notice).await.map_err(EngineError::from)?;
                return Ok(after);
            }
            Err(TransactError::Conflict(_)) => {}
            Err(error) => return Err(EngineError::from(error).into()),
        }
    }
    Err(EngineError::from(TransactError::Conflict(vec![0])).into())
}

async fn decision_writes(
    engine: &Engine,
    scope: &Scope,
    gate: &Gate,
    expected: u64,
    request: &DecisionRequest<'_>,
    request_id: Option<RequestId>,
) -> Result<Vec<Write>, EngineError> {
    let operation = engine.operation(scope, gate.operation_id).await?;
    let actor: &Actor = request.actor;
    let done = serde_json::to_value(request.action).unwrap_or_default();
    let message = format!("gate `{}` {}", gate.node_id, done.as_str().unwrap_or("decided"));
    let metadata = serde_json::json!({
        "action": request.action, "comment": request.comment, "operation_id": gate.operation_id,
        "closure_hash": gate.closure_hash, "status": gate.status,
    });
    Ok(vec![
        Write::Replace { expected, record: record(scope, gate)? },
        engine.event(&operation, TimelineKind::GateDecided, message, Some(actor))?,
        engine.audit(
            scope,
            actor,
            "gate.decide",
            ("gate", gate.gate_id.to_string()),
            metadata,
            request_id,
        )?,
    ])
}
