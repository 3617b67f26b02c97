//! Which nodes a template becomes, and what each of them waits for
//!
//! A node that its condition leaves out is bridged: what waits for it waits for what it would have waited for.

use super::{PlanError, ScenarioRequest, Site};
use crate::{
    definition::{
        expression::{Condition, Facts, Root},
        spec::{ForEach, NodeSpec, Template},
    },
    plan::{
        GraphError, NodeId,
        graph::{EDGES_MAX, NODES_MAX},
    },
    planner::fragment::short_names,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// One node of the plan, before it is known who does it
pub(super) struct Placed<'a> {
    pub spec: &'a NodeSpec,
    pub id: NodeId,
    /// The target that it is about
    pub site: Option<&'a Site>,
    /// What its references refer to
    pub facts: Facts,
    pub depends_on: BTreeSet<NodeId>,
}

/// Every node of the plan, in an order in which none comes before what it waits for
pub(super) struct Layout<'a>(Vec<Placed<'a>>);

impl<'a> Layout<'a> {
    pub fn nodes(&self) -> impl Iterator<Item = &Placed<'a>> {
        self.0.iter()
    }
}

/// One element that a node is multiplied by; a node that is not has one without a name
struct Element<'a> {
    name: Option<String>,
    site: Option<&'a Site>,
    facts: Facts,
}

/// What stands for a node of the template, for whoever waits for it
#[derive(Default)]
struct Stands {
    /// Of each element
    each: Vec<BTreeSet<NodeId>>,
    /// Of all of them together
    whole: BTreeSet<NodeId>,
}

pub(super) fn lay_out<'a>(request: &ScenarioRequest<'a>, facts: &Facts) -> Result<Layout<'a>, PlanError> {
    let mut placed = Vec::new();
    let mut stands: BTreeMap<&str, (Option<&ForEach>, Stands)> = BTreeMap::new();
    let mut edges = 0;
    for spec in ordered(request.template)? {
        let mut own = Stands::default();
        let elements = elements(request, spec, facts)?;
        for (at, element) in elements.into_iter().enumerate() {
            let waits = waits_for(spec, Some(at), &stands);
            if holds(spec, &element.facts)? {
                let id: NodeId = named(spec, element.name.as_deref()).parse()?;
                own.each.push(BTreeSet::from([id.clone()]));
                edges += waits.len();
                placed.push(Placed { spec, id, site: element.site, facts: element.facts, depends_on: waits });
            } else {
                own.each.push(waits);
            }
            if placed.len() > NODES_MAX {
                return Err(GraphError::TooManyNodes { found: placed.len() }.into());
            }
            if edges > EDGES_MAX {
                return Err(GraphError::TooManyEdges { found: edges }.into());
            }
        }
        own.whole = own.each.iter().flatten().cloned().collect();
        if own.each.is_empty() {
            own.whole = waits_for(spec, None, &stands);
        }
        stands.insert(&spec.id, (spec.for_each.as_ref(), own));
    }
    if placed.is_empty() {
        return Err(PlanError::NothingLeft(request.scenario.0.clone()));
    }
    Ok(Layout(placed))
}

/// What the element `at` of `spec` waits for: of a node that is multiplied by the same, the same element
fn waits_for(
    spec: &NodeSpec,
    at: Option<usize>,
    stands: &BTreeMap<&str, (Option<&ForEach>, Stands)>,
) -> BTreeSet<NodeId> {
    let of = |need: &String| {
        let (for_each, stands) = stands.get(need.as_str())?;
        let same = spec.for_each.is_some() && *for_each == spec.for_each.as_ref();
        at.filter(|_| same).and_then(|at| stands.each.get(at)).or(Some(&stands.whole))
    };
    spec.depends_on.iter().filter_map(of).flatten().cloned().collect()
}

/// The nodes of the template, none before what it waits for
fn ordered(template: &Template) -> Result<Vec<&NodeSpec>, PlanError> {
    let mut left: Vec<&NodeSpec> = template.nodes.iter().collect();
    let (mut ordered, mut known) = (Vec::new(), BTreeSet::new());
    while !left.is_empty() {
        let before = left.len();
        left.retain(|spec| {
            let ready = spec.depends_on.iter().all(|need| known.contains(need.as_str()));
            if ready {
                known.insert(spec.id.as_str());
                ordered.push(*spec);
            }
            !ready
        });
        if let Some(stuck) = left.first().filter(|_| left.len() == before) {
            let problem = "waits for itself, or for a node that is not there".to_owned();
            return Err(PlanError::Node { node: stuck.id.clone(), problem });
        }
    }
    Ok(ordered)
}

