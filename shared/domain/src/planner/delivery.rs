//! The planner of deployments, promotions and rollbacks
//!
//! ```text
//! approval ─ freeze ─ decision ─┬ deploy a ─ verify a ┬─ freeze ─ deploy c ─ …
//!                               └ deploy b ─ verify b ┘
//! (if asked for)                  first batch             second batch
//! ```

use super::{
    BATCH_CHECK, PlanError,
    binding::{Offers, Requirement, resolve_in_delivery, unfit},
    fragment::{self, Place, Recipe, object},
    gates,
    template::{
        step::{asked, constraints},
        summed,
    },
};
use crate::{
    canonical::Digest,
    definition::{
        address::Address,
        spec::{self, Component, Delivery, Environment, Policy, Scenario},
    },
    gate::GateContext,
    id::ReleaseId,
    plan::{
        Executor, Graph, Idempotency, JobContract, NodeId, NodeType, OnFailure, PlanNode, ResourceBinding,
    },
};
use serde_json::json;
use std::collections::BTreeSet;

/// A decision is made within one function call
const DECISION_TIMEOUT_S: u32 = 60;

/// One component of a release
#[derive(Debug, Clone)]
pub struct Deployable<'a> {
    /// Which component
    pub component: Address,
    /// The bytes
    pub digest: Digest,
    /// How many there are
    pub size: u64,
    /// What people call them
    pub version: String,
    /// The release that they come with
    pub release: ReleaseId,
    /// How it is run
    pub spec: &'a Component,
}

/// A release that is to be brought into an environment
#[derive(Debug, Clone)]
pub struct DeliveryRequest<'a> {
    /// Where
    pub environment: &'a Address,
    /// What is said of it
    pub environment_spec: &'a Environment,
    /// The policies that hold there
    pub policies: Vec<(&'a Address, &'a Policy)>,
    /// Its targets, in the order in which they are to be deployed to
    pub targets: Vec<Address>,
    /// What is brought
    pub components: Vec<Deployable<'a>>,
    /// How one component is brought to one target
    pub recipe: Recipe<'a>,
}

/// Targets that are to get back what they had before
#[derive(Debug, Clone)]
pub struct RollbackRequest<'a> {
    /// Where
    pub delivery: &'a Delivery,
    /// What each target gets back
    pub targets: Vec<(Address, Deployable<'a>)>,
    /// How one component is brought to one target
    pub recipe: Recipe<'a>,
}

/// What provides what a delivery requires, node by node, as for any scenario
///
/// Its targets are what it is about, so each has to be served by an agent that can; there is no other one to turn to. Of
/// `scenarios` those are named that would provide what nobody does: a delivery does not run them.
pub fn bind_delivery(
    recipe: &Recipe<'_>,
    offers: &Offers,
    scenarios: &[(Address, Scenario)],
) -> Vec<ResourceBinding> {
    let Recipe { template, sites, .. } = *recipe;
    let addresses: Vec<Address> = sites.iter().map(|site| site.address.clone()).collect();
    let names = fragment::short_names(&addresses);
    let mut bindings = Vec::new();
    for site in sites {
        let name = names.get(&site.address).map_or("", String::as_str);
        let facts = recipe.facts_at(site);
        for spec in &template.nodes {
            let Ok(capability) = asked(spec, recipe.job(spec)) else { continue };
            let id = format!("{}.{name}", spec.id);
            let wanted = constraints(spec, &facts);
            let (wanted, wrong) = match wanted {
                Ok(wanted) => (wanted, None),
                Err(error) => (spec.constraints.clone(), Some(error.to_string())),
            };
            let requirement =
                Requirement { id, capability, site: Some(site), region: None, constraints: wanted };
            let resolved = match wrong {
                Some(why) => unfit(&requirement, why),
                None => resolve_in_delivery(&requirement, sites, offers, scenarios),
            };
            bindings.push(resolved.binding);
        }
    }
    summed(bindings)
}

/// Plans a deployment or promotion: its gates, the decision's evidence, then the targets batch by batch
pub fn plan_delivery(request: &DeliveryRequest<'_>) -> Result<Graph, PlanError> {
    if request.targets.is_empty() {
        return Err(PlanError::NoTargets(request.environment.clone()));
    }
    let mut nodes = gates::before(request)?;
    let after = nodes.last().map(|node| BTreeSet::from([node.node_id.clone()])).unwrap_or_default();
    let names = fragment::short_names(&request.targets);
    let places = request.targets.iter().map(|target| {
        let name = names.get(target).cloned().unwrap_or_default();
        request
            .components
            .iter()
            .map(move |what| (target.clone(), what, suffix(&name, what, request.components.len())))
    });
    let targets = places.map(Iterator::collect).collect();
    roll(&mut nodes, targets, after, request.recipe, &request.environment_spec.delivery, Some(request))?;
    Ok(Graph::new(nodes)?)
}

