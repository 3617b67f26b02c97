//! An intent that nothing runs yet: planned again, or not wanted any more
//!
//! Its plan, with the plans of the operations that it would run, gives way in the write that makes the next one or that
//! ends the intent: whoever starts it at the same time is first, or finds it gone.

use crate::{
    Engine, EngineError,
    delivery::{DeliveryError, Origin, keep_snapshot},
    intents::{IntentRequest, Prepared, prepare},
    records::record,
};
use serde_json::json;
use std::collections::BTreeMap;
use weir_domain::{
    actor::Actor,
    id::{Id as _, IntentId, PlanId},
    intent::{Intent, IntentCommand, IntentStatus},
    plan::{Plan, PlanCommand, PlanContext, PlanSnapshot},
    scope::Scope,
};
use weir_store::{Entity as _, Key, Write};

/// How often a change that met another one is decided again
const TRIES: u32 = 5;

/// Plans the intent again: what was planned before is superseded. The same request again meets the plan that it made
pub async fn plan_again(
    engine: &Engine,
    scope: &Scope,
    actor: &Actor,
    origin: &Origin,
    id: IntentId,
) -> Result<Intent, DeliveryError> {
    for _ in 0..TRIES {
        let (intent, version) = find(engine, scope, id).await?;
        if intent.plan_id == Some(PlanId::derived(origin.now.0, &origin.seed)) {
            return Ok(intent);
        }
        let ended = |status: IntentStatus| DeliveryError::IntentEnded(id, status);
        let planning =
            intent.clone().after(IntentCommand::BeginPlanning).map_err(|_| ended(intent.status))?;
        let before = plans(engine, scope, &intent).await?;
        let request = request(&intent, before.first().map(|(plan, _)| plan))?;
        let prepared = prepare(engine, scope, actor, origin, &request).await?;
        let planned = planning.after(IntentCommand::Plan).map_err(|_| ended(intent.status))?;
        let planned = Intent { plan_id: Some(prepared.plan.plan_id), ..planned };
        let made = of_intent(id, prepared);
        for (_, graph) in &made {
            keep_snapshot(engine, graph).await?;
        }
        let metadata = json!({ "plan_id": planned.plan_id, "superseded": intent.plan_id });
        let subject = ("intent", id.to_string());
        let mut writes = vec![
            Write::Replace { expected: version, record: record(scope, &planned)? },
            engine.audit(scope, actor, "intent.plan", subject, metadata, origin.request_id)?,
        ];
        writes.extend(given_way(scope, id, before, &[PlanCommand::Supersede])?);
        for (plan, _) in &made {
            writes.push(Write::Create(record(scope, plan)?));
        }
        if engine.commit(&writes).await? {
            return Ok(planned);
        }
    }
    Err(DeliveryError::IntentBusy(id))
}

/// Ends an intent that nothing runs yet; one that is cancelled already stays so
pub async fn cancel_intent(
    engine: &Engine,
    scope: &Scope,
    actor: &Actor,
    origin: &Origin,
    id: IntentId,
    reason: Option<&str>,
) -> Result<Intent, DeliveryError> {
    for _ in 0..TRIES {
        let (intent, version) = find(engine, scope, id).await?;
        if intent.status == IntentStatus::Cancelled {
            return Ok(intent);
        }
        let status = intent.status;
        let before = plans(engine, scope, &intent).await?;
        let cancelled =
            intent.after(IntentCommand::Cancel).map_err(|_| DeliveryError::IntentEnded(id, status))?;
        let metadata = json!({ "plan_id": cancelled.plan_id, "reason": reason });
        let subject = ("intent", id.to_string());
        let mut writes = vec![
            Write::Replace { expected: version, record: record(scope, &cancelled)? },
            engine.audit(scope, actor, "intent.cancel", subject, metadata, origin.request_id)?,
        ];
        // What has no provider was never there to be refused.
        writes.extend(given_way(scope, id, before, &[PlanCommand::Reject, PlanCommand::Supersede])?);
        if engine.commit(&writes).await? {
            return Ok(cancelled);
        }
    }
    Err(DeliveryError::IntentBusy(id))
}

async fn find(engine: &Engine, scope: &Scope, id: IntentId) -> Result<(Intent, u64), DeliveryError> {
    let read = engine.table.read::<Intent>(&Key::entity(scope, Intent::KIND, id)).await;
    read.map_err(EngineError::from)?.ok_or(DeliveryError::NoIntent(id))
}

/// The intent's plan, and after it the plans of the operations that it would run, with their versions
async fn plans(engine: &Engine, scope: &Scope, intent: &Intent) -> Result<Vec<(Plan, u64)>, DeliveryError> {
    let mut open: Vec<PlanId> = intent.plan_id.into_iter().collect();
    let mut found = Vec::new();
    while let Some(id) = open.pop() {
        let read = engine.table.read::<Plan>(&Key::entity(scope, Plan::KIND, id)).await;
        let (plan, version) = read.map_err(EngineError::from)?.ok_or(DeliveryError::NoPlan(id))?;
        open.extend(plan.bindings.iter().filter_map(|binding| binding.sub_operation_plan_id));
        found.push((plan, version));
    }
    Ok(found)
}

/// The writes by which each plan takes the first of `commands` that it allows
fn given_way(
    scope: &Scope,
    id: IntentId,
    plans: Vec<(Plan, u64)>,
    commands: &[PlanCommand],
) -> Result<Vec<Write>, DeliveryError> {
    let mut writes = Vec::with_capacity(plans.len());
    for (plan, expected) in plans {
        let status = commands.iter().find_map(|command| plan.status.after(*command));
        let status = status.ok_or(DeliveryError::PlanStays(id, plan.plan_id, plan.status))?;
        writes.push(Write::Replace { expected, record: record(scope, &Plan { status, ..plan })? });
    }
    Ok(writes)
}

/// What was asked for, as the intent and its plan say it
fn request(intent: &Intent, plan: Option<&Plan>) -> Result<IntentRequest, DeliveryError> {
    let other = || DeliveryError::OtherPlanner(intent.id);
    match plan.map(|plan| &plan.context) {
        Some(PlanContext::Delivery(_) | PlanContext::Scenario(_)) | None => {}
        Some(PlanContext::Definition(_) | PlanContext::None {}) => return Err(other()),
    }
    let edits = plan.into_iter().flat_map(|plan| &plan.customizations);
    let customizations: BTreeMap<_, _> =
        edits.map(|edit| (format!("{}.{}", edit.node_id, edit.point), edit.value.clone())).collect();
    Ok(IntentRequest {
        action: intent.action.clone(),
        target: intent.target_resource_id.parse().map_err(|_| other())?,
        scenario: intent.scenario.clone(),
        inputs: intent.inputs.clone(),
        desired_result: intent.desired_result.clone(),
        constraints: intent.constraints.clone(),
        customizations,
    })
}

/// What was planned, as plans of the intent `id`
fn of_intent(id: IntentId, prepared: Prepared) -> Vec<(Plan, PlanSnapshot)> {
    let all = std::iter::once((prepared.plan, prepared.graph)).chain(prepared.children);
    all.map(|(plan, graph)| (Plan { intent_id: id, ..plan }, graph)).collect()
}
