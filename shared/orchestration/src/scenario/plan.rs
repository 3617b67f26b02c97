//! From an intent to the plan of a scenario, not yet recorded

use super::gather::{World, gather};
use crate::{
    Engine, EngineError,
    delivery::{DeliveryError, Origin, PLAN_LIFE},
    intents::{IntentRequest, Prepared, intent},
};
use weir_domain::{
    actor::Actor,
    definition::{address::Address, spec::Constraints},
    id::{Id as _, PlanId},
    intent::Intent,
    operation::OperationType,
    plan::{
        BindingStatus, Customization, Plan, PlanCommand, PlanContext, PlanSnapshot, PlanStatus,
        ScenarioContext, ScenarioRef,
    },
    planner::{Child, PlannedScenario, ScenarioRequest, Subject, customize, plan_scenario, select},
    scope::Scope,
};

/// Plans what `request` asks for; nothing is written
pub(crate) async fn prepare(
    engine: &Engine,
    scope: &Scope,
    actor: &Actor,
    origin: &Origin,
    request: &IntentRequest,
) -> Result<Prepared, DeliveryError> {
    let world = gather(engine, scope, &request.target).await?;
    let kind = request.target.kind();
    let scenario = select(&world.scenarios, &request.action, kind, request.scenario.as_ref())?;
    let template = world.template(&scenario.1)?;
    let (template, customizations) = customize(template, world.library().jobs, &request.customizations)?;
    let constraints = constraints(request)?;
    let planned = plan_scenario(&ScenarioRequest {
        scenario,
        template: &template,
        library: world.library(),
        subject: Subject { address: &request.target, spec: &world.subject },
        sites: &world.sites,
        guarded: world.guarded(),
        inputs: &request.inputs,
        constraints: &constraints,
        offers: &world.offers,
    })?;
    let intent = intent(actor, origin, request);
    let about = About {
        scenario: scenario.0.clone(),
        version: scenario.1.version,
        template_version: template.version,
        template: Some(scenario.1.template.address().clone()),
        action: request.action.clone(),
        subject: request.target.clone(),
        customizations,
        outputs: template.outputs.clone(),
        part_of: None,
    };
    let mut children = Vec::new();
    let recording = Recording { world: &world, intent: &intent, origin };
    let (plan, graph) = recording.record(about, planned, &origin.seed, &mut children)?;
    Ok(Prepared { intent, plan, graph, children })
}

/// What has to be true of every provider
fn constraints(request: &IntentRequest) -> Result<Constraints, DeliveryError> {
    let said = serde_json::Value::Object(request.constraints.clone());
    serde_json::from_value(said).map_err(|error| DeliveryError::Incomplete(format!("`constraints`: {error}")))
}

/// What a planned scenario is about
struct About {
    scenario: Address,
    version: u32,
    template_version: u32,
    template: Option<Address>,
    action: String,
    subject: Address,
    customizations: Vec<Customization>,
    outputs: std::collections::BTreeMap<String, String>,
    part_of: Option<PlanId>,
}

struct Recording<'a> {
    world: &'a World,
    intent: &'a Intent,
    origin: &'a Origin,
}

impl Recording<'_> {
    /// The plan's record and its graph; the plans of the operations that it runs are put into `children`
    ///
    /// Ids are derived from `seed`, so that whoever plans this again for the same request makes the same records.
    fn record(
        &self,
        about: About,
        planned: PlannedScenario,
        seed: &str,
        children: &mut Vec<(Plan, PlanSnapshot)>,
    ) -> Result<(Plan, PlanSnapshot), DeliveryError> {
        let now = self.origin.now;
        let plan_id = PlanId::derived(now.0, seed);
        let graph = PlanSnapshot::new(planned.graph).map_err(|e| EngineError::Inconsistent(e.to_string()))?;
        let mut bindings = planned.bindings;
        let mut unbound = bindings.iter().any(|it| it.binding_status == BindingStatus::Unbound);
        for child in planned.children {
            let requirement = child.requirement_id.clone();
            let seed = format!("{seed}/{requirement}");
            let (plan, snapshot) =
                self.record(self.child_of(plan_id, &child), child.plan, &seed, children)?;
            unbound |= plan.status == PlanStatus::Unbound;
            let fulfilled = bindings.iter_mut().filter(|binding| binding.requirement_id == requirement);
            fulfilled.for_each(|binding| binding.sub_operation_plan_id = Some(plan.plan_id));
            children.push((plan, snapshot));
        }
        let command = if unbound { PlanCommand::LeaveUnbound } else { PlanCommand::Bind };
        let plan = Plan {
            plan_id,
            intent_id: self.intent.id,
            operation_type: OperationType::ScenarioRun,
            scenario_ref: Some(ScenarioRef {
                scenario: about.scenario,
                version: Some(about.version),
                template_version: about.template_version,
                template: about.template,
            }),
            status: PlanStatus::Draft.after(command).unwrap_or(PlanStatus::Unbound),
            effective_version: 1,
            graph_hash: graph.graph_hash.clone(),
            node_count: u32::try_from(graph.nodes.len()).unwrap_or(u32::MAX),
            customizations: about.customizations,
            bindings,
            exclusive: planned.exclusive,
            context: PlanContext::Scenario(ScenarioContext {
                action: about.action,
                resource: about.subject,
                environment: self.world.environment.as_ref().map(|(address, _)| address.clone()),
                inputs: planned.inputs,
                outputs: about.outputs,
                part_of: about.part_of,
                risk: Some(planned.risk),
            }),
            created_by: self.intent.actor.clone(),
            created_at: now.into(),
            expires_at: Some((now + PLAN_LIFE).into()),
        };
        Ok((plan, graph))
    }

    fn child_of(&self, parent: PlanId, child: &Child) -> About {
        let mut scenarios = self.world.scenarios.iter();
        let template = scenarios.find(|(address, _)| *address == child.scenario);
        About {
            scenario: child.scenario.clone(),
            version: child.version,
            template_version: child.template_version,
            template: template.map(|(_, scenario)| scenario.template.address().clone()),
            action: child.action.clone(),
            subject: child.subject.clone(),
            customizations: Vec::new(),
            outputs: child.outputs.clone(),
            part_of: Some(parent),
        }
    }
}
