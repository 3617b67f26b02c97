//! From a wish to an operation: intent, plan, promotion and operation are recorded together, then started

use super::{
    DeliveryError, Origin,
    gather::{Gathered, gather, runs_in, source},
};
use crate::{
    Engine, EngineError,
    intents::{IntentRequest, Prepared, identity, intent, snapshot},
    records::record,
    start::{NewOperation, Placed, operation},
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use weir_domain::{
    actor::Actor,
    definition::address::Address,
    delivery::{Promotion, PromotionStatus, Release},
    engine::Operation,
    id::{Id as _, OperationId, PlanId, PromotionId, ReleaseId},
    intent::Intent,
    operation::OperationType,
    plan::{BindingStatus, DeliveryContext, Plan, PlanCommand, PlanContext, PlanSnapshot, PlanStatus},
    planner::{missing, plan_delivery},
    scope::Scope,
    time::Millis,
};
use weir_store::{Entity as _, Key, Write};

/// How long a plan may be started after it was made: the world moves on
pub(crate) const PLAN_LIFE: Millis = Millis::from_secs(24 * 3600);

/// A release that somebody wants in an environment
#[derive(Debug, Clone)]
pub struct PromotionRequest {
    /// What
    pub release_id: ReleaseId,
    /// Where
    pub target_environment: Address,
    /// Where it has to run already; the environment before it in the service's order where nothing is said
    pub source_environment: Option<Address>,
    /// Edits of the template at its editable points
    pub customizations: BTreeMap<String, Value>,
}

/// What a request led to
#[derive(Debug, Clone)]
pub struct Requested {
    /// The promotion
    pub promotion: Promotion,
    /// An operation that does the same was active already: it is the answer
    pub reused: bool,
}

/// Promotes a release: records intent, plan, promotion and operation together, and starts the operation
pub async fn request_promotion(
    engine: &Engine,
    scope: &Scope,
    actor: &Actor,
    origin: &Origin,
    request: &PromotionRequest,
) -> Result<Requested, DeliveryError> {
    let intent = IntentRequest {
        action: "promote".to_owned(),
        target: request.target_environment.clone(),
        scenario: None,
        inputs: Map::new(),
        customizations: request.customizations.clone(),
        desired_result: object(json!({ "release_id": request.release_id })),
        constraints: request
            .source_environment
            .as_ref()
            .map(|source| object(json!({ "source_environment": source })))
            .unwrap_or_default(),
    };
    let Prepared { intent, plan, graph, .. } = prepare(engine, scope, actor, origin, &intent).await?;
    refuse_unbound(&plan)?;
    let plan = activated(plan);
    let (promotion, placed) =
        place(engine, &Making { scope, actor, origin, plan: &plan, intent: &intent, new: true }, graph)
            .await?;
    finish_request(engine, scope, promotion, placed).await
}

/// Starts a plan that was recorded with its intent
pub async fn start_plan(
    engine: &Engine,
    scope: &Scope,
    actor: &Actor,
    origin: &Origin,
    plan_id: PlanId,
) -> Result<Requested, DeliveryError> {
    let read = engine
        .table
        .read::<Plan>(&Key::entity(scope, Plan::KIND, plan_id))
        .await
        .map_err(EngineError::from)?;
    let (plan, _) = read.ok_or(DeliveryError::NoPlan(plan_id))?;
    let key = Key::entity(scope, Intent::KIND, plan.intent_id);
    let intent = engine.table.read::<Intent>(&key).await.map_err(EngineError::from)?;
    let (intent, _) = intent.ok_or(DeliveryError::NoPlan(plan_id))?;
    let expired = plan.expires_at.is_some_and(|at| at.millis() < engine.clock.now());
    if plan.status == PlanStatus::Active {
        // Started before by this very request, or by another one: the promotion's operation is the answer.
        if let PlanContext::Delivery(context) = &plan.context
            && let Some(promotion) = promotion(engine, scope, context.promotion_id).await?
        {
            return Ok(Requested { promotion, reused: true });
        }
    }
    refuse_unbound(&plan)?;
    if plan.status != PlanStatus::Ready || expired {
        return Err(DeliveryError::NotStartable(plan_id, plan.status));
    }
    let graph = snapshot(engine, &plan).await?;
    let plan = activated(plan);
    let (promotion, placed) =
        place(engine, &Making { scope, actor, origin, plan: &plan, intent: &intent, new: false }, graph)
            .await?;
    finish_request(engine, scope, promotion, placed).await
}

/// What nobody provides cannot be started: it would wait for an agent that nobody has registered
fn refuse_unbound(plan: &Plan) -> Result<(), DeliveryError> {
    if plan.status == PlanStatus::Unbound {
        return Err(DeliveryError::Unbound(plan.plan_id, missing(plan)));
    }
    Ok(())
}

async fn finish_request(
    engine: &Engine,
    scope: &Scope,
    promotion: Promotion,
    placed: Placed,
) -> Result<Requested, DeliveryError> {
    let reused = matches!(placed, Placed::Other(_));
    let operation_id = placed.operation();
    if operation_id == promotion.workflow_run_id {
        return Ok(Requested { promotion, reused });
    }
    // Another request for the same was first: its promotion is the answer.
    let other = engine.table.operation_get(scope, operation_id).await.map_err(EngineError::from)?;
    let found = match other.and_then(|other| other.info.promotion_id) {
        Some(id) => self::promotion(engine, scope, id).await?,
        None => None,
    };
    let missing = || EngineError::Inconsistent(format!("operation `{operation_id}` has no promotion"));
    Ok(Requested { promotion: found.ok_or_else(missing)?, reused })
}

async fn promotion(
    engine: &Engine,
    scope: &Scope,
    id: PromotionId,
) -> Result<Option<Promotion>, DeliveryError> {
    let read = engine.table.read::<Promotion>(&Key::entity(scope, Promotion::KIND, id)).await;
    Ok(read.map_err(EngineError::from)?.map(|(promotion, _)| promotion))
}

/// The intent, its plan and its graph, not yet recorded
pub(crate) async fn prepare(
    engine: &Engine,
    scope: &Scope,
    actor: &Actor,
    origin: &Origin,
    request: &IntentRequest,
) -> Result<Prepared, DeliveryError> {
    let (release_id, asked) = said(request)?;
    let gathered = gather(engine, scope, request, release_id).await?;
    if !gathered.release.status.is_promotable() {
        return Err(DeliveryError::NotPromotable(release_id, gathered.release.status));
    }
    if let Some(source) = source(engine, scope, &gathered, asked).await?
        && !runs_in(engine, scope, release_id, &source).await?
    {
        return Err(DeliveryError::NotInSource(release_id, source));
    }
    let bindings = gathered.bindings();
    let unbound = bindings.iter().any(|it| it.binding_status == BindingStatus::Unbound);
    let snapshot = PlanSnapshot::new(plan_delivery(&gathered.request())?)
        .map_err(|error| EngineError::Inconsistent(error.to_string()))?;
    let (millis, seed) = (origin.now.0, &origin.seed);
    let intent = intent(actor, origin, request);
    let plan = Plan {
        plan_id: PlanId::derived(millis, seed),
        intent_id: intent.id,
        operation_type: if request.action == "promote" {
            OperationType::Promote
        } else {
            OperationType::Deploy
        },
        scenario_ref: Some(gathered.scenario.clone()),
        status: if unbound { PlanStatus::Unbound } else { PlanStatus::Ready },
        effective_version: 1,
        graph_hash: snapshot.graph_hash.clone(),
        node_count: u32::try_from(snapshot.nodes.len()).unwrap_or(u32::MAX),
        customizations: gathered.customizations.clone(),
        bindings,
        exclusive: gathered.exclusive.clone(),
        context: PlanContext::Delivery(context(&gathered, PromotionId::derived(millis, seed))),
        created_by: actor.clone(),
        created_at: origin.now.into(),
        expires_at: Some((origin.now + PLAN_LIFE).into()),
    };
    Ok(Prepared { intent, plan, graph: snapshot, children: Vec::new() })
}

/// The release that is wanted, and where it has to run already
fn said(request: &IntentRequest) -> Result<(ReleaseId, Option<Address>), DeliveryError> {
    let refuse = |what: &str| DeliveryError::Incomplete(what.to_owned());
    if !request.inputs.is_empty() {
        return Err(refuse("a delivery has no `inputs`: its release is in `desired_result.release_id`"));
    }
    if let Some(other) = request.constraints.keys().find(|name| *name != "source_environment") {
        return Err(refuse(&format!(
            "a delivery goes to every target of its environment: no `constraints.{other}`"
        )));
    }
    let release =
        request.desired_result.get("release_id").and_then(Value::as_str).and_then(|id| id.parse().ok());
    let release = release.ok_or_else(|| refuse("`desired_result.release_id` has to say which release"))?;
    let source =
        request.constraints.get("source_environment").map(|it| it.as_str().and_then(|it| it.parse().ok()));
    match source {
        Some(None) => Err(refuse("`source_environment` is not the address of an environment")),
        Some(Some(source)) => Ok((release, Some(source))),
        None => Ok((release, None)),
    }
}

fn context(gathered: &Gathered, promotion_id: PromotionId) -> DeliveryContext {
    DeliveryContext {
        promotion_id,
        release_id: gathered.release.id,
        service: gathered.release.service_id.clone(),
        environment: gathered.environment.clone(),
        delivery: gathered.environment_spec.delivery.clone(),
        rollback_of: None,
    }
}

/// What was made for one request, to be recorded in one transaction
struct Making<'a> {
    scope: &'a Scope,
    actor: &'a Actor,
    origin: &'a Origin,
    plan: &'a Plan,
    intent: &'a Intent,
    /// Whether intent and plan are recorded with it, or were before
    new: bool,
}

