//! One template, laid over one place: the nodes that bring one component to one target

use super::{
    BY_HAND, DEPLOY_HOST, Deployable, Performer, PlanError, Site, VERIFY_HTTP, gate_node, inputs,
    template::{
        step::{Step, asked, said},
        target_facts,
    },
};
use crate::{
    definition::{
        address::Address,
        expression::{Facts, Root},
        secrets::{Misplaced, fill_inputs, misplaced},
        spec::{
            ForEach, FreeForm, GateConfig, Job, NodeFailure, NodeSpec, NodeType as TemplateNodeType, Template,
        },
    },
    gate::GateContext,
    plan::{Backoff, Executor, Idempotency, JobContract, NodeId, NodeType, OnFailure, PlanNode},
    planner,
};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// How anything is brought to a target, and what its references may refer to
#[derive(Debug, Clone, Copy)]
pub struct Recipe<'a> {
    /// The steps
    pub template: &'a Template,
    /// The jobs that its steps may share
    pub jobs: &'a BTreeMap<Address, Job>,
    /// What is said of the targets
    pub sites: &'a [Site],
}

/// What a delivery gives a template that asks for it; nobody gives it anything else
pub const DELIVERY_INPUTS: [&str; 4] = ["release", "version", "component", ENVIRONMENT];

/// The one of them that is known of a target by itself
pub(crate) const ENVIRONMENT: &str = "environment";

impl Recipe<'_> {
    /// The job that a step shares
    pub(super) fn job(&self, spec: &NodeSpec) -> Option<&Job> {
        spec.job.as_ref().and_then(|job| self.jobs.get(job.address()))
    }

    /// What a step on `site` may refer to where nothing of what is brought is known
    pub(super) fn facts_at(&self, site: &Site) -> Facts {
        let known = self.template.inputs.iter().filter_map(|(name, input)| {
            let value = match name.as_str() {
                ENVIRONMENT => json!(site.spec.environment),
                name if DELIVERY_INPUTS.contains(&name) => return None,
                _ => input.default.clone().unwrap_or_default(),
            };
            Some((name.clone(), value))
        });
        let inputs = Value::Object(known.collect());
        Facts::default().with(Root::Inputs, inputs).with(Root::Target, target_facts(site))
    }

    /// What a step at `place` may refer to
    fn facts(&self, place: &Place<'_>) -> Result<Facts, PlanError> {
        let site = self.sites.iter().find(|site| site.address == *place.target);
        let Place { what, .. } = place;
        let given = object(json!({
            "release": what.release,
            "version": what.version,
            "component": what.component,
            "environment": site.map(|site| &site.spec.environment),
        }));
        let asked = given.into_iter().filter(|(name, _)| self.template.inputs.contains_key(name));
        let inputs = inputs::complete(&self.template.inputs, &asked.collect())?;
        let facts = Facts::default().with(Root::Inputs, Value::Object(inputs));
        Ok(match site {
            Some(site) => facts.with(Root::Target, target_facts(site)),
            None => facts,
        })
    }
}

/// One component on one target
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Where
    pub target: &'a Address,
    /// What
    pub what: &'a Deployable<'a>,
    /// The ending of its nodes' names: `stg-1`, or `stg-1.web` where a release has several components
    pub suffix: &'a str,
}

/// The nodes of one place, its first ones and its last ones
pub(super) struct Fragment {
    pub nodes: Vec<PlanNode>,
    /// Nothing of the same place comes before them
    pub first: Vec<NodeId>,
    /// Nothing of the same place comes after them
    pub last: Vec<NodeId>,
}

/// Lays `template` over `place`; its first nodes wait for `after`
///
/// Without a context for its gates it has none: nothing may stand between a failed deployment and what worked before it.
pub(super) fn lay(
    recipe: &Recipe<'_>,
    place: &Place<'_>,
    after: &BTreeSet<NodeId>,
    on_failure: OnFailure,
    gates: Option<&GateContext<'_>>,
) -> Result<Fragment, PlanError> {
    let template = recipe.template;
    let facts = recipe.facts(place)?;
    let name = |id: &str| format!("{id}.{}", place.suffix).parse::<NodeId>();
    let is_in = |spec: &NodeSpec| gates.is_some() || spec.node_type != TemplateNodeType::Gate;
    let own = || template.nodes.iter().filter(|spec| is_in(spec));
    let needed: BTreeSet<&str> = own().flat_map(|spec| needs(template, spec, is_in)).collect();
    let mut fragment = Fragment { nodes: Vec::new(), first: Vec::new(), last: Vec::new() };
    for spec in own() {
        let id = name(&spec.id)?;
        let mut node = match (gates, &spec.gate) {
            (Some(context), Some(config)) => gate(spec, id.clone(), place, config, context)?,
            (Some(_) | None, _) => plan_node(recipe, spec, id.clone(), (place, &facts), gates.is_some())?,
        };
        node.on_failure = match spec.on_failure {
            // A delivery that counts failed targets passes by those; a denial is overruled by nobody.
            _ if node.node_type == NodeType::Gate => OnFailure::Fail,
            NodeFailure::Continue => OnFailure::Continue,
            NodeFailure::Pause => OnFailure::Pause,
            NodeFailure::Rollback => OnFailure::Rollback,
            NodeFailure::Fail => on_failure,
        };
        node.depends_on = needs(template, spec, is_in).into_iter().map(name).collect::<Result<_, _>>()?;
        if node.depends_on.is_empty() {
            node.depends_on.clone_from(after);
            fragment.first.push(id.clone());
        }
        if !needed.contains(spec.id.as_str()) {
            fragment.last.push(id);
        }
        fragment.nodes.push(node);
    }
    Ok(fragment)
}

