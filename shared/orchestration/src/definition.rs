//! Changes of the definition: planned against the state ledger, applied group after group
//!
//! The ledger's compare-and-swap is what makes a group true. The table's rows are projections of it, written
//! before the swap's success is told to anyone and again by whoever repeats the group, so they may lag behind
//! for a moment and never run ahead of what the ledger says for long.

mod group;
mod project;
mod rebuild;

pub use group::GroupError;
pub use project::{ProjectionHead, projection_head};
pub use rebuild::{Rebuilt, request_rebuild};

pub(crate) use group::apply;
pub(crate) use rebuild::rebuild;

use crate::{
    Engine, EngineError,
    delivery::Origin,
    evidence,
    records::record,
    start::{NewOperation, Placed, operation},
};
use serde_json::json;
use weir_domain::{
    actor::Actor,
    canonical::Digest,
    definition::{
        bundle::Bundle,
        diagnostic::{Diagnostic, Severity},
        document::{Definition, read},
        plan::DefinitionPlan,
        state::State,
    },
    engine::Operation,
    evidence::PacketType,
    id::{Id as _, IntentId, OperationId, PlanId},
    intent::{Intent, IntentStatus},
    operation::OperationType,
    plan::{DefinitionContext, Plan, PlanCommand, PlanContext, PlanSnapshot, PlanStatus},
    planner::{Approval, DefinitionRequest, plan_definition},
    scope::Scope,
};
use weir_ledger::ledger::StateObject;
use weir_store::{Entity as _, Key, Write};