/// Records the operation with its promotion and starts it
async fn place(
    engine: &Engine,
    making: &Making<'_>,
    snapshot: PlanSnapshot,
) -> Result<(Promotion, Placed), DeliveryError> {
    let Making { scope, actor, origin, plan, intent, new } = *making;
    let PlanContext::Delivery(context) = &plan.context else {
        return Err(DeliveryError::Incomplete("the plan delivers nothing".to_owned()));
    };
    keep_snapshot(engine, &snapshot).await?;
    let key = Key::entity(scope, Release::KIND, context.release_id);
    let release = engine.table.read::<Release>(&key).await.map_err(EngineError::from)?;
    let (release, _) = release.ok_or(DeliveryError::NoRelease(context.release_id))?;
    let promotion = making.promotion(context, release.version);
    let made = making.operation(context, &promotion, &snapshot)?;
    let metadata = json!({
        "release_id": promotion.release_id, "environment": promotion.target_environment_id,
        "operation_id": promotion.workflow_run_id, "graph_hash": plan.graph_hash,
    });
    let subject = ("promotion", promotion.id.to_string());
    let mut writes = vec![
        Write::Create(record(scope, &promotion)?),
        engine.audit(scope, actor, "promotion.create", subject, metadata, origin.request_id)?,
    ];
    if new {
        writes.extend([Write::Create(record(scope, intent)?), Write::Create(record(scope, plan)?)]);
    } else {
        writes.push(Write::Replace { expected: 1, record: record(scope, plan)? });
    }
    let placed = engine.place(made, writes).await?;
    Ok((promotion, placed))
}

