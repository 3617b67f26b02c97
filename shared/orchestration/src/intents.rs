//! Intents: what somebody wants becomes a plan that can be read before it runs

use crate::{
    Engine, EngineError,
    delivery::{self, DeliveryError, Origin},
    records::record,
    scenario,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use weir_domain::{
    actor::Actor,
    canonical::Digest,
    definition::address::{Address, Kind},
    id::{Id as _, IntentId, PlanId},
    intent::{Intent, IntentStatus},
    plan::{Customization, Plan, PlanSnapshot},
    planner::{Preview, preview},
    scope::Scope,
};
use weir_store::Write;

/// What somebody wants
#[derive(Debug, Clone)]
pub struct IntentRequest {
    /// What is to be done: `promote`, `restart`
    pub action: String,
    /// To which resource
    pub target: Address,
    /// By which scenario; the only one that does it where nothing is said
    pub scenario: Option<Address>,
    /// What its template is given
    pub inputs: Map<String, Value>,
    /// What should be so afterwards, as it was said
    pub desired_result: Map<String, Value>,
    /// What must hold on the way
    pub constraints: Map<String, Value>,
    /// Edits of the template at its editable points: `<node>.<field>` → value
    pub customizations: BTreeMap<String, Value>,
}

/// An intent with its plan, not yet recorded
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The intent
    pub intent: Intent,
    /// Its plan
    pub plan: Plan,
    /// What would run
    pub graph: PlanSnapshot,
    /// The plans of the operations that it runs, each before the one that runs it
    pub children: Vec<(Plan, PlanSnapshot)>,
}

/// Plans what `request` asks for; nothing is written
///
/// A release that is deployed or promoted to an environment has a planner of its own; every other action is the
/// scenario's alone.
pub async fn prepare(
    engine: &Engine,
    scope: &Scope,
    actor: &Actor,
    origin: &Origin,
    request: &IntentRequest,
) -> Result<Prepared, DeliveryError> {
    if is_delivery(request) {
        delivery::prepare(engine, scope, actor, origin, request).await
    } else {
        scenario::prepare(engine, scope, actor, origin, request).await
    }
}

fn is_delivery(request: &IntentRequest) -> bool {
    request.target.kind() == Kind::Environment && matches!(request.action.as_str(), "deploy" | "promote")
}

impl Prepared {
    /// What it would mean to run it
    pub fn preview(&self) -> Preview {
        let children: Vec<_> = self.children.iter().map(|(plan, graph)| (plan, &graph.nodes)).collect();
        preview(&self.plan, &self.graph.nodes, &children)
    }
}

/// Records an intent and its plan, which can then be read, and started
pub async fn plan_intent(
    engine: &Engine,
    scope: &Scope,
    actor: &Actor,
    origin: &Origin,
    request: &IntentRequest,
) -> Result<Prepared, DeliveryError> {
    let prepared = prepare(engine, scope, actor, origin, request).await?;
    let Prepared { intent, plan, graph, children } = &prepared;
    for (_, snapshot) in children {
        delivery::keep_snapshot(engine, snapshot).await?;
    }
    delivery::keep_snapshot(engine, graph).await?;
    let metadata = json!({ "action": intent.action, "plan_id": plan.plan_id, "graph_hash": plan.graph_hash });
    let subject = ("intent", intent.id.to_string());
    let mut writes = vec![
        Write::Create(record(scope, intent)?),
        Write::Create(record(scope, plan)?),
        engine.audit(scope, actor, "intent.create", subject, metadata, origin.request_id)?,
    ];
    for (child, _) in children {
        writes.push(Write::Create(record(scope, child)?));
    }
    // Created before by this very request: its ids are derived from it.
    engine.commit(&writes).await?;
    Ok(prepared)
}

/// The intent that a request makes
pub(crate) fn intent(actor: &Actor, origin: &Origin, request: &IntentRequest) -> Intent {
    let (millis, seed) = (origin.now.0, &origin.seed);
    Intent {
        id: IntentId::derived(millis, seed),
        actor: actor.clone(),
        action: request.action.clone(),
        target_resource_type: request.target.kind(),
        target_resource_id: request.target.to_string(),
        desired_result: request.desired_result.clone(),
        constraints: request.constraints.clone(),
        scenario: request.scenario.clone(),
        inputs: request.inputs.clone(),
        status: IntentStatus::Planned,
        plan_id: Some(PlanId::derived(millis, seed)),
        failure: None,
        created_at: origin.now.into(),
    }
}

/// What makes two operations of a plan the same: `about`, and under which conditions and edits it was planned
///
/// What nobody has asked for is no part of it, so that it stays what it was without.
pub(crate) fn identity(
    mut about: Map<String, Value>,
    constraints: &Map<String, Value>,
    customizations: &[Customization],
) -> Result<Digest, EngineError> {
    if !constraints.is_empty() {
        about.insert("constraints".to_owned(), json!(constraints));
    }
    if !customizations.is_empty() {
        let edits = customizations
            .iter()
            .map(|edit| (format!("{}.{}", edit.node_id, edit.point), edit.value.clone()));
        about.insert("customizations".to_owned(), Value::Object(edits.collect()));
    }
    Digest::of(&about).map_err(|error| EngineError::Inconsistent(error.to_string()))
}

/// The graph of a plan that was recorded
pub(crate) async fn snapshot(engine: &Engine, plan: &Plan) -> Result<PlanSnapshot, EngineError> {
    let graph = engine.graph(&plan.graph_hash).await?;
    PlanSnapshot::new(graph.as_ref().clone()).map_err(|error| EngineError::Inconsistent(error.to_string()))
}
