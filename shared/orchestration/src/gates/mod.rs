//! Gates: opened by the node that waits for them, decided by people or by themselves
//!
//! Every gate of every operation has one record under a derived id. It is written when the gate begins to wait, or,
//! where it never had to, with its answer; the answer is written before the node ends, so that whoever asks again
//! after a crash finds it and decides the same.

mod decisions;
mod facts;
mod watch;

pub use decisions::{DecisionError, record_decision};
pub(crate) use watch::operation_ended;

use crate::{
    Engine, EngineError,
    engine::{Decided, Deciding},
    queues::Notice,
    records::record,
};
use std::collections::BTreeSet;
use weir_domain::{
    canonical::Digest,
    delivery::{GateOutcome, PromotionCommand},
    engine::{LOOK_AGAIN, Operation},
    failure::FailureSummary,
    gate::{
        Gate, GateAnswer, GateFacts, GateSpec, GateStatus, VerdictResult, apply, closure_hash, judge, void,
    },
    id::{GateId, Id as _, OperationId},
    plan::{Graph, NodeType, OnFailure},
    time::Millis,
    timeline::TimelineKind,
};
use weir_store::{Entity as _, Key, NodeKey, TransactError, Write};

/// How often a decision that met another one is made again on the gate as it is then
const DECISION_TRIES: u32 = 8;

/// The gate of a node: whoever asks derives the same id
pub fn gate_id(operation: OperationId, ordinal: u32) -> GateId {
    GateId::derived(operation.millis(), &format!("{operation}/{ordinal}"))
}

/// The record of the gate at `ordinal`, if it has been asked, and what it answers now; nothing where there is no gate
pub async fn ask(
    engine: &Engine,
    operation: &Operation,
    graph: &Graph,
    ordinal: u32,
) -> Result<Option<(Option<Gate>, GateAnswer)>, EngineError> {
    let Some(spec) = graph.node(ordinal).and_then(|node| node.gate.as_ref()) else { return Ok(None) };
    let info = &operation.info;
    let key = Key::entity(&info.scope, Gate::KIND, gate_id(info.operation_id, ordinal));
    let gate = engine.table.read::<Gate>(&key).await?.map(|(gate, _)| gate);
    let facts = facts::gather(engine, operation, graph, spec, gate.clone()).await?;
    Ok(Some((gate, spec.ask(&facts, engine.clock.now()))))
}

/// What the gate at `ordinal` is decided on, its record included; nothing where there is no gate
pub async fn facts_of(
    engine: &Engine,
    operation: &Operation,
    graph: &Graph,
    ordinal: u32,
) -> Result<Option<GateFacts>, EngineError> {
    let Some(spec) = graph.node(ordinal).and_then(|node| node.gate.as_ref()) else { return Ok(None) };
    let info = &operation.info;
    let key = Key::entity(&info.scope, Gate::KIND, gate_id(info.operation_id, ordinal));
    let gate = engine.table.read::<Gate>(&key).await?.map(|(gate, _)| gate);
    facts::gather(engine, operation, graph, spec, gate).await.map(Some)
}

pub(crate) async fn decide(engine: &Engine, d: &Deciding<'_>) -> Result<Decided, EngineError> {
    let no_kind = || EngineError::Inconsistent(format!("`{}` is a gate of no kind", d.plan_node.node_id));
    let spec = d.plan_node.gate.as_ref().ok_or_else(no_kind)?;
    let info = &d.operation.info;
    let id = gate_id(info.operation_id, d.node.ordinal);
    let key = Key::entity(&info.scope, Gate::KIND, id);
    for _ in 0..DECISION_TRIES {
        let read = engine.table.read::<Gate>(&key).await?;
        if let Some((gate, _)) = &read
            && gate.status != GateStatus::Open
        {
            return settled(engine, d, gate).await;
        }
        if let Some((gate, _)) = &read
            && gate.closure_hash != asked_about(d)?
        {
            // A patch came between the look at the plan and this one: whoever looks next sees both.
            return Ok(Decided::Later(engine.clock.now() + LOOK_AGAIN));
        }
        let expected = read.as_ref().map(|(_, version)| *version);
        let (recorded, gate) = match read {
            Some((gate, _)) => (Some(gate.clone()), gate),
            None => (None, new(engine, d, spec, id)?),
        };
        if pointless(engine, d).await? {
            return abandon(engine, d, gate, expected).await;
        }
        let facts = facts::gather(engine, d.operation, d.graph, spec, recorded).await?;
        let now = engine.clock.now();
        if let Some(event) = judge(&gate, &facts, now) {
            let after = apply(gate, &event);
            if end(engine, d, &after, expected).await? {
                return settled(engine, d, &after).await;
            }
            continue; // Somebody decided, or opened it, meanwhile: look at it again.
        }
        if expected.is_none() && !open(engine, d, &gate).await? {
            if has_moved(engine, d).await? {
                return Ok(Decided::Later(now + LOOK_AGAIN));
            }
            continue;
        }
        let answer = spec.ask(&facts, now);
        let times = [answer.earliest.time(), gate.expires_at].into_iter().flatten();
        return Ok(Decided::Later(times.map(Into::into).min().unwrap_or(now + LOOK_AGAIN)));
    }
    Err(TransactError::Conflict(vec![0]).into())
}

