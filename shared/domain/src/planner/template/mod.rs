//! The planner of any scenario: a template, laid out for what it is given
//!
//! Everything is decided here: inputs are filled in, conditions hold or do not, lists and targets are multiplied,
//! requirements find their providers. What remains is a graph. The same request gives the same graph.

mod gate;
mod layout;
mod node;
pub(super) mod step;
#[cfg(test)]
mod tests;
mod undo;

pub(super) use layout::target_facts;

use super::{
    PlanError,
    binding::{Offers, Resolved, Site},
    inputs, outputs,
};
use crate::{
    definition::{
        address::Address,
        expression::{Facts, Root},
        spec::{Constraints, Environment, Job, Policy, Risk, Scenario, Template},
    },
    plan::{Graph, NodeId, PlanNode, ResourceBinding},
};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// How deep operations may run each other
const DEPTH_MAX: usize = 4;
/// Most operations that one plan may run besides its own, those that they run included: they are recorded in one
/// transaction, and replaced in one where an intent is planned again
pub const CHILDREN_MAX: usize = 40;
/// Most bindings that are told one by one; beyond that those of one capability and kind are told together
const BINDINGS_MAX: usize = 200;
/// Most exclusive resources of one plan: their queues are joined in one transaction
pub const EXCLUSIVE_MAX: usize = 40;

/// What the definition holds that scenarios are made of
#[derive(Debug, Clone, Copy)]
pub struct Library<'a> {
    /// Every scenario, by address
    pub scenarios: &'a [(Address, Scenario)],
    /// Every template
    pub templates: &'a BTreeMap<Address, Template>,
    /// Every shared job
    pub jobs: &'a BTreeMap<Address, Job>,
}

/// What an intent is about
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Which resource
    pub address: &'a Address,
    /// What is said of it
    pub spec: &'a Value,
}

/// The environment whose gates stand before everything
#[derive(Debug, Clone, Copy)]
pub struct Guarded<'a> {
    /// Which
    pub environment: &'a Address,
    /// What is said of it
    pub spec: &'a Environment,
    /// The policies that hold there
    pub policies: &'a [(Address, Policy)],
}

/// A scenario that is to be planned
#[derive(Debug, Clone)]
pub struct ScenarioRequest<'a> {
    /// Which, and what is said of it
    pub scenario: &'a (Address, Scenario),
    /// Its template, with the edits that were made at its editable points
    pub template: &'a Template,
    /// What else there is
    pub library: Library<'a>,
    /// What it acts on
    pub subject: Subject<'a>,
    /// The targets of that, by address
    pub sites: &'a [Site],
    /// The environment that it changes
    pub guarded: Option<Guarded<'a>>,
    /// What it is given
    pub inputs: &'a Map<String, Value>,
    /// What has to be true of every provider
    pub constraints: &'a Constraints,
    /// Who may provide what
    pub offers: &'a Offers,
}

/// A scenario as it will run
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedScenario {
    /// What will run
    pub graph: Graph,
    /// What provides what it requires, and why
    pub bindings: Vec<ResourceBinding>,
    /// What it was given, with defaults
    pub inputs: Map<String, Value>,
    /// The resources that one operation at a time may use, those of its children included
    pub exclusive: BTreeSet<Address>,
    /// The operations that it runs, in the order of its nodes
    pub children: Vec<Child>,
    /// How risky it is: as its riskiest part, those of its children included
    pub risk: Risk,
}

/// An operation that a node of a plan runs
#[derive(Debug, Clone, PartialEq)]
pub struct Child {
    /// The binding that it fulfils, and the node that runs it
    pub requirement_id: String,
    /// The scenario that it follows
    pub scenario: Address,
    /// Its version
    pub version: u32,
    /// The version of its template
    pub template_version: u32,
    /// What is done
    pub action: String,
    /// To what
    pub subject: Address,
    /// What it gives: name → `<node>.<output>`
    pub outputs: BTreeMap<String, String>,
    /// How
    pub plan: PlannedScenario,
}

/// Plans a scenario, its environment's gates first
///
/// A scenario that is said to be of low risk does not wait for them: it is for what nobody notices. One that runs
/// another is as risky as that one, which is known only once it has been planned.
pub fn plan_scenario(request: &ScenarioRequest<'_>) -> Result<PlannedScenario, PlanError> {
    let planner = Planner { request, path: vec![request.scenario.0.to_string()] };
    let Some(guarded) = request.guarded else { return planner.plan(Vec::new(), BTreeSet::new()) };
    if request.scenario.1.risk_metadata.level == Risk::Low {
        let free = planner.plan(Vec::new(), BTreeSet::new())?;
        if free.risk == Risk::Low {
            return Ok(free);
        }
    }
    let (gates, last) = gate::guard(guarded)?;
    planner.plan(gates, last)
}

/// One scenario that is being planned, and the ones that it is planned for
struct Planner<'a> {
    request: &'a ScenarioRequest<'a>,
    path: Vec<String>,
}

/// What planning has come to so far
#[derive(Default)]
struct Made {
    nodes: Vec<PlanNode>,
    bindings: Vec<ResourceBinding>,
    exclusive: BTreeSet<Address>,
    children: Vec<Child>,
}