/// The steps that `spec` waits for; for one that is left out, those that it would have waited for
fn needs<'a>(
    template: &'a Template,
    spec: &'a NodeSpec,
    is_in: impl Fn(&NodeSpec) -> bool,
) -> BTreeSet<&'a str> {
    let (mut found, mut seen) = (BTreeSet::new(), BTreeSet::new());
    let mut open: Vec<&str> = spec.depends_on.iter().map(String::as_str).collect();
    while let Some(name) = open.pop() {
        match template.nodes.iter().find(|node| node.id == name).filter(|node| !is_in(node)) {
            Some(left_out) if seen.insert(name) => {
                open.extend(left_out.depends_on.iter().map(String::as_str))
            }
            Some(_) => {}
            None => {
                found.insert(name);
            }
        }
    }
    found
}

/// A gate that stands before one place only
fn gate(
    spec: &NodeSpec,
    id: NodeId,
    place: &Place<'_>,
    config: &GateConfig,
    context: &GateContext<'_>,
) -> Result<PlanNode, PlanError> {
    refuse_layout(spec)?;
    let title = spec.title.as_deref().unwrap_or(&spec.id);
    let node = gate_node(id, &format!("{title} {}", place.suffix), config, context)?;
    Ok(PlanNode { target: Some(place.target.clone()), ..node })
}

/// What a template of deliveries may not have: its nodes are laid out target by target, whatever they are given
fn refuse_layout(spec: &NodeSpec) -> Result<(), PlanError> {
    let what = match (&spec.for_each, &spec.when) {
        (Some(ForEach::Input(_)), _) => "`for_each` over a list, and a delivery has its targets only",
        (_, Some(_)) => "`when`, which deliveries do not ask about",
        (Some(ForEach::Target) | None, None) => return Ok(()),
    };
    Err(PlanError::NotHere { node: spec.id.clone(), what })
}

