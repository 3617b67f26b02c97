//! Work that nobody would be asked about: none of the plan's gates stands before it
//!
//! Planned by itself it would have met the gates of its environment. So where none stands, a patch takes away, changes
//! the order, gives other limits (attempts, times), adds what only looks, and brings nothing else.

use super::{
    PatchError, Reach,
    reach::Asked,
    work::{same_work, works},
};
use crate::{
    definition::address::{Address, Kind},
    gate::GateSpec,
    plan::{Graph, NodeType, PlanNode},
    planner::{VERIFY_HTTP, VERIFY_METRIC, VERIFY_TCP},
};
use std::collections::BTreeSet;

/// What stands behind gates, before a patch and after it
pub(super) struct Gated<'a> {
    before: &'a Graph,
    held_before: BTreeSet<u32>,
    held: BTreeSet<u32>,
    reach: &'a Reach<'a>,
}

impl<'a> Gated<'a> {
    pub fn new(before: &'a Graph, after: &Graph, reach: &'a Reach<'a>) -> Self {
        let gates = || reach.planned.nodes().iter().filter(|node| asks_for_all(node, reach));
        // A gate that a patch has added asks nobody but whom the patch says, unless it asks what a gate of the plan asks.
        let counts = |node: &PlanNode| {
            gates().any(|gate| gate.gate == node.gate && gate.on_failure == node.on_failure)
        };
        let held = |graph: &Graph| {
            let gates = graph.living().filter(|(_, node)| node.node_type == NodeType::Gate && counts(node));
            gates.flat_map(|(ordinal, _)| graph.downstream(ordinal)).collect()
        };
        Self { before, held_before: held(before), held: held(after), reach }
    }

    /// Refuses what `asked` brings, unless somebody is asked about it or nobody would have been
    pub fn may_bring(&self, asked: &Asked<'_>) -> Result<(), PatchError> {
        let Asked { ordinal, node } = *asked;
        let brings_nothing = node.node_type == NodeType::Gate && works(node).next().is_none();
        if brings_nothing || self.before.node(ordinal).is_some_and(|old| same_work(old, node)) {
            return Ok(());
        }
        let may = !self.reach.of_another
            && (self.held.contains(&ordinal)
                || only_looks(node)
                || self.is_done_ungated(node)
                || self.meets_no_gate(asked));
        if may { Ok(()) } else { Err(PatchError::Ungated { node: node.node_id.clone() }) }
    }

    /// Whether the plan has the same done, and nobody was asked about that either
    fn is_done_ungated(&self, node: &PlanNode) -> bool {
        let mut free = self.before.living().filter(|(ordinal, _)| !self.held_before.contains(ordinal));
        free.any(|(_, old)| same_work(old, node))
    }

    /// Whether it would not have met a gate however it was planned: it is done in no environment
    fn meets_no_gate(&self, asked: &Asked<'_>) -> bool {
        let is_provider = |place: String| place.parse().is_ok_and(|it: Address| it.kind() == Kind::Provider);
        self.reach.environment.is_none() && asked.places().all(is_provider)
    }
}

/// Whether the node is a verification by which nothing is done: a command of an agent is none
fn only_looks(node: &PlanNode) -> bool {
    let looks = |capability: &str| matches!(capability, VERIFY_HTTP | VERIFY_TCP | VERIFY_METRIC);
    node.node_type == NodeType::Verification
        && works(node).all(|work| !work.undoes && looks(&work.contract.capability))
}

/// Whether `gate`, which is one of the plan as it was made, shows that its environment was asked
///
/// A template may hold a gate of its own in a plan of low risk, which waits for none of its environment's. One that
/// waits for those waits for the freeze windows, too.
fn asks_for_all(gate: &PlanNode, reach: &Reach<'_>) -> bool {
    let looks_at = |environment: &Address| matches!(&gate.gate, Some(GateSpec::FreezeWindow(freeze)) if freeze.environment == *environment);
    gate.gate.is_some() && reach.environment.is_none_or(looks_at)
}
