//! Operations and templates in the words of requirements 001 and 004

use crate::{
    operation,
    recipes::{Found, graph},
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use weir_domain::{
    definition::address::Address,
    engine::{NodeRun, Operation},
    intent::Intent,
    plan::{Graph, Plan, PlanContext},
    planner::{builtin_template, builtin_templates, collect_outputs, output_nodes},
    sanitise::sanitise,
    timeline::TimelineEvent,
};
use weir_edge::{
    Cx, Problem,
    wire::{
        scenario::GraphDefinition,
        workflow::{WorkflowLog, WorkflowRun, WorkflowTemplate},
    },
};
use weir_store::{Entity as _, Key};

/// The templates that are a part of Weir
pub(crate) fn builtin() -> Result<Vec<Found>, Problem> {
    let templates = builtin_templates().map_err(|error| Problem::internal(error.to_string()))?;
    let found = |(id, spec)| Found { id, spec, tenant: None, applied_at: None };
    Ok(templates.into_iter().map(found).collect())
}

/// A template as a workflow template
pub(super) fn template(found: Found) -> WorkflowTemplate {
    let GraphDefinition { nodes, edges } = graph(&found.spec);
    WorkflowTemplate {
        name: found.id.names().to_owned(),
        tenant_id: found.tenant,
        version: found.spec.version,
        nodes,
        edges,
        inputs: found.spec.inputs,
        outputs: found.spec.outputs,
        is_builtin: found.applied_at.is_none(),
        id: found.id,
    }
}

/// The plan that an operation executes
pub(crate) async fn plan_of(cx: &Cx, operation: &Operation) -> Result<Option<Plan>, Problem> {
    let info = &operation.info;
    let key = Key::entity(&info.scope, Plan::KIND, info.plan_id);
    Ok(cx.table().read::<Plan>(&key).await?.map(|(plan, _)| plan))
}

/// What was asked for, where the plan itself does not say it
pub(crate) async fn intent_of(
    cx: &Cx,
    operation: &Operation,
    plan: Option<&Plan>,
) -> Result<Option<Intent>, Problem> {
    if !plan.is_some_and(|plan| plan.context == PlanContext::None {}) {
        return Ok(None);
    }
    let info = &operation.info;
    let key = Key::entity(&info.scope, Intent::KIND, info.intent_id);
    Ok(cx.table().read::<Intent>(&key).await?.map(|(intent, _)| intent))
}

/// What the template of a run says that it gives, and from which of its nodes
pub(super) fn gives(operation: &Operation, plan: Option<&Plan>) -> Result<BTreeMap<String, String>, Problem> {
    if let Some(PlanContext::Scenario(context)) = plan.map(|plan| &plan.context) {
        return Ok(context.outputs.clone());
    }
    let Some(name) = builtin_template(operation.info.operation_type) else { return Ok(BTreeMap::new()) };
    let found = builtin()?.into_iter().find(|template| template.id.names() == name);
    Ok(found.map(|template| template.spec.outputs).unwrap_or_default())
}

/// An operation as a workflow run, without what it gave and its log
pub(crate) fn run(
    operation: &Operation,
    nodes: &[NodeRun],
    plan: Option<&Plan>,
    intent: Option<Intent>,
) -> Result<WorkflowRun, Problem> {
    let info = &operation.info;
    let ended = operation.completed_at.map(Into::into);
    let (template_id, template_version) = planned_from(operation, plan)?;
    let mut context = Map::from_iter([("title".to_owned(), json!(sanitise(&info.title)))]);
    if let Some(plan) = plan {
        context.insert("about".to_owned(), serde_json::to_value(&plan.context)?);
    }
    let facts = [
        ("promotion_id", json!(info.promotion_id)),
        ("release_id", json!(info.release_id)),
        ("environment", json!(info.environment)),
        ("rollback_of", json!(info.rollback_of)),
    ];
    let facts = facts.into_iter().filter(|(_, value)| !value.is_null());
    context.extend(facts.map(|(key, value)| (key.to_owned(), value)));
    Ok(WorkflowRun {
        id: info.operation_id,
        kind: info.operation_type.workflow_kind(),
        actor: info.actor.id.clone(),
        template_id,
        template_version,
        status: operation::shown(operation, nodes),
        context,
        inputs: plan.map(|plan| inputs(plan, intent)).unwrap_or_default(),
        outputs: Map::new(),
        started_at: operation.started_at.unwrap_or(info.created_at).into(),
        completed_at: ended,
        finished_at: ended,
        logs: Vec::new(),
    })
}

fn planned_from(
    operation: &Operation,
    plan: Option<&Plan>,
) -> Result<(Option<Address>, Option<u32>), Problem> {
    if let Some(scenario) = plan.and_then(|plan| plan.scenario_ref.as_ref()) {
        return Ok((scenario.template.clone(), Some(scenario.template_version)));
    }
    let Some(name) = builtin_template(operation.info.operation_type) else { return Ok((None, None)) };
    let found = builtin()?.into_iter().find(|template| template.id.names() == name);
    Ok(found.map(|template| (template.id, template.spec.version)).unzip())
}

/// What the plan was made for
fn inputs(plan: &Plan, intent: Option<Intent>) -> Map<String, Value> {
    let pairs = match &plan.context {
        PlanContext::Scenario(context) => return context.inputs.clone(),
        PlanContext::Delivery(context) => vec![
            ("release", json!(context.release_id)),
            ("service", json!(context.service)),
            ("environment", json!(context.environment)),
        ],
        PlanContext::Definition(context) => vec![("change_plan", json!(context.change_plan_digest))],
        // What a built-in template is given is what was asked for.
        PlanContext::None {} => return intent.map(|intent| intent.desired_result).unwrap_or_default(),
    };
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// What a run gave: each output of its template, as its node gave it, or for a step that was multiplied by element
pub(super) async fn outputs(
    cx: &Cx,
    operation: &Operation,
    graph: &Graph,
    nodes: &[NodeRun],
    gives: &BTreeMap<String, String>,
) -> Result<Map<String, Value>, Problem> {
    let wanted = output_nodes(gives, graph);
    let mut gave = BTreeMap::new();
    for node in nodes.iter().filter(|node| wanted.binary_search(&node.ordinal).is_ok()) {
        let Some(planned) = graph.node(node.ordinal) else { continue };
        gave.insert(node.ordinal, cx.engine().outputs(operation.info.operation_id, planned, node).await?);
    }
    Ok(collect_outputs(gives, graph, &gave))
}

/// An event of the timeline as an entry of a run's log
pub(crate) fn log(event: TimelineEvent) -> Result<WorkflowLog, Problem> {
    let mut meta = event.meta;
    meta.insert("kind".to_owned(), serde_json::to_value(event.kind)?);
    meta.extend(event.node_id.map(|node| ("node_id".to_owned(), json!(node))));
    meta.extend(event.actor_id.map(|actor| ("actor".to_owned(), json!(actor))));
    Ok(WorkflowLog { ts: event.ts, level: event.level, message: event.message, meta })
}