impl Planner<'_> {
    fn plan(&self, gates: Vec<PlanNode>, guard: BTreeSet<NodeId>) -> Result<PlannedScenario, PlanError> {
        let inputs = inputs::complete(&self.request.template.inputs, self.request.inputs)?;
        let facts = self.facts(&inputs);
        let layout = layout::lay_out(self.request, &facts)?;
        let mut made = Made { nodes: gates, ..Made::default() };
        let first = self.required_by_all(&mut made, &inputs, &layout, guard)?;
        for placed in layout.nodes() {
            let mut node = self.node(&mut made, placed, &inputs)?;
            node.depends_on.clone_from(&placed.depends_on);
            if node.depends_on.is_empty() {
                node.depends_on.clone_from(&first);
            }
            made.nodes.push(node);
        }
        self.finish(made, inputs)
    }

    fn facts(&self, inputs: &Map<String, Value>) -> Facts {
        let Subject { address, spec } = self.request.subject;
        let subject =
            json!({ "address": address, "kind": address.kind(), "name": address.name(), "spec": spec });
        let facts =
            Facts::default().with(Root::Inputs, Value::Object(inputs.clone())).with(Root::Resource, subject);
        match self.request.sites.iter().find(|site| site.address == *address) {
            Some(site) => facts.with(Root::Target, target_facts(site)),
            None => facts,
        }
    }

    /// What the scenario as a whole requires and none of its nodes asks for: where another scenario provides it, that
    /// one runs before everything. Returns what the first nodes wait for
    fn required_by_all(
        &self,
        made: &mut Made,
        inputs: &Map<String, Value>,
        layout: &layout::Layout<'_>,
        guard: BTreeSet<NodeId>,
    ) -> Result<BTreeSet<NodeId>, PlanError> {
        let asked: BTreeSet<&str> =
            layout.nodes().filter_map(|placed| self.capability(placed.spec)).collect();
        let mut first = guard.clone();
        for capability in self.request.scenario.1.requires.iter().filter(|it| !asked.contains(it.as_str())) {
            let id: NodeId = format!("provide.{}", layout::slug(capability)).parse()?;
            let resolved = self.resolve(capability, id.as_str(), None, &Constraints::default());
            self.note(made, &resolved);
            if resolved.scenario.is_some() {
                let mut node =
                    self.child(made, id.clone(), &format!("Provide {capability}"), &resolved, inputs)?;
                node.depends_on.clone_from(&guard);
                made.nodes.push(node);
                first = first.difference(&guard).cloned().chain([id]).collect();
            }
        }
        Ok(first)
    }

    /// Keeps a binding, and the exclusive resources that it uses
    fn note(&self, made: &mut Made, resolved: &Resolved) {
        made.bindings.push(resolved.binding.clone());
        let Some(resource) = &resolved.resource else { return };
        let site = self.request.sites.iter().find(|site| site.address == *resource);
        let provider = self.request.offers.providers.iter().find(|(address, _)| address == resource);
        if site.is_some_and(|site| site.spec.exclusive) || provider.is_some_and(|(_, it)| it.exclusive) {
            made.exclusive.insert(resource.clone());
        }
    }

    fn finish(&self, mut made: Made, inputs: Map<String, Value>) -> Result<PlannedScenario, PlanError> {
        if let Some(guarded) = self.request.guarded.filter(|guarded| guarded.spec.exclusive) {
            made.exclusive.insert(guarded.environment.clone());
        }
        for child in &made.children {
            made.exclusive.extend(child.plan.exclusive.clone());
        }
        within("operations of their own", descendants(&made.children), CHILDREN_MAX)?;
        within("exclusive resources", made.exclusive.len(), EXCLUSIVE_MAX)?;
        let graph = Graph::new(made.nodes)?;
        Self::check_way_back(&graph, &made.children)?;
        outputs::check_outputs(&self.request.template.outputs, &graph)?;
        let own = self.request.scenario.1.risk_metadata.level;
        Ok(PlannedScenario {
            risk: made.children.iter().map(|child| child.plan.risk).fold(own, Risk::max),
            graph,
            bindings: summed(made.bindings),
            inputs,
            exclusive: made.exclusive,
            children: made.children,
        })
    }
}

/// How many operations `children` are, with those that they run
fn descendants(children: &[Child]) -> usize {
    children.iter().map(|child| 1 + descendants(&child.plan.children)).sum()
}

fn within(what: &'static str, found: usize, max: usize) -> Result<(), PlanError> {
    if found <= max { Ok(()) } else { Err(PlanError::TooMany { what, found, max }) }
}

/// As many bindings as a record can hold: where there are more, one for each capability and outcome tells of the others
pub(super) fn summed(bindings: Vec<ResourceBinding>) -> Vec<ResourceBinding> {
    if bindings.len() <= BINDINGS_MAX {
        return bindings;
    }
    let mut kept: Vec<ResourceBinding> = Vec::new();
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for binding in bindings {
        let alike = |known: &ResourceBinding| {
            known.capability_key == binding.capability_key
                && known.binding_status == binding.binding_status
                && known.binding_status != crate::plan::BindingStatus::SubOperation
        };
        match kept.iter().position(alike) {
            Some(at) => *counts.entry(at).or_default() += 1,
            None => kept.push(binding),
        }
    }
    for (at, more) in counts {
        if let Some(binding) = kept.get_mut(at) {
            binding.resolution_reason.push_str(&format!("; and {more} more nodes in the same way"));
        }
    }
    kept
}
