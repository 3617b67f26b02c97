//! Gates: opened by the node that waits for them, decided by people or by themselves

use crate::{
    Engine, EngineError,
    engine::{Decided, Deciding},
    queues::Notice,
    records::record,
};
use weir_domain::{
    actor::Actor,
    definition::{address::Address, spec::Environment, spec::FreezeWindow},
    delivery::{GateOutcome, PromotionCommand},
    engine::LOOK_AGAIN,
    failure::FailureSummary,
    gate::{
        ApprovalGate, DecisionRequest, FreezeGate, Gate, GateRefusal, GateSpec, GateStatus, Verdict,
        VerdictResult, apply, closure_hash, decide as decide_gate, expire, freeze, freeze_verdict,
    },
    id::{GateId, Id as _, OperationId, RequestId},
    scope::Scope,
    timeline::TimelineKind,
};
use weir_store::{Entity as _, Key, NodeKey, ResourceRow, TransactError, Write};

/// How often a decision that met another one is made again on the gate as it is then
const DECISION_TRIES: u32 = 8;

/// The gate of a node: whoever asks derives the same id
pub fn gate_id(operation: OperationId, ordinal: u32) -> GateId {
    GateId::derived(operation.millis(), &format!("{operation}/{ordinal}"))
}

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

pub(crate) async fn decide(engine: &Engine, d: &Deciding<'_>) -> Result<Decided, EngineError> {
    match &d.plan_node.gate {
        Some(GateSpec::Approval(spec)) => approval(engine, d, spec).await,
        Some(GateSpec::FreezeWindow(spec)) => freeze_window(engine, d, spec).await,
        None => Err(EngineError::Inconsistent(format!("`{}` is a gate of no kind", d.plan_node.node_id))),
    }
}

fn decided(verdict: &Verdict) -> Decided {
    match verdict.result {
        VerdictResult::Allow => Decided::Yes,
        VerdictResult::Deny | VerdictResult::Pending => {
            let code: &str = verdict.reason_codes.first().map_or("denied", |code| (*code).into());
            Decided::No(FailureSummary::new(code, "a gate has denied it"))
        }
    }
}

/// Freeze windows are read when they are asked about: one that was added since the plan was made holds too
async fn freeze_window(engine: &Engine, d: &Deciding<'_>, spec: &FreezeGate) -> Result<Decided, EngineError> {
    let scope = &d.operation.info.scope;
    let windows = windows(engine, scope, &spec.environment).await?.unwrap_or_else(|| spec.windows.clone());
    let answer = freeze(&windows, &d.operation.info.actor, engine.clock.now());
    match &answer {
        weir_domain::gate::Freeze::WaitUntil { until, .. } => Ok(Decided::Later(until.millis())),
        weir_domain::gate::Freeze::Clear {} | weir_domain::gate::Freeze::Excepted { .. } => {
            let inputs = serde_json::to_value(&answer).unwrap_or_default();
            note_outcome(engine, d, None, inputs, freeze_verdict(&answer)).await?;
            Ok(Decided::Yes)
        }
    }
}

async fn windows(
    engine: &Engine,
    scope: &Scope,
    environment: &Address,
) -> Result<Option<Vec<FreezeWindow>>, EngineError> {
    let key = Key::resource(scope, &environment.kind().to_string(), &environment.to_string());
    let Some((row, _)) = engine.table.read::<ResourceRow>(&key).await? else { return Ok(None) };
    let spec: Environment =
        serde_json::from_value(row.spec).map_err(|error| EngineError::Inconsistent(error.to_string()))?;
    Ok(Some(spec.freeze_windows))
}

