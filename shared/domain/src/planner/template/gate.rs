//! The gates of the environment that a scenario changes

use super::{Guarded, PlanError};
use crate::{
    definition::{
        address::Address,
        spec::{Policy, Template},
    },
    plan::{NodeId, NodeType, PlanNode},
    planner::{delivery::DeliveryRequest, fragment::Recipe, gates},
};
use std::collections::{BTreeMap, BTreeSet};

/// What they are called, so that a template may hold an `approval` of its own
const PREFIX: &str = "guard";

/// The environment's gates, as a delivery would meet them, and those of them that what comes next waits for
pub(super) fn guard(guarded: Guarded<'_>) -> Result<(Vec<PlanNode>, BTreeSet<NodeId>), PlanError> {
    let nothing = Template {
        version: 1,
        inputs: BTreeMap::new(),
        nodes: Vec::new(),
        outputs: BTreeMap::new(),
        editable_points: Vec::new(),
        pack: None,
    };
    let policies = guarded.policies.iter().map(|(address, policy): &(Address, Policy)| (address, policy));
    let request = DeliveryRequest {
        environment: guarded.environment,
        environment_spec: guarded.spec,
        policies: policies.collect(),
        targets: Vec::new(),
        components: Vec::new(),
        recipe: Recipe { template: &nothing, jobs: &BTreeMap::new(), sites: &[] },
    };
    let prefixed = |id: &NodeId| format!("{PREFIX}.{id}").parse::<NodeId>();
    let mut found = gates::before(&request)?;
    found.retain(|node| node.node_type == NodeType::Gate);
    for node in &mut found {
        node.node_id = prefixed(&node.node_id)?;
        node.depends_on = node.depends_on.iter().map(prefixed).collect::<Result<_, _>>()?;
    }
    let waited_for: BTreeSet<NodeId> = found.iter().flat_map(|node| node.depends_on.clone()).collect();
    let last = found.iter().map(|node| node.node_id.clone()).filter(|id| !waited_for.contains(id)).collect();
    Ok((found, last))
}