impl Making<'_> {
    fn promotion(&self, context: &DeliveryContext, version: String) -> Promotion {
        Promotion {
            id: context.promotion_id,
            release_id: context.release_id,
            service_id: context.service.clone(),
            version,
            source_environment_id: self.intent.constraints.get("source_environment").and_then(address),
            target_environment_id: context.environment.clone(),
            status: PromotionStatus::Pending,
            decision_record: Vec::new(),
            workflow_run_id: OperationId::derived(self.origin.now.0, &self.origin.seed),
            intent_id: self.intent.id,
            plan_id: self.plan.plan_id,
            rolled_back_by: None,
            requested_by: self.actor.clone(),
            requested_at: self.origin.now.into(),
        }
    }

    fn operation(
        &self,
        context: &DeliveryContext,
        promotion: &Promotion,
        snapshot: &PlanSnapshot,
    ) -> Result<Operation, EngineError> {
        let about = object(json!({
            "type": self.plan.operation_type, "scope": self.scope, "service": context.service,
            "environment": context.environment, "release": context.release_id,
            "scenario": self.plan.scenario_ref.as_ref().map(|it| &it.scenario),
        }));
        // Where the release has to run already changes nothing of what is done: its constraints are no part of it.
        let identity = identity(about, &Map::new(), &self.plan.customizations)?;
        let new = NewOperation {
            operation_id: promotion.workflow_run_id,
            scope: self.scope.clone(),
            operation_type: self.plan.operation_type,
            plan_id: self.plan.plan_id,
            intent_id: self.intent.id,
            graph_hash: snapshot.graph_hash.clone(),
            identity,
            actor: self.actor.clone(),
            title: title(promotion),
            now: self.origin.now,
            promotion_id: Some(promotion.id),
            release_id: Some(context.release_id),
            environment: Some(context.environment.to_string()),
            rollback_of: None,
            retry_of: None,
            parent: None,
            exclusive: self.plan.exclusive.clone(),
        };
        Ok(operation(&snapshot.nodes, new))
    }
}

fn address(value: &Value) -> Option<Address> {
    value.as_str()?.parse().ok()
}

fn title(promotion: &Promotion) -> String {
    let name = |address: &Address| {
        address.to_string().split_once('.').map_or(String::new(), |(_, name)| name.to_owned())
    };
    format!(
        "{} {} → {}",
        name(&promotion.service_id),
        promotion.version,
        name(&promotion.target_environment_id)
    )
}

fn activated(mut plan: Plan) -> Plan {
    plan.status = plan.status.after(PlanCommand::Activate).unwrap_or(plan.status);
    plan
}

/// Keeps the graph where every node's executor reads it, before anything refers to it
pub(crate) async fn keep_snapshot(engine: &Engine, snapshot: &PlanSnapshot) -> Result<(), EngineError> {
    let bytes = serde_json::to_vec(snapshot).map_err(|error| EngineError::Inconsistent(error.to_string()))?;
    Ok(engine.ledger.plan_put(&snapshot.graph_hash, bytes).await?)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}