fn named(spec: &NodeSpec, element: Option<&str>) -> String {
    element.map_or_else(|| spec.id.clone(), |element| format!("{}.{element}", spec.id))
}

fn holds(spec: &NodeSpec, facts: &Facts) -> Result<bool, PlanError> {
    let Some(when) = &spec.when else { return Ok(true) };
    let wrong = |error| PlanError::Expression { node: spec.id.clone(), error };
    Condition::read(when).and_then(|condition| condition.holds(facts)).map_err(wrong)
}

fn elements<'a>(
    request: &ScenarioRequest<'a>,
    spec: &NodeSpec,
    facts: &Facts,
) -> Result<Vec<Element<'a>>, PlanError> {
    match &spec.for_each {
        None => {
            let site = request.sites.iter().find(|site| site.address == *request.subject.address);
            Ok(vec![Element { name: None, site, facts: facts.clone() }])
        }
        Some(ForEach::Target) => targets(request, facts),
        Some(ForEach::Input(input)) => list(input, facts),
    }
}

fn targets<'a>(request: &ScenarioRequest<'a>, facts: &Facts) -> Result<Vec<Element<'a>>, PlanError> {
    if request.sites.is_empty() {
        return Err(PlanError::NoTargets(request.subject.address.clone()));
    }
    let addresses: Vec<_> = request.sites.iter().map(|site| site.address.clone()).collect();
    let names = short_names(&addresses);
    let element = |site: &'a Site| Element {
        name: names.get(&site.address).cloned(),
        site: Some(site),
        facts: facts.clone().with(Root::Target, target_facts(site)),
    };
    Ok(request.sites.iter().map(element).collect())
}

fn list<'a>(input: &str, facts: &Facts) -> Result<Vec<Element<'a>>, PlanError> {
    let refuse = |problem: String| PlanError::Input { input: input.to_owned(), problem };
    let reference =
        crate::definition::expression::Reference { root: Root::Inputs, path: vec![input.to_owned()] };
    let items = match facts.get(&reference) {
        Ok(Value::Array(items)) => items,
        Ok(Value::Null) => return Ok(Vec::new()),
        Ok(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) | Err(_) => {
            return Err(refuse("has to be a list: a node is multiplied by it".to_owned()));
        }
    };
    let mut seen = BTreeSet::new();
    let mut found = Vec::with_capacity(items.len());
    for (number, item) in (1_usize..).zip(items) {
        let name = element_name(item).unwrap_or_else(|| number.to_string());
        if !seen.insert(name.clone()) {
            return Err(refuse(format!("holds `{name}` twice, and there would be two nodes of that name")));
        }
        found.push(Element {
            name: Some(name),
            site: None,
            facts: facts.clone().with(Root::Each, item.clone()),
        });
    }
    Ok(found)
}

/// What an element is called: itself, or its `name` or `id`
fn element_name(item: &Value) -> Option<String> {
    let text = match item {
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => item.to_string(),
        Value::Object(fields) => {
            return fields.get("name").or_else(|| fields.get("id")).and_then(element_name);
        }
        Value::Null | Value::Array(_) => return None,
    };
    Some(slug(&text)).filter(|name| !name.is_empty())
}

/// `text` as a part of a node's name
pub(super) fn slug(text: &str) -> String {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
    let lower = text.chars().take(100).flat_map(char::to_lowercase);
    lower.map(|c| if allowed(c) { c } else { '-' }).collect()
}

/// What `${target.…}` refers to
pub(in crate::planner) fn target_facts(site: &Site) -> Value {
    json!({
        "address": site.address,
        "name": site.address.name(),
        "type": site.spec.target_type,
        "environment": site.spec.environment,
        "region": site.region,
        "labels": site.spec.labels,
        "base_url": site.spec.connection.base_url,
    })
}