/// Whether the node is not what was looked at any more: whoever moved it has decided, or wants nobody to
async fn has_moved(engine: &Engine, d: &Deciding<'_>) -> Result<bool, EngineError> {
    let info = &d.operation.info;
    let key = NodeKey::new(&info.scope, info.operation_id, d.node.ordinal);
    let now = engine.table.node_get(&key).await?;
    Ok(now.is_none_or(|now| (now.status, now.attempt) != (d.node.status, d.node.attempt)))
}

/// The gates that stand side by side with `ordinal`: whatever waits for it waits for each of them too
pub(crate) fn beside(graph: &Graph, ordinal: u32) -> BTreeSet<u32> {
    let after = graph.dependents(ordinal);
    let others = after.iter().flat_map(|next| graph.dependencies(*next)).copied();
    let stops = |other: &u32| {
        *other != ordinal
            && after.is_subset(graph.dependents(*other))
            && graph.node(*other).is_some_and(|node| {
                node.node_type == NodeType::Gate && node.on_failure != OnFailure::Continue
            })
    };
    others.filter(stops).collect()
}

/// Whether a gate beside it has said no: then nobody is asked for what will not happen
async fn pointless(engine: &Engine, d: &Deciding<'_>) -> Result<bool, EngineError> {
    let info = &d.operation.info;
    for ordinal in beside(d.graph, d.node.ordinal) {
        let key = Key::entity(&info.scope, Gate::KIND, gate_id(info.operation_id, ordinal));
        let gate = engine.table.read::<Gate>(&key).await?;
        if gate.is_some_and(|(gate, _)| gate.verdict(engine.clock.now()).result == VerdictResult::Deny) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Ends a gate that nobody has to decide any more
async fn abandon(
    engine: &Engine,
    d: &Deciding<'_>,
    gate: Gate,
    expected: Option<u64>,
) -> Result<Decided, EngineError> {
    let now = engine.clock.now();
    let after = void(&gate, now).map_or(gate.clone(), |event| apply(gate, &event));
    if end(engine, d, &after, expected).await? {
        settled(engine, d, &after).await
    } else {
        Ok(Decided::Later(now)) // somebody decided meanwhile
    }
}

/// The part of the plan that the gate asks about, as it was just read
fn asked_about(d: &Deciding<'_>) -> Result<Digest, EngineError> {
    closure_hash(d.graph, d.node.ordinal).map_err(|error| EngineError::Inconsistent(error.to_string()))
}

/// The gate as it is first recorded
fn new(engine: &Engine, d: &Deciding<'_>, spec: &GateSpec, id: GateId) -> Result<Gate, EngineError> {
    let info = &d.operation.info;
    let now = engine.clock.now();
    let hash = asked_about(d)?;
    // Every wait has an end: that of the whole operation where the gate has none of its own.
    let patience = spec.patience().map_or(info.deadline, |patience| info.deadline.min(now + patience));
    Ok(Gate {
        gate_id: id,
        operation_id: info.operation_id,
        ordinal: d.node.ordinal,
        node_id: d.plan_node.node_id.clone(),
        spec: spec.clone(),
        status: GateStatus::Open,
        subject: info.title.clone(),
        environment: info.environment.as_deref().and_then(|address| address.parse().ok()),
        promotion_id: info.promotion_id,
        requested_by: info.actor.clone(),
        closure_hash: hash,
        decisions: Vec::new(),
        created_at: now.into(),
        expires_at: Some(patience.into()),
        decided_at: None,
        result: None,
    })
}

/// Lets the gate wait and lets people know. Opened twice, it is one gate: its id is derived
async fn open(engine: &Engine, d: &Deciding<'_>, gate: &Gate) -> Result<bool, EngineError> {
    let scope = &d.operation.info.scope;
    let waits_for = match gate.spec.people() {
        Some(people) => format!("{} of {}", people.need, gate.who()),
        None => gate.spec.words(),
    };
    let message = format!("`{}` waits for {waits_for}", gate.node_id);
    let mut writes = vec![
        Write::Create(record(scope, gate)?),
        engine.event(d.operation, TimelineKind::GateOpened, message, None)?,
        d.still(engine.clock.now()),
    ];
    if let Some(watch) = watch::watches(gate) {
        writes.push(Write::Create(record(scope, &watch)?));
    }
    if gate.spec.is_for_people()
        && let Some(write) = engine.move_promotion(d.operation, PromotionCommand::AwaitApproval).await?
    {
        writes.push(write);
    }
    let opened = engine.commit(&writes).await?;
    if opened && gate.spec.is_for_people() {
        // A notice that is lost is no harm: the gate is listed, and `explain` names it.
        engine.queues.send_notice(&Notice { scope: scope.clone(), gate: gate.gate_id }).await?;
    }
    Ok(opened)
}

/// Records what the gate answered; `expected` is the version of its record, if it had to wait
async fn end(
    engine: &Engine,
    d: &Deciding<'_>,
    after: &Gate,
    expected: Option<u64>,
) -> Result<bool, EngineError> {
    let scope = &d.operation.info.scope;
    let record = record(scope, after)?;
    let Some(expected) = expected else { return engine.commit(&[Write::Create(record)]).await };
    let message = format!("`{}` is {}", after.node_id, after.status.as_str());
    let event = engine.event(d.operation, TimelineKind::GateEnded, message, None)?;
    let done = engine.commit(&[Write::Replace { expected, record }, event]).await?;
    if done {
        watch::forget(engine, scope, after).await?;
    }
    Ok(done)
}

/// What follows from the answer of a gate, as often as it is asked
async fn settled(engine: &Engine, d: &Deciding<'_>, gate: &Gate) -> Result<Decided, EngineError> {
    let verdict = gate.verdict(engine.clock.now());
    note_outcome(engine, d, gate).await?;
    Ok(match verdict.result {
        VerdictResult::Allow => Decided::Yes,
        VerdictResult::Deny | VerdictResult::Pending => {
            let code = verdict.reason_codes.first().map_or("denied", |code| code.as_str());
            let what = gate.result.as_ref().map(|result| format!(": {}", result.what)).unwrap_or_default();
            Decided::No(FailureSummary::from_outside(code, &format!("a gate has denied it{what}")))
        }
    })
}

/// Keeps on the promotion what a gate answered, once for each gate
async fn note_outcome(engine: &Engine, d: &Deciding<'_>, gate: &Gate) -> Result<(), EngineError> {
    if d.plan_node.batch.is_some() {
        return Ok(()); // asked again between batches: the decision has been stated
    }
    let outcome = outcome(gate, engine.clock.now());
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

/// What a gate answered, on what
fn outcome(gate: &Gate, now: Millis) -> GateOutcome {
    let result = gate.result.as_deref();
    GateOutcome {
        node_id: gate.node_id.clone(),
        gate_id: Some(gate.gate_id),
        kind: gate.spec.kind().to_owned(),
        inputs: result.map(|result| result.inputs.clone()).unwrap_or_default(),
        verdict: gate.verdict(now),
        by: result.map(|result| result.by.clone()),
        closure_hash: Some(gate.closure_hash.clone()),
        at: gate.decided_at.unwrap_or(now.into()),
    }
}

/// What every gate of the operation that has ended answered, in the order of the plan
pub(crate) async fn outcomes(
    engine: &Engine,
    operation: &Operation,
) -> Result<Vec<GateOutcome>, EngineError> {
    let info = &operation.info;
    let graph = engine.graph_of(operation).await?;
    let mut outcomes = Vec::new();
    for (ordinal, _) in graph.living().filter(|(_, node)| node.node_type == NodeType::Gate) {
        let key = Key::entity(&info.scope, Gate::KIND, gate_id(info.operation_id, ordinal));
        let gate = engine.table.read::<Gate>(&key).await?;
        outcomes.extend(
            gate.filter(|(gate, _)| gate.status != GateStatus::Open)
                .map(|(gate, _)| outcome(&gate, engine.clock.now())),
        );
    }
    Ok(outcomes)
}
