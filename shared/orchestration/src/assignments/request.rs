//! From a wish to an operation: a directory is to be read, or a snapshot is to be put back

use super::restore::not_restored;
use crate::{
    Engine, EngineError,
    delivery::{Origin, end_intent},
    records::record,
    start::{NewOperation, Placed, operation},
};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use weir_domain::{
    actor::Actor,
    assignment::AssignmentSnapshot,
    canonical::Digest,
    definition::{
        address::{Address, Kind},
        spec::Provider,
    },
    engine::Operation,
    failure::FailureSummary,
    id::{Id as _, IntentId, OperationId, PlanId, SnapshotId},
    intent::{Intent, IntentStatus},
    operation::OperationType,
    plan::{BindingStatus, Graph, Plan, PlanContext, PlanNode, PlanSnapshot, PlanStatus, ResourceBinding},
    planner::{ASSIGNMENTS_FETCH, ASSIGNMENTS_RESTORE, PlanError, RestoreRequest, plan_fetch, plan_restore},
    scope::Scope,
};
use weir_store::{Entity as _, Key, Write};

/// How many of the assignments that were selected the run ledger names
const SELECTION_TOLD: usize = 10;

/// What somebody wants of assignments
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AssignmentRequest {
    /// Read all that a provider has
    Fetch {
        /// The provider
        provider: Address,
        /// What people will call the snapshot
        name: Option<String>,
    },
    /// Put a snapshot back
    Restore {
        /// Which
        snapshot: SnapshotId,
        /// Only these of its assignments; all where there is none
        only: Vec<String>,
    },
}

