//! How far a patch may reach: as far as the plan's own gates and queues hold, and no further
//!
//! A plan was made with the gates of one environment and joined the queues of what it uses alone. Work on anything
//! else would run without the gates and queues that stand there, so a patch may not ask for it.

use super::{
    Diff, PatchError,
    gated::Gated,
    secrets::may_be_told,
    work::{Work, works},
};
use crate::{
    definition::{
        address::{Address, Kind},
        spec::{Provider, Target},
    },
    plan::{Executor, Graph, JobContract, NodeId, NodeType, PlanNode},
    planner::{DEPLOY_HOST, Performer, VERIFY_COMMAND, VERIFY_HTTP, VERIFY_METRIC, VERIFY_TCP, capability},
};
use serde_json::Value;
use std::collections::BTreeSet;

/// The inputs that name where something is done
pub(crate) const PLACES: &[&str] = &["target", "provider"];

/// What looks at something and changes nothing
const LOOKS: [&str; 4] = [VERIFY_HTTP, VERIFY_TCP, VERIFY_METRIC, VERIFY_COMMAND];

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
    /// Whether another operation runs it, or it takes another one back: it meets no gates of its own
    pub of_another: bool,
    /// Its plan as it was made, before any patch; where it does another one again, the plan of the first of them
    pub planned: &'a Graph,
}

/// A node whose work nobody has asked for before
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub ordinal: u32,
    pub node: &'a PlanNode,
}

impl<'a> Asked<'a> {
    /// Where it is done and undone, by any of the ways in which a node says that
    pub fn places(self) -> impl Iterator<Item = String> + 'a {
        // A node may be about a target without asking anybody for anything.
        let own = self.node.target.iter().map(ToString::to_string);
        let agent = |runs: &Executor| match runs {
            Executor::Agent(target) => Some(target.to_string()),
            Executor::Decide | Executor::Job | Executor::Join => None,
        };
        let given = |contract: &'a JobContract| {
            let said = |name: &&str| contract.inputs.get(*name);
            PLACES.iter().filter_map(said).map(|value| match value {
                Value::String(text) => text.clone(),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                    value.to_string()
                }
            })
        };
        let asked = works(self.node).flat_map(move |work| {
            let target = work.target.map(ToString::to_string);
            target.into_iter().chain(agent(work.runs)).chain(given(work.contract))
        });
        own.chain(agent(&self.node.runs)).chain(asked)
    }
}

/// The nodes that were not there, or were to do something else
fn asked<'a>(before: &'a Graph, after: &'a Graph, diff: &'a Diff) -> impl Iterator<Item = Asked<'a>> {
    let altered = move |ordinal: u32| diff.added.contains(&ordinal) || diff.changed.contains(&ordinal);
    let asks_anew = move |(ordinal, node): (u32, &'a PlanNode)| {
        let same = |old: &PlanNode| {
            (&old.job_contract, &old.compensation) == (&node.job_contract, &node.compensation)
        };
        (altered(ordinal) && !before.node(ordinal).is_some_and(same)).then_some(Asked { ordinal, node })
    };
    after.numbered().filter_map(asks_anew)
}

/// Everything that the plan is done on already
fn known(graph: &Graph) -> BTreeSet<String> {
    graph.numbered().flat_map(|(ordinal, node)| Asked { ordinal, node }.places()).collect()
}

/// Whether the patch names a place that the plan does not: only then does anybody have to know what stands there
pub fn reaches_out(before: &Graph, after: &Graph, diff: &Diff) -> bool {
    let known = known(before);
    asked(before, after, diff).any(|asked| asked.places().any(|place| !known.contains(&place)))
}

/// Refuses a patch that asks for what only planners ask for, for what nobody does, for anything beyond `reach`, or for
/// what nobody is asked about
///
/// What a chain of patches comes to does not depend on it: it is asked once, when the patch is made.
pub fn within_reach(before: &Graph, after: &Graph, diff: &Diff, reach: &Reach<'_>) -> Result<(), PatchError> {
    let (known, gated) = (known(before), Gated::new(before, after, reach));
    for asked in asked(before, after, diff) {
        may_be_asked(before, &asked)?;
        let node = &asked.node.node_id;
        asked
            .places()
            .filter(|place| !known.contains(place))
            .try_for_each(|place| stands_within(before, node, place, reach))?;
        works(asked.node).try_for_each(|work| may_be_told(before, node, &work))?;
        gated.may_bring(&asked)?;
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
    for work in works(asked.node) {
        let (node, what) = (node.clone(), work.contract.capability.clone());
        match capability(&what).map(|known| known.by) {
            Some(Performer::Engine) => return Err(PatchError::Planned { node, what }),
            // It may be done once more, and nothing else may be put there: that was never promoted.
            Some(Performer::Agent) if what == DEPLOY_HOST && !is_planned(before, &work) => {
                return Err(PatchError::Planned { node, what });
            }
            Some(Performer::Agent | Performer::Job | Performer::Provider) => {}
            None if asked.node.node_type == NodeType::Intervention || asks_for(before, &what) => {}
            None => return Err(PatchError::NoCapability { node, capability: what }),
        }
        let is_check = asked.node.node_type == NodeType::Verification && !work.undoes;
        if is_check && !may_check(before, &work) {
            let capability = work.contract.capability.clone();
            return Err(PatchError::Acts { node: asked.node.node_id.clone(), capability });
        }
    }
    Ok(())
}

fn planned(graph: &Graph) -> impl Iterator<Item = Work<'_>> {
    graph.numbered().flat_map(|(_, node)| works(node))
}

/// Whether the plan has the same deployed to the same target by its agent
fn is_planned(graph: &Graph, work: &Work<'_>) -> bool {
    let same = |it: &Work<'_>| {
        (it.runs, it.target) == (work.runs, work.target)
            && it.contract.capability == work.contract.capability
            && it.contract.inputs == work.contract.inputs
    };
    planned(graph).any(|it| same(&it))
}

fn asks_for(graph: &Graph, capability: &str) -> bool {
    planned(graph).any(|it| it.contract.capability == capability)
}

/// Whether a verification may ask for it: it looks, or one that was planned asks for it. Gates do not hold
/// verifications as they hold work
fn may_check(graph: &Graph, work: &Work<'_>) -> bool {
    let capability = work.contract.capability.as_str();
    let planned = |node: &PlanNode| {
        node.node_type == NodeType::Verification
            && node.job_contract.as_ref().is_some_and(|it| it.capability == capability)
    };
    LOOKS.contains(&capability) || graph.nodes().iter().any(planned)
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