/// Why a change of the definition is not planned or applied
#[derive(Debug, thiserror::Error)]
pub enum DefinitionError {
    /// Nothing was uploaded under this digest
    #[error("no definition `{0}` was uploaded")]
    NotUploaded(Digest),
    /// There is no such plan
    #[error("there is no plan `{0}`")]
    NoPlan(PlanId),
    /// The plan is not one of the definition, or was started or superseded
    #[error("plan `{0}` is {status}, and only a change of the definition that is ready may be applied", status = .1.as_str())]
    NotApplicable(PlanId, PlanStatus),
    /// The state has moved on since the plan was made
    #[error("the plan was made against revision {planned} of the state, which is now {found}: plan again")]
    Stale {
        /// The revision that the plan was made against
        planned: u64,
        /// The revision that there is
        found: u64,
    },
    /// The definition is of another workspace
    #[error("the definition is of workspace `{found}`, and this is `{here}`")]
    OtherWorkspace {
        /// The definition's
        found: String,
        /// This one
        here: String,
    },
    /// What was uploaded cannot be read
    #[error("the definition cannot be read: {0}")]
    Unreadable(String),
    /// The definition has errors
    #[error("the definition has {}", counted(.0))]
    Invalid(Vec<Diagnostic>),
    /// It could not be carried out
    #[error(transparent)]
    Engine(#[from] EngineError),
}

fn counted(diagnostics: &[Diagnostic]) -> String {
    match diagnostics.iter().filter(|it| it.severity == Severity::Error).count() {
        1 => "1 error".to_owned(),
        errors => format!("{errors} errors"),
    }
}

/// A change plan, and the plan that was recorded for it
#[derive(Debug, Clone)]
pub struct PlannedDefinition {
    /// The intent
    pub intent: Intent,
    /// The plan whose operation applies it; none where nothing would change, or where it cannot be applied
    pub plan: Option<Plan>,
    /// What would change
    pub changes: DefinitionPlan,
}

/// Plans the change from what is applied to the uploaded definition, and records the plan
pub async fn plan(
    engine: &Engine,
    scope: &Scope,
    actor: &Actor,
    origin: &Origin,
    digest: &Digest,
) -> Result<PlannedDefinition, DefinitionError> {
    let state = state(engine).await?;
    let bundle = bundle(engine, digest).await?;
    let definition = valid(&bundle, state.as_ref().map(|(state, _)| state))?;
    if definition.workspace != scope.workspace {
        let (found, here) = (definition.workspace.to_string(), scope.workspace.to_string());
        return Err(DefinitionError::OtherWorkspace { found, here });
    }
    let before = previous(engine, state.as_ref().map(|(state, _)| state)).await?;
    let spec_before =
        |address: &_, digest: &_| before.as_ref().and_then(|definition| definition.spec_of(address, digest));
    let changes = weir_domain::definition::plan::diff(
        &definition,
        state.as_ref().map(|(state, _)| state),
        &spec_before,
    );
    let change_plan =
        engine.ledger.definition_put(weir_domain::canonical::to_vec(&changes).map_err(unreadable)?).await;
    let change_plan = change_plan.map_err(EngineError::from)?;
    record_plan(engine, scope, actor, origin, digest, change_plan, changes).await
}

async fn record_plan(
    engine: &Engine,
    scope: &Scope,
    actor: &Actor,
    origin: &Origin,
    digest: &Digest,
    change_plan: Digest,
    changes: DefinitionPlan,
) -> Result<PlannedDefinition, DefinitionError> {
    let (millis, seed) = (origin.now.0, &origin.seed);
    let applicable = changes.is_applicable() && !changes.groups.is_empty();
    let plan_id = PlanId::derived(millis, seed);
    let intent = Intent {
        id: IntentId::derived(millis, seed),
        actor: actor.clone(),
        action: "definition.apply".to_owned(),
        target_resource_type: weir_domain::definition::address::Kind::Tenant,
        target_resource_id: scope.workspace.to_string(),
        desired_result: serde_json::Map::from_iter([("definition".to_owned(), json!(digest))]),
        constraints: serde_json::Map::new(),
        scenario: None,
        inputs: serde_json::Map::new(),
        status: if applicable { IntentStatus::Planned } else { IntentStatus::Rejected },
        plan_id: applicable.then_some(plan_id),
        failure: None,
        created_at: origin.now.into(),
    };
    if !applicable {
        return Ok(PlannedDefinition { intent, plan: None, changes });
    }
    let graph = plan_definition(&request(&changes, change_plan.clone())).map_err(unreadable)?;
    let snapshot = PlanSnapshot::new(graph).map_err(unreadable)?;
    let bytes = serde_json::to_vec(&snapshot).map_err(unreadable)?;
    engine.ledger.plan_put(&snapshot.graph_hash, bytes).await.map_err(EngineError::from)?;
    let plan = Plan {
        plan_id,
        intent_id: intent.id,
        operation_type: OperationType::DefinitionApply,
        scenario_ref: None,
        status: PlanStatus::Ready,
        effective_version: 1,
        graph_hash: snapshot.graph_hash,
        node_count: u32::try_from(snapshot.nodes.len()).unwrap_or(u32::MAX),
        customizations: Vec::new(),
        bindings: Vec::new(),
        exclusive: std::collections::BTreeSet::new(),
        context: PlanContext::Definition(DefinitionContext {
            definition_digest: digest.clone(),
            change_plan_digest: change_plan,
            base_revision: changes.state_revision,
        }),
        created_by: actor.clone(),
        created_at: origin.now.into(),
        expires_at: None,
    };
    let outer = scope.outer();
    let metadata = json!({ "definition": digest, "changes": changes.changes.len(), "base_revision": changes.state_revision });
    let subject = ("plan", plan_id.to_string());
    let writes = [
        Write::Create(record(&outer, &intent)?),
        Write::Create(record(&outer, &plan)?),
        engine.audit(&outer, actor, "definition.plan", subject, metadata, origin.request_id)?,
    ];
    engine.commit(&writes).await?;
    Ok(PlannedDefinition { intent, plan: Some(plan), changes })
}

fn request(changes: &DefinitionPlan, change_plan_digest: Digest) -> DefinitionRequest {
    let groups = changes.groups.iter().map(|group| {
        let names: Vec<String> = group.iter().take(3).map(ToString::to_string).collect();
        let more = group.len().saturating_sub(names.len());
        if more == 0 { names.join(", ") } else { format!("{} and {more} more", names.join(", ")) }
    });
    let reasons: Vec<String> =
        changes.approvals_required.iter().map(|it| format!("{}: {}", it.resource, it.reason)).collect();
    let approval = (!reasons.is_empty()).then(|| Approval { required: 1, groups: Vec::new(), reasons });
    DefinitionRequest { change_plan_digest, groups: groups.collect(), approval }
}

/// Starts the operation that applies a recorded plan
pub async fn request_apply(
    engine: &Engine,
    scope: &Scope,
    actor: &Actor,
    origin: &Origin,
    plan_id: PlanId,
) -> Result<Placed, DefinitionError> {
    let outer = scope.outer();
    let key = Key::entity(&outer, Plan::KIND, plan_id);
    let read = engine.table.read::<Plan>(&key).await.map_err(EngineError::from)?;
    let (plan, version) = read.ok_or(DefinitionError::NoPlan(plan_id))?;
    let PlanContext::Definition(context) = &plan.context else {
        return Err(DefinitionError::NotApplicable(plan_id, plan.status));
    };
    let operation_id = OperationId::derived(origin.now.0, &origin.seed);
    let own = engine.table.operation_get(&outer, operation_id).await.map_err(EngineError::from)?;
    if own.is_some() {
        engine.start_root(&outer, operation_id).await?;
        return Ok(Placed::Own(operation_id));
    }
    if plan.status != PlanStatus::Ready {
        return Err(DefinitionError::NotApplicable(plan_id, plan.status));
    }
    let found = state(engine).await?.map_or(0, |(state, _)| state.state_revision);
    if found != context.base_revision {
        return Err(DefinitionError::Stale { planned: context.base_revision, found });
    }
    let graph = engine.graph(&plan.graph_hash).await?;
    let identity =
        json!({ "type": "definition.apply", "scope": outer, "change_plan": context.change_plan_digest });
    let made = operation(
        &graph,
        NewOperation {
            operation_id,
            scope: outer.clone(),
            operation_type: OperationType::DefinitionApply,
            plan_id,
            intent_id: plan.intent_id,
            graph_hash: plan.graph_hash.clone(),
            identity: Digest::of(&identity).map_err(unreadable)?,
            actor: actor.clone(),
            title: format!("apply definition {}", context.definition_digest.short()),
            now: origin.now,
            promotion_id: None,
            release_id: None,
            environment: None,
            rollback_of: None,
            retry_of: None,
            parent: None,
            exclusive: std::collections::BTreeSet::new(),
        },
    );
    let mut active = plan.clone();
    active.status = plan.status.after(PlanCommand::Activate).unwrap_or(plan.status);
    let metadata =
        json!({ "plan_id": plan_id, "operation_id": operation_id, "definition": context.definition_digest });
    let subject = ("operation", operation_id.to_string());
    let writes = vec![
        Write::Replace { expected: version, record: record(&outer, &active)? },
        engine.audit(&outer, actor, "definition.apply", subject, metadata, origin.request_id)?,
    ];
    Ok(engine.place(made, writes).await?)
}

/// What follows from the end of an apply
pub(crate) async fn conclude(engine: &Engine, operation: &Operation) -> Result<(), EngineError> {
    let nodes = engine.all_nodes(operation).await?;
    evidence::write(engine, operation, PacketType::DefinitionApply, &nodes).await?;
    crate::delivery::end_intent(engine, operation).await
}

/// The state ledger as it is, with what a swap has to find unchanged. Empty or corrupt is refused, never "nothing"
pub async fn state(engine: &Engine) -> Result<Option<(State, StateObject)>, DefinitionError> {
    match engine.ledger.state_read().await.map_err(EngineError::from)? {
        None => Ok(None),
        Some(object) => Ok(Some((State::from_slice(&object.bytes).map_err(unreadable)?, object))),
    }
}

async fn bundle(engine: &Engine, digest: &Digest) -> Result<Bundle, DefinitionError> {
    let bytes = engine.ledger.definition_get(digest).await.map_err(EngineError::from)?;
    let bytes = bytes.ok_or_else(|| DefinitionError::NotUploaded(digest.clone()))?;
    serde_json::from_slice(&bytes).map_err(unreadable)
}

/// The definition that a bundle holds, if nothing in it is refused
fn valid(bundle: &Bundle, applied: Option<&State>) -> Result<Definition, DefinitionError> {
    let reading = read(bundle, applied).map_err(unreadable)?;
    reading.definition.ok_or(DefinitionError::Invalid(reading.diagnostics))
}

/// The definition that was applied last, to show what each field was before
async fn previous(engine: &Engine, state: Option<&State>) -> Result<Option<Definition>, DefinitionError> {
    let Some(digest) = state.and_then(|state| state.applied_revision.config_digest.as_ref()) else {
        return Ok(None);
    };
    let bundle = match bundle(engine, digest).await {
        Ok(bundle) => bundle,
        Err(DefinitionError::NotUploaded(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(read(&bundle, None).map_err(unreadable)?.definition)
}

fn unreadable(error: impl std::fmt::Display) -> DefinitionError {
    DefinitionError::Unreadable(error.to_string())
}