fn plan_node(
    recipe: &Recipe<'_>,
    spec: &NodeSpec,
    id: NodeId,
    (place, facts): (&Place<'_>, &Facts),
    may_be_unbound: bool,
) -> Result<PlanNode, PlanError> {
    refuse_layout(spec)?;
    let node_type = match spec.node_type {
        TemplateNodeType::Job => NodeType::Job,
        TemplateNodeType::Verification => NodeType::Verification,
        TemplateNodeType::Intervention => return Ok(manual_step(spec, id, place)),
        TemplateNodeType::Gate
        | TemplateNodeType::SubOperation
        | TemplateNodeType::Change
        | TemplateNodeType::Evidence => {
            return Err(PlanError::NodeType { node: spec.id.clone(), node_type: spec.node_type.to_string() });
        }
    };
    let capability = asked(spec, recipe.job(spec))?;
    let said = said(spec, recipe.job(spec));
    refuse_secrets(spec, Some(capability), &said)?;
    let wrong = |error| PlanError::Expression { node: spec.id.clone(), error };
    let with = fill_inputs(capability, &said, facts).map_err(wrong)?;
    let known = planner::capability(capability).map(|known| known.by);
    let (runs, inputs) = match (capability, known) {
        (DEPLOY_HOST, _) => (Executor::Agent(place.target.clone()), deploy_inputs(place)?),
        (VERIFY_HTTP, _) => (Executor::Job, verify_inputs(with, place)),
        (_, Some(Performer::Job)) => (Executor::Job, given(with, place)),
        (_, Some(Performer::Agent)) => (Executor::Agent(place.target.clone()), given(with, place)),
        // Its plan says what is missing. On the way back nobody is there to read that.
        (_, Some(Performer::Engine) | None) if may_be_unbound => (Executor::Job, given(with, place)),
        (_, Some(Performer::Provider | Performer::Engine) | None) => {
            return Err(PlanError::Unbound { node: spec.id.clone(), capability: capability.to_owned() });
        }
    };
    let title = spec.title.clone().unwrap_or_else(|| spec.id.clone());
    let mut node = PlanNode::new(id, node_type, format!("{title} {}", place.suffix), runs);
    node.target = Some(place.target.clone());
    node.requires = vec![capability.to_owned()];
    let step = Step { spec, job: recipe.job(spec), said: &said };
    let contract = step.contract(capability, inputs, Idempotency::Natural)?;
    node.produces.clone_from(&contract.outputs);
    node.job_contract = Some(contract);
    Ok(node)
}

/// A step that a person does: whoever finds it ready asks for one
fn manual_step(spec: &NodeSpec, id: NodeId, place: &Place<'_>) -> PlanNode {
    let title = spec.title.clone().unwrap_or_else(|| spec.id.clone());
    let title = format!("{title} {}", place.suffix);
    let mut node = PlanNode::new(id, NodeType::Intervention, title, Executor::Decide);
    node.target = Some(place.target.clone());
    node.job_contract = spec
        .deadline_s
        .map(|deadline| JobContract { deadline_s: Some(deadline), ..decided_contract(BY_HAND, Map::new()) });
    node
}

/// The contract of a node that nobody works on
pub(super) fn decided_contract(capability: &str, inputs: Map<String, Value>) -> JobContract {
    JobContract {
        capability: capability.to_owned(),
        inputs,
        outputs: Vec::new(),
        timeout_s: 600,
        attempts: 1,
        backoff: Backoff::default(),
        idempotency: Idempotency::Natural,
        secrets: Vec::new(),
        deadline_s: None,
    }
}

/// What the agent is told: everything but where the bytes are, which is signed for it when it claims
fn deploy_inputs(place: &Place<'_>) -> Result<Map<String, Value>, PlanError> {
    let run = place.what.spec.run.as_ref();
    let run = run.ok_or_else(|| PlanError::NoCommand(place.what.component.clone()))?;
    if !run.secret_env.is_empty() {
        return Err(PlanError::Secrets(place.what.component.clone()));
    }
    let inputs = json!({
        "target": place.target,
        "component": place.what.component,
        "digest": place.what.digest,
        "size": place.what.size,
        "version": place.what.version,
        "release": place.what.release,
        "run": { "command": run.command, "env": run.env, "health": run.health },
    });
    Ok(object(inputs))
}

/// How the target is asked: as the component says, and where it does not, as the template says
fn verify_inputs(mut inputs: FreeForm, place: &Place<'_>) -> Map<String, Value> {
    let health = place.what.spec.run.as_ref().and_then(|run| run.health.as_ref());
    if let Some(health) = health {
        inputs.extend(object(serde_json::to_value(health).unwrap_or_default()));
    }
    inputs.extend(object(json!({ "target": place.target, "digest": place.what.digest })));
    inputs
}

/// What the template says, for this target
fn given(mut inputs: FreeForm, place: &Place<'_>) -> Map<String, Value> {
    inputs.extend(object(json!({ "target": place.target })));
    inputs
}

/// The names of what the step is to keep of its answer
pub(super) fn outputs(inputs: &Map<String, Value>) -> Vec<String> {
    let named = inputs.get("outputs").and_then(Value::as_object);
    named.into_iter().flat_map(Map::keys).cloned().collect()
}

/// What a step names of secrets, whoever does it has to fill in
pub(super) fn refuse_secrets(
    spec: &NodeSpec,
    capability: Option<&str>,
    said: &Map<String, Value>,
) -> Result<(), PlanError> {
    match misplaced(capability, said) {
        Some(Misplaced { message, help, .. }) => Err(PlanError::Node {
            node: spec.id.clone(),
            problem: format!("cannot be planned: {message}; {help}"),
        }),
        None => Ok(()),
    }
}

pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}

/// A short name for each target, unique among them: its last name where that is enough
pub(super) fn short_names(targets: &[Address]) -> BTreeMap<&Address, String> {
    let last = |address: &Address| address.to_string().rsplit('.').next().unwrap_or_default().to_owned();
    let mut count: BTreeMap<String, u32> = BTreeMap::new();
    for target in targets {
        *count.entry(last(target)).or_default() += 1;
    }
    let name = |target: &Address| {
        let short = last(target);
        if count.get(&short) == Some(&1) { short } else { target.to_string().replacen("target.", "", 1) }
    };
    targets.iter().map(|target| (target, name(target))).collect()
}
