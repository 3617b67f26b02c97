//! Interventions: opened by the node that waits for a person, decided by one, carried out by whoever finds that

use crate::{
    Engine, EngineError,
    engine::{Decided, Deciding},
    records::record,
    scenario,
};
use serde_json::{Map, Value, json};
use weir_domain::{
    engine::{LOOK_AGAIN, NodeRun},
    id::{InterventionId, OperationId, RequestId},
    intervention::{
        Intervention, InterventionAction, InterventionCause, InterventionRefusal, InterventionRequest,
        InterventionStatus, decide as decide_intervention, intervention_id, possible,
    },
    plan::{JobContract, NodeType},
    scope::Scope,
    timeline::TimelineKind,
};
use weir_store::{Entity as _, Key, NodeKey, TransactError, Write};

/// How often a decision that met another one is made again on the intervention as it is then
const DECISION_TRIES: u32 = 8;

/// Why a decision was not recorded
#[derive(Debug, thiserror::Error)]
pub enum InterventionError {
    /// There is no such intervention in this scope
    #[error("there is no intervention `{0}`")]
    NotFound(InterventionId),
    /// A rule refused it; the refusal has been audited
    #[error("{0}")]
    Refused(InterventionRefusal, Box<Intervention>),
    /// It could not be carried out
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// What has been decided of a node that waits for a person, who is asked for where nobody has been
pub(crate) async fn decide(engine: &Engine, d: &Deciding<'_>) -> Result<Decided, EngineError> {
    let scope = &d.operation.info.scope;
    let id = intervention_id(d.operation.info.operation_id, d.node.ordinal, d.node.attempt);
    let later = engine.clock.now() + LOOK_AGAIN;
    let Some((found, _)) = read(engine, scope, id).await? else {
        if d.node.terms.kind == NodeType::SubOperation && !scenario::nothing_goes_on(engine, d).await? {
            return Ok(Decided::Later(later));
        }
        open(engine, d, id).await?;
        return Ok(Decided::Later(later));
    };
    // Due at once: whoever carries the decision out also hands the attempt out.
    let update = found.update(d.node, engine.clock.now());
    Ok(update.map_or(Decided::Later(later), |update| Decided::ByHand(Box::new(update))))
}

async fn read(
    engine: &Engine,
    scope: &Scope,
    id: InterventionId,
) -> Result<Option<(Intervention, u64)>, EngineError> {
    Ok(engine.table.read::<Intervention>(&Key::entity(scope, Intervention::KIND, id)).await?)
}

/// Asks for a person. Opened twice, it is one intervention: its id is derived
async fn open(engine: &Engine, d: &Deciding<'_>, id: InterventionId) -> Result<(), EngineError> {
    let (info, node) = (&d.operation.info, d.node);
    let contract = d.plan_node.job_contract.as_ref();
    let (mut may, replaceable) = possible(d.plan_node.node_type, contract);
    keep_what_is_done_once(engine, &info.scope, info.operation_id, node, &mut may).await?;
    let manual = d.plan_node.node_type == NodeType::Intervention;
    let before = match node.inputs_from {
        Some(before) => read(engine, &info.scope, before).await?,
        None => None,
    };
    let intervention = Intervention {
        intervention_id: id,
        operation_id: info.operation_id,
        ordinal: node.ordinal,
        node_id: d.plan_node.node_id.clone(),
        title: d.plan_node.title.clone(),
        subject: info.title.clone(),
        cause: if manual { InterventionCause::ManualStep } else { InterventionCause::Failed },
        attempt: node.attempt,
        error: node.error.clone(),
        may,
        replaceable,
        inputs: before.map(|(before, _)| before.inputs).unwrap_or_default(),
        status: InterventionStatus::Open,
        environment: info.environment.as_deref().and_then(|address| address.parse().ok()),
        requested_by: info.actor.clone(),
        graph_hash: d.graph.graph_hash().map_err(|error| EngineError::Inconsistent(error.to_string()))?,
        decision: None,
        created_at: engine.clock.now().into(),
        ended_at: None,
    };
    let message = match &node.error {
        Some(error) => format!("{} waits for a person: {}", d.plan_node.title, error.message),
        None => format!("{} is to be done by a person", d.plan_node.title),
    };
    let event = engine.event(d.operation, TimelineKind::InterventionOpened, message, None)?;
    let create = Write::Create(record(&info.scope, &intervention)?);
    engine.commit(&[create, event, d.still(engine.clock.now())]).await?;
    Ok(())
}

/// Takes another attempt out of what `may` be decided where it would do again what may be done only once: a node that
/// runs an operation has all of that run again (ADR 18)
async fn keep_what_is_done_once(
    engine: &Engine,
    scope: &Scope,
    operation: OperationId,
    node: &NodeRun,
    may: &mut Vec<InterventionAction>,
) -> Result<(), EngineError> {
    if node.terms.kind == NodeType::SubOperation
        && scenario::done_by_node(engine, scope, operation, node).await?.is_some()
    {
        may.retain(|action| *action != InterventionAction::Retry);
    }
    Ok(())
}

/// The node has ended: an intervention that nobody has decided waits for nobody any more
pub(crate) async fn close(engine: &Engine, key: &NodeKey, node: &NodeRun) -> Result<(), EngineError> {
    if !node.may_be_by_hand() {
        return Ok(());
    }
    let id = intervention_id(key.operation, node.ordinal, node.attempt);
    // Somebody may decide at this moment; then that stands, and this look sees it.
    if let Some((found, expected)) = read(engine, &key.scope, id).await?
        && found.status == InterventionStatus::Open
    {
        let after = found.voided(engine.clock.now());
        let replace = Write::Replace { expected, record: record(&key.scope, &after)? };
        engine.table.transact(&[replace]).await?;
    }
    Ok(())
}

/// Somebody decides. What a rule refuses is audited too
pub async fn record_intervention(
    engine: &Engine,
    scope: &Scope,
    id: InterventionId,
    request: InterventionRequest<'_>,
    request_id: Option<RequestId>,
) -> Result<Intervention, InterventionError> {
    for _ in 0..DECISION_TRIES {
        let Some((found, expected)) = read(engine, scope, id).await? else {
            return Err(InterventionError::NotFound(id));
        };
        let found = current(engine, scope, found, &request).await?;
        let after = match decide_intervention(found.clone(), &request) {
            Ok(after) => after,
            Err(refusal) => {
                let metadata = json!({ "refused": refusal.code(), "action": request.action });
                let subject = ("intervention", id.to_string());
                let audit = engine.audit(
                    scope,
                    request.actor,
                    "intervention.decide",
                    subject,
                    metadata,
                    request_id,
                )?;
                engine.commit(&[audit]).await?;
                return Err(InterventionError::Refused(refusal, Box::new(found)));
            }
        };
        let writes = decision_writes(engine, scope, &after, expected, &request, request_id).await?;
        match engine.table.transact(&writes).await {
            Ok(()) => {
                engine.drive_node(&NodeKey::new(scope, after.operation_id, after.ordinal)).await?;
                return Ok(after);
            }
            Err(TransactError::Conflict(_)) => {}
            Err(error) => return Err(EngineError::from(error).into()),
        }
    }
    Err(EngineError::from(TransactError::Conflict(vec![0])).into())
}

/// The intervention as its node makes it: void where that waits for nobody any more, whoever has yet to write it, and
/// with what may be decided of it now
async fn current(
    engine: &Engine,
    scope: &Scope,
    mut found: Intervention,
    request: &InterventionRequest<'_>,
) -> Result<Intervention, EngineError> {
    let key = NodeKey::new(scope, found.operation_id, found.ordinal);
    if found.status != InterventionStatus::Open {
        return Ok(found);
    }
    let node = engine.table.node_get(&key).await?;
    let Some(node) = node.filter(|node| node.awaits_person() && node.attempt == found.attempt) else {
        return Ok(found.voided(request.now));
    };
    keep_what_is_done_once(engine, scope, found.operation_id, &node, &mut found.may).await?;
    Ok(found)
}

async fn decision_writes(
    engine: &Engine,
    scope: &Scope,
    after: &Intervention,
    expected: u64,
    request: &InterventionRequest<'_>,
    request_id: Option<RequestId>,
) -> Result<Vec<Write>, EngineError> {
    let operation = engine.operation(scope, after.operation_id).await?;
    let message = format!("{} decided `{}`: {}", request.actor.id, after.node_id, request.action.as_str());
    let names: Vec<&String> = request.inputs.keys().collect();
    let metadata = json!({
        "action": request.action, "comment": request.comment, "operation_id": after.operation_id,
        "node_id": after.node_id, "attempt": after.attempt, "graph_hash": after.graph_hash,
        "replaced_inputs": names,
    });
    let subject = ("intervention", after.intervention_id.to_string());
    Ok(vec![
        Write::Replace { expected, record: record(scope, after)? },
        engine.event(&operation, TimelineKind::InterventionDecided, message, Some(request.actor))?,
        engine.audit(scope, request.actor, "intervention.decide", subject, metadata, request_id)?,
    ])
}

impl Engine {
    /// What an attempt of `node` is to do: `contract`, with the inputs that a person replaced
    pub async fn contract_of(
        &self,
        scope: &Scope,
        node: &NodeRun,
        contract: &JobContract,
    ) -> Result<JobContract, EngineError> {
        let found = self.replacing(scope, node).await?;
        Ok(found.map_or_else(|| contract.clone(), |found| found.applied_to(contract)))
    }

    /// The inputs that a person put in place of the plan's for the attempts of `node`
    pub(crate) async fn replaced_inputs(
        &self,
        scope: &Scope,
        node: &NodeRun,
    ) -> Result<Map<String, Value>, EngineError> {
        Ok(self.replacing(scope, node).await?.map(|found| found.inputs).unwrap_or_default())
    }

    async fn replacing(&self, scope: &Scope, node: &NodeRun) -> Result<Option<Intervention>, EngineError> {
        let Some(id) = node.inputs_from else { return Ok(None) };
        let missing = || EngineError::Inconsistent(format!("there is no intervention `{id}`"));
        let (found, _) = read(self, scope, id).await?.ok_or_else(missing)?;
        Ok(Some(found))
    }
}