async fn approval(engine: &Engine, d: &Deciding<'_>, spec: &ApprovalGate) -> Result<Decided, EngineError> {
    let scope = &d.operation.info.scope;
    let id = gate_id(d.operation.info.operation_id, d.node.ordinal);
    let key = Key::entity(scope, Gate::KIND, id);
    let Some((gate, version)) = engine.table.read::<Gate>(&key).await? else {
        return open(engine, d, spec, id).await;
    };
    let now = engine.clock.now();
    if let Some(event) = expire(&gate, now) {
        let after = apply(gate, &event);
        let replace = Write::Replace { expected: version, record: record(scope, &after)? };
        engine.commit(&[replace]).await?;
        return Ok(decided(&after.verdict(now)));
    }
    let verdict = gate.verdict(now);
    if gate.status == GateStatus::Open {
        return Ok(Decided::Later(gate.expires_at.map_or(now + LOOK_AGAIN, |at| at.millis())));
    }
    let inputs = serde_json::json!({ "decisions": gate.decisions, "rule": spec.rule });
    note_outcome(engine, d, Some(id), inputs, verdict.clone()).await?;
    Ok(decided(&verdict))
}

/// Opens the gate and lets people know. Opened twice, it is one gate: its id is derived
async fn open(
    engine: &Engine,
    d: &Deciding<'_>,
    spec: &ApprovalGate,
    id: GateId,
) -> Result<Decided, EngineError> {
    let info = &d.operation.info;
    let now = engine.clock.now();
    let hash = closure_hash(d.graph, d.node.ordinal).map_err(|e| EngineError::Inconsistent(e.to_string()))?;
    let environment = info.environment.as_deref().and_then(|address| address.parse().ok());
    let expires = spec.rule.expires_after_s.map(|s| now + weir_domain::time::Millis::from_secs(i64::from(s)));
    let gate = Gate {
        gate_id: id,
        operation_id: info.operation_id,
        ordinal: d.node.ordinal,
        node_id: d.plan_node.node_id.clone(),
        spec: GateSpec::Approval(spec.clone()),
        status: GateStatus::Open,
        subject: info.title.clone(),
        environment,
        promotion_id: info.promotion_id,
        requested_by: info.actor.clone(),
        closure_hash: hash,
        decisions: Vec::new(),
        created_at: now.into(),
        expires_at: expires.map(Into::into),
        decided_at: None,
    };
    let mut writes = vec![Write::Create(record(&info.scope, &gate)?)];
    writes.push(engine.event(
        d.operation,
        TimelineKind::GateOpened,
        format!("waits for {}", waits_for(spec)),
        None,
    )?);
    if let Some(write) = engine.move_promotion(d.operation, PromotionCommand::AwaitApproval).await? {
        writes.push(write);
    }
    match engine.table.transact(&writes).await {
        Ok(()) => {
            // A notice that is lost is no harm: the gate is listed, and `explain` names it.
            engine.queues.send_notice(&Notice { scope: info.scope.clone(), gate: id }).await?;
        }
        Err(TransactError::Conflict(_)) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(Decided::Later(expires.unwrap_or(now + LOOK_AGAIN)))
}

fn waits_for(spec: &ApprovalGate) -> String {
    let of = match spec.rule.eligible_groups.as_deref() {
        None => "anyone".to_owned(),
        Some(groups) => format!("anyone of {}", groups.join(", ")),
    };
    format!("{} of {of}", spec.rule.required_approvals)
}

/// Keeps on the promotion what a gate answered, once for each gate
async fn note_outcome(
    engine: &Engine,
    d: &Deciding<'_>,
    gate_id: Option<GateId>,
    inputs: serde_json::Value,
    verdict: Verdict,
) -> Result<(), EngineError> {
    if d.plan_node.batch.is_some() {
        return Ok(()); // asked again between batches: the decision has been stated
    }
    let outcome = GateOutcome {
        node_id: d.plan_node.node_id.clone(),
        gate_id,
        kind: d.plan_node.gate.as_ref().map_or("", GateSpec::kind).to_owned(),
        inputs,
        verdict,
        at: engine.clock.now().into(),
    };
    engine
        .change_promotion(d.operation, |promotion| {
            if promotion.decision_record.iter().any(|noted| noted.node_id == outcome.node_id) {
                return None;
            }
            let mut after = promotion.clone();
            after.decision_record.push(outcome.clone());
            Some(after)
        })
        .await
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
        let events = match decide_gate(&gate, &request) {
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
