//! How far a patch may reach: as far as the plan's own gates and queues hold, and no further
//!
//! A plan was made with the gates of one environment and joined the queues of what it uses alone. Work on anything
//! else would run without the gates and queues that stand there, so a patch may not ask for it.

use super::{Diff, PatchError};
use crate::{
    definition::{
        address::{Address, Kind},
        spec::{Provider, Target},
    },
    plan::{Executor, Graph, JobContract, NodeId, NodeType, PlanNode},
    planner::{DEPLOY_HOST, Performer, capability},
};
use serde_json::Value;
use std::collections::BTreeSet;

/// The inputs that name where something is done
const PLACES: &[&str] = &["target", "provider"];

/// What stands around an operation that is patched
#[derive(Debug, Clone, Copy)]
pub struct Reach<'a> {
    /// The environment that it changes
    pub environment: Option<&'a Address>,
    /// The resources that it has for itself
    pub exclusive: &'a BTreeSet<Address>,
    /// Every target
    pub targets: &'a [(Address, Target)],
    /// Every provider
    pub providers: &'a [(Address, Provider)],
}

/// A node whose work nobody has asked for before, and its contracts: its own, and that of what undoes it
struct Asked<'a> {
    node: &'a PlanNode,
    contracts: Vec<&'a JobContract>,
}

impl<'a> Asked<'a> {
    fn of(node: &'a PlanNode) -> Self {
        let undone = node.compensation.as_ref().map(|compensation| &compensation.job_contract);
        Self { node, contracts: node.job_contract.iter().chain(undone).collect() }
    }

    /// Where it is done, by any of the ways in which a node says that
    fn places(&self) -> impl Iterator<Item = String> + '_ {
        let undone = self.node.compensation.as_deref();
        let targets = self.node.target.iter().chain(undone.and_then(|it| it.target.as_ref()));
        let agents = [Some(&self.node.runs), undone.map(|it| &it.runs)].into_iter().flatten();
        let agents = agents.filter_map(|runs| match runs {
            Executor::Agent(target) => Some(target.to_string()),
            Executor::Decide | Executor::Job | Executor::Join => None,
        });
        let given = self.contracts.iter().flat_map(|contract| {
            let said = move |name: &&str| contract.inputs.get(*name);
            PLACES.iter().filter_map(said).map(|value| match value {
                Value::String(text) => text.clone(),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                    value.to_string()
                }
            })
        });
        targets.map(ToString::to_string).chain(agents).chain(given)
    }
}

/// The nodes that were not there, or were to do something else
fn asked<'a>(before: &'a Graph, after: &'a Graph, diff: &'a Diff) -> impl Iterator<Item = Asked<'a>> {
    let altered = move |ordinal: u32| diff.added.contains(&ordinal) || diff.changed.contains(&ordinal);
    let asks_anew = move |(ordinal, node): (u32, &'a PlanNode)| {
        let same = |old: &PlanNode| {
            (&old.job_contract, &old.compensation) == (&node.job_contract, &node.compensation)
        };
        (altered(ordinal) && !before.node(ordinal).is_some_and(same)).then(|| Asked::of(node))
    };
    after.numbered().filter_map(asks_anew)
}

/// Everything that the plan is done on already
fn known(graph: &Graph) -> BTreeSet<String> {
    graph.numbered().flat_map(|(_, node)| Asked::of(node).places().collect::<Vec<_>>()).collect()
}

/// Whether the patch names a place that the plan does not: only then does anybody have to know what stands there
pub fn reaches_out(before: &Graph, after: &Graph, diff: &Diff) -> bool {
    let known = known(before);
    asked(before, after, diff).any(|asked| asked.places().any(|place| !known.contains(&place)))
}

/// Refuses a patch that asks for what only planners ask for, for what nobody does, or for anything beyond `reach`
///
/// What a chain of patches comes to does not depend on it: it is asked once, when the patch is made.
pub fn within_reach(before: &Graph, after: &Graph, diff: &Diff, reach: &Reach<'_>) -> Result<(), PatchError> {
    let known = known(before);
    for asked in asked(before, after, diff) {
        may_be_asked(before, &asked)?;
        let node = &asked.node.node_id;
        asked
            .places()
            .filter(|place| !known.contains(place))
            .try_for_each(|place| stands_within(before, node, place, reach))?;
    }
    Ok(())
}

fn may_be_asked(before: &Graph, asked: &Asked<'_>) -> Result<(), PatchError> {
    let node = asked.node.node_id.clone();
    match asked.node.node_type {
        NodeType::SubOperation | NodeType::Change | NodeType::Evidence => {
            return Err(PatchError::Planned { node, what: asked.node.node_type.as_str().to_owned() });
        }
        // What a person does by hand is nobody's capability.
        NodeType::Intervention | NodeType::Job | NodeType::Verification | NodeType::Gate | NodeType::Join => {
        }
    }
    for contract in &asked.contracts {
        let (node, what) = (node.clone(), contract.capability.clone());
        match capability(&what).map(|known| known.by) {
            Some(Performer::Engine) => return Err(PatchError::Planned { node, what }),
            // It may be done once more, and nothing else may be put there: that was never promoted.
            Some(Performer::Agent) if what == DEPLOY_HOST && !is_planned(before, contract) => {
                return Err(PatchError::Planned { node, what });
            }
            Some(Performer::Agent | Performer::Job | Performer::Provider) => {}
            None if asked.node.node_type == NodeType::Intervention || asks_for(before, &what) => {}
            None => return Err(PatchError::NoCapability { node, capability: what }),
        }
    }
    Ok(())
}

fn contracts(graph: &Graph) -> impl Iterator<Item = &JobContract> {
    graph.numbered().flat_map(|(_, node)| Asked::of(node).contracts)
}

/// Whether the plan says the same of what is deployed where
fn is_planned(graph: &Graph, contract: &JobContract) -> bool {
    contracts(graph).any(|it| it.capability == contract.capability && it.inputs == contract.inputs)
}

fn asks_for(graph: &Graph, capability: &str) -> bool {
    contracts(graph).any(|it| it.capability == capability)
}

/// `place` is new to the plan: it has to be of an environment that the plan is about, and not in need of a queue
fn stands_within(before: &Graph, node: &NodeId, place: String, reach: &Reach<'_>) -> Result<(), PatchError> {
    let elsewhere = || PatchError::Elsewhere { node: node.clone(), place: place.clone() };
    let address: Address = place.parse().map_err(|_| elsewhere())?;
    let exclusive = if address.kind() == Kind::Provider {
        let provider = reach.providers.iter().find(|(known, _)| *known == address);
        provider.ok_or_else(elsewhere)?.1.exclusive
    } else {
        let target = reach.targets.iter().find(|(known, _)| *known == address);
        let (_, target) = target.ok_or_else(elsewhere)?;
        let environment = target.environment.address();
        if reach.environment != Some(environment) && !environments(before, reach).contains(environment) {
            return Err(elsewhere());
        }
        target.exclusive
    };
    if exclusive && !reach.exclusive.contains(&address) {
        return Err(PatchError::NotQueued { node: node.clone(), resource: address });
    }
    Ok(())
}

/// The environments of the targets that the plan is about
fn environments<'a>(before: &Graph, reach: &Reach<'a>) -> BTreeSet<&'a Address> {
    let known = known(before);
    let own = reach.targets.iter().filter(|(address, _)| known.contains(&address.to_string()));
    own.map(|(_, target)| target.environment.address()).collect()
}