/// Plans a rollback: no gate may stand between a failed deployment and what worked before it
pub fn plan_rollback(request: &RollbackRequest<'_>) -> Result<Graph, PlanError> {
    let targets: Vec<Address> = request.targets.iter().map(|(target, _)| target.clone()).collect();
    let names = fragment::short_names(&targets);
    let place = |(target, what): &'_ (Address, Deployable<'_>)| {
        (target.clone(), suffix(names.get(target).map_or("", String::as_str), what, 1))
    };
    let named: Vec<_> = request.targets.iter().map(place).collect();
    let places =
        named.into_iter().zip(&request.targets).map(|((target, name), (_, what))| vec![(target, what, name)]);
    // Nothing is left to roll back to, so a failure stops it; and there is no use in going slowly.
    let delivery = Delivery {
        strategy: spec::Strategy::AllAtOnce,
        on_failure: spec::OnFailure::Stop,
        ..request.delivery.clone()
    };
    let mut nodes = Vec::new();
    roll(&mut nodes, places.collect(), BTreeSet::new(), request.recipe, &delivery, None)?;
    Ok(Graph::new(nodes)?)
}

type Target<'a> = Vec<(Address, &'a Deployable<'a>, String)>;

/// The targets, batch by batch: a batch begins when all of the one before it has been verified
fn roll(
    nodes: &mut Vec<PlanNode>,
    targets: Vec<Target<'_>>,
    mut after: BTreeSet<NodeId>,
    recipe: Recipe<'_>,
    delivery: &Delivery,
    frozen_by: Option<&DeliveryRequest<'_>>,
) -> Result<(), PlanError> {
    if targets.iter().all(Vec::is_empty) {
        return Err(PlanError::NoComponents);
    }
    let on_failure = match (delivery.max_failed, delivery.on_failure) {
        (1.., _) => OnFailure::Continue, // counted after each batch
        (0, spec::OnFailure::Rollback) => OnFailure::Rollback,
        (0, spec::OnFailure::Stop) => OnFailure::Fail,
    };
    let size = match delivery.strategy {
        spec::Strategy::AllAtOnce => targets.len(),
        spec::Strategy::Rolling => usize::try_from(delivery.batch_size).unwrap_or(usize::MAX),
    };
    let inputs = serde_json::Map::new();
    let context = frozen_by.map(|request| GateContext {
        environment: Some((request.environment, request.environment_spec)),
        policy: None,
        inputs: &inputs,
    });
    let laying = Laying { recipe, on_failure, gates: context.as_ref() };
    for (number, batch) in (1..).zip(targets.chunks(size.max(1))) {
        if let Some(request) = frozen_by.filter(|_| number > 1) {
            // A window that began, or ended, while an earlier batch ran holds this one.
            let laid = gates::between(request, number, after)?;
            after = laid.last;
            nodes.extend(laid.nodes);
        }
        let mut last = BTreeSet::new();
        for target in batch {
            last.extend(laying.target(nodes, target, &after, number)?);
        }
        if delivery.max_failed > 0 {
            let check = batch_check(number, last, delivery)?;
            last = BTreeSet::from([check.node_id.clone()]);
            nodes.push(check);
        }
        after = last;
    }
    Ok(())
}

/// How every target is laid
struct Laying<'a> {
    recipe: Recipe<'a>,
    on_failure: OnFailure,
    gates: Option<&'a GateContext<'a>>,
}

impl Laying<'_> {
    /// One target's components, one after the other; returns the nodes that the next batch waits for
    fn target(
        &self,
        nodes: &mut Vec<PlanNode>,
        target: &Target<'_>,
        after: &BTreeSet<NodeId>,
        batch: u32,
    ) -> Result<BTreeSet<NodeId>, PlanError> {
        let mut after = after.clone();
        for (target, what, suffix) in target {
            let place = Place { target, what, suffix };
            let laid = fragment::lay(&self.recipe, &place, &after, self.on_failure, self.gates)?;
            after = laid.last.into_iter().collect();
            nodes.extend(laid.nodes.into_iter().map(|node| PlanNode { batch: Some(batch), ..node }));
        }
        Ok(after)
    }
}

fn batch_check(number: u32, after: BTreeSet<NodeId>, delivery: &Delivery) -> Result<PlanNode, PlanError> {
    let id = format!("batch-{number}").parse()?;
    let title = format!("At most {} failed", delivery.max_failed);
    let mut check = PlanNode::new(id, NodeType::Verification, title, Executor::Decide);
    check.job_contract = Some(decided(BATCH_CHECK, json!({ "max_failed": delivery.max_failed })));
    check.depends_on = after;
    check.batch = Some(number);
    check.on_failure = match delivery.on_failure {
        spec::OnFailure::Rollback => OnFailure::Rollback,
        spec::OnFailure::Stop => OnFailure::Fail,
    };
    Ok(check)
}

/// The contract of what is decided inside a function
pub(super) fn decided(capability: &str, inputs: serde_json::Value) -> JobContract {
    JobContract {
        capability: capability.to_owned(),
        inputs: object(inputs),
        outputs: Vec::new(),
        timeout_s: DECISION_TIMEOUT_S,
        attempts: 5,
        backoff: crate::plan::Backoff::default(),
        idempotency: Idempotency::Natural,
        secrets: Vec::new(),
        deadline_s: None,
    }
}

fn suffix(target: &str, what: &Deployable<'_>, components: usize) -> String {
    match components {
        1 => target.to_owned(),
        _ => format!("{target}.{}", what.component.to_string().replacen("component.", "", 1)),
    }
}