/// Why that is not done
#[derive(Debug, thiserror::Error)]
pub enum AssignmentError {
    /// There is no such provider, or it was not applied yet
    #[error("there is no `{0}` in the definition that is applied")]
    NoProvider(Address),
    /// The provider is not for this
    #[error("`{provider}` does not provide `{capability}`: add it to `provides`")]
    NotProvided {
        /// Which provider
        provider: Address,
        /// What it would have to provide
        capability: &'static str,
    },
    /// There is no such snapshot
    #[error("there is no snapshot `{0}`")]
    NoSnapshot(SnapshotId),
    /// The snapshot does not have this one
    #[error("snapshot `{0}` has no assignment `{1}`")]
    NotInSnapshot(SnapshotId, String),
    /// There is no plan
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// It could not be carried out
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// What a request becomes: an operation that nobody has to agree to
pub(crate) struct Background {
    pub operation_type: OperationType,
    /// The resource that it is about: its kind, and what it is called
    pub about: (Kind, String),
    pub graph: Graph,
    /// What makes two of them the same
    pub identity: Value,
    /// What was asked for, by the names of its built-in template's inputs
    pub inputs: Map<String, Value>,
    pub title: String,
    /// What provides what it asks for
    pub bindings: Vec<ResourceBinding>,
    /// The resources that it may not share
    pub exclusive: BTreeSet<Address>,
}

/// Records intent, plan and operation together and starts the operation, unless one of the same identity is active
pub async fn request_assignments(
    engine: &Engine,
    scope: &Scope,
    actor: &Actor,
    origin: &Origin,
    request: &AssignmentRequest,
) -> Result<Placed, AssignmentError> {
    let planned = match request {
        AssignmentRequest::Fetch { provider, name } => {
            fetch(engine, scope, provider, name.as_deref()).await?
        }
        AssignmentRequest::Restore { snapshot, only } => restore(engine, scope, *snapshot, only).await?,
    };
    Ok(place(engine, scope, actor, origin, planned).await?)
}

async fn fetch(
    engine: &Engine,
    scope: &Scope,
    provider: &Address,
    name: Option<&str>,
) -> Result<Background, AssignmentError> {
    let found = provides(engine, scope, provider, ASSIGNMENTS_FETCH).await?;
    let graph = plan_fetch(provider, name)?;
    Ok(Background {
        operation_type: OperationType::AssignmentsFetch,
        about: (Kind::Provider, provider.to_string()),
        bindings: binding(&graph, provider, ASSIGNMENTS_FETCH),
        exclusive: alone(provider, &found),
        graph,
        identity: json!({ "provider": provider }),
        inputs: said([("provider", json!(provider)), ("name", json!(name))]),
        title: format!("read the assignments of {provider}"),
    })
}

async fn restore(
    engine: &Engine,
    scope: &Scope,
    id: SnapshotId,
    only: &[String],
) -> Result<Background, AssignmentError> {
    let key = Key::entity(scope, AssignmentSnapshot::KIND, id);
    let found = engine.table.read::<AssignmentSnapshot>(&key).await.map_err(EngineError::from)?;
    let (snapshot, _) = found.ok_or(AssignmentError::NoSnapshot(id))?;
    let found = provides(engine, scope, &snapshot.provider, ASSIGNMENTS_RESTORE).await?;
    let mut only = only.to_vec();
    only.sort();
    only.dedup();
    if !only.is_empty() {
        let content = engine.snapshot(&snapshot.digest).await?;
        let has = |id: &String| content.assignments.iter().any(|it| it.id == *id);
        if let Some(missing) = only.iter().find(|id| !has(id)) {
            return Err(AssignmentError::NotInSnapshot(snapshot.id, missing.clone()));
        }
    }
    let request = RestoreRequest {
        provider: &snapshot.provider,
        digest: &snapshot.digest,
        assignments: snapshot.assignments,
        only: &only,
    };
    let graph = plan_restore(&request)?;
    Ok(Background {
        operation_type: OperationType::AssignmentsRestore,
        bindings: binding(&graph, &snapshot.provider, ASSIGNMENTS_RESTORE),
        exclusive: alone(&snapshot.provider, &found),
        graph,
        identity: json!({ "provider": snapshot.provider, "snapshot": id, "only": only }),
        inputs: said([
            ("provider", json!(snapshot.provider)),
            ("snapshot", json!(id)),
            ("only", if only.is_empty() { Value::Null } else { json!(only) }),
        ]),
        title: format!("put {id} back to {}", snapshot.provider),
        about: (Kind::Provider, snapshot.provider.to_string()),
    })
}

async fn provides(
    engine: &Engine,
    scope: &Scope,
    provider: &Address,
    capability: &'static str,
) -> Result<Provider, AssignmentError> {
    let found = engine.resource::<Provider>(scope, provider).await?;
    let found = found.ok_or_else(|| AssignmentError::NoProvider(provider.clone()))?;
    if found.provides.iter().any(|provided| provided == capability) {
        Ok(found)
    } else {
        Err(AssignmentError::NotProvided { provider: provider.clone(), capability })
    }
}

/// Told once, however many batches there are: all of them go to one provider
fn binding(graph: &Graph, provider: &Address, capability: &str) -> Vec<ResourceBinding> {
    let more = match graph.len() {
        0 | 1 => String::new(),
        all => format!("; and {} more nodes in the same way", all - 1),
    };
    let of = |node: &PlanNode| ResourceBinding {
        requirement_id: node.node_id.to_string(),
        capability_key: capability.to_owned(),
        constraints: Map::new(),
        binding_status: BindingStatus::Bound,
        selected_resource_id: Some(provider.to_string()),
        sub_operation_plan_id: None,
        resolution_reason: format!("{provider}: asked for by name{more}"),
    };
    graph.nodes().first().map(of).into_iter().collect()
}

/// The provider, where one operation at a time may use it
fn alone(address: &Address, provider: &Provider) -> BTreeSet<Address> {
    provider.exclusive.then(|| address.clone()).into_iter().collect()
}

/// Records intent, plan and operation together and starts the operation, unless one of the same identity is active
pub(crate) async fn place(
    engine: &Engine,
    scope: &Scope,
    actor: &Actor,
    origin: &Origin,
    planned: Background,
) -> Result<Placed, EngineError> {
    let word = planned.operation_type.as_str();
    let identity = Digest::of(&json!({ "type": word, "scope": scope, "inputs": planned.identity }));
    let identity = identity.map_err(impossible)?;
    let snapshot = PlanSnapshot::new(planned.graph).map_err(impossible)?;
    keep(engine, &snapshot).await?;
    let (millis, seed) = (origin.now.0, &origin.seed);
    let (plan_id, operation_id) = (PlanId::derived(millis, seed), OperationId::derived(millis, seed));
    let intent = Intent {
        id: IntentId::derived(millis, seed),
        actor: actor.clone(),
        action: word.to_owned(),
        target_resource_type: planned.about.0,
        target_resource_id: planned.about.1,
        desired_result: planned.inputs.clone(),
        constraints: Map::new(),
        inputs: Map::new(),
        scenario: None,
        status: IntentStatus::Planned,
        plan_id: Some(plan_id),
        failure: None,
        created_at: origin.now.into(),
    };
    let plan = Plan {
        bindings: planned.bindings,
        exclusive: planned.exclusive.clone(),
        ..plan(&intent, plan_id, planned.operation_type, &snapshot)
    };
    let mut made = operation(
        &snapshot.nodes,
        NewOperation {
            operation_id,
            scope: scope.clone(),
            operation_type: planned.operation_type,
            plan_id,
            intent_id: intent.id,
            graph_hash: snapshot.graph_hash.clone(),
            identity,
            actor: actor.clone(),
            title: planned.title,
            now: origin.now,
            promotion_id: None,
            release_id: None,
            environment: None,
            rollback_of: None,
            retry_of: None,
            exclusive: planned.exclusive,
            parent: None,
        },
    );
    made.info.context = context(&planned.inputs);
    let subject = ("operation", operation_id.to_string());
    let metadata = json!({ "inputs": planned.identity, "operation_id": operation_id });
    let writes = vec![
        Write::Create(record(scope, &intent)?),
        Write::Create(record(scope, &plan)?),
        engine.audit(scope, actor, word, subject, metadata, origin.request_id)?,
    ];
    engine.place(made, writes).await
}

async fn keep(engine: &Engine, snapshot: &PlanSnapshot) -> Result<(), EngineError> {
    let bytes = serde_json::to_vec(snapshot).map_err(impossible)?;
    Ok(engine.ledger.plan_put(&snapshot.graph_hash, bytes).await?)
}

/// What was said of these
fn said<const N: usize>(inputs: [(&str, Value); N]) -> Map<String, Value> {
    let said = inputs.into_iter().filter(|(_, value)| !value.is_null());
    said.map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What the run ledger tells of them: lists by their first elements
fn context(inputs: &Map<String, Value>) -> BTreeMap<String, String> {
    let told = |name: &String, value: &Value| match value {
        Value::String(text) => Some((name.clone(), text.clone())),
        Value::Array(items) => {
            let named: Vec<&str> = items.iter().filter_map(Value::as_str).take(SELECTION_TOLD).collect();
            let more = items.len().saturating_sub(named.len());
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            Some(("selection".to_owned(), format!("{}{more}", named.join(", "))))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    };
    inputs.iter().filter_map(|(name, value)| told(name, value)).collect()
}

fn plan(intent: &Intent, plan_id: PlanId, operation_type: OperationType, snapshot: &PlanSnapshot) -> Plan {
    Plan {
        plan_id,
        intent_id: intent.id,
        operation_type,
        scenario_ref: None,
        status: PlanStatus::Active,
        effective_version: 1,
        graph_hash: snapshot.graph_hash.clone(),
        node_count: u32::try_from(snapshot.nodes.len()).unwrap_or(u32::MAX),
        customizations: Vec::new(),
        bindings: Vec::new(),
        context: PlanContext::None {},
        created_by: intent.actor.clone(),
        created_at: intent.created_at,
        expires_at: None,
        exclusive: Default::default(),
    }
}

/// What follows from the end of one
pub(crate) async fn conclude(engine: &Engine, operation: &Operation) -> Result<(), EngineError> {
    end_intent(engine, operation).await
}

/// Why a restore failed, over all its batches
pub(crate) fn failure(counts: &BTreeMap<String, u64>) -> Option<FailureSummary> {
    let count = |key: &str| counts.get(key).copied().unwrap_or(0);
    let failed = count("assignments_failed");
    let total = failed + count("assignments_restored") + count("assignments_unchanged");
    (failed > 0).then(|| FailureSummary::new("assignments_failed", not_restored(failed, total)))
}

fn impossible(error: impl std::fmt::Display) -> EngineError {
    EngineError::Inconsistent(format!("what was asked for cannot be planned: {error}"))
}
