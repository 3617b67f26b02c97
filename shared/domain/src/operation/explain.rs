//! Why an operation is not further, and when it could be
//!
//! Pure: what a gate answers at a time comes in as a function, so that a new kind of gate is explained without a
//! change here.

use crate::{
    engine::{NodeRun, Operation},
    gate::{DecisionAction, Earliest, Gate, GateAnswer, GateDecision},
    id::OperationId,
    plan::{Graph, NodeId, NodeStatus, NodeType, PlanNode},
    time::{Millis, Time},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// From when on something that is asked at a time could go on
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opens {
    /// At this time, by itself
    At(Millis),
    /// As soon as somebody, or something, has done what it waits for: not before this time
    Somebody(Millis),
    /// It will not
    Never,
}

impl Opens {
    /// What `answer`, given for the time `at`, says of when its gate opens
    pub fn of(answer: &GateAnswer, at: Millis) -> Self {
        match answer.earliest {
            Earliest::Now {} => Self::At(at),
            Earliest::At { at: opens } => Self::At(at.max(opens.millis())),
            Earliest::Unknown {} => Self::Somebody(at),
            Earliest::Never {} => Self::Never,
        }
    }
}

/// What holds a whole operation, whatever its nodes wait for
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Held {
    /// Somebody asked that it ends: nothing further begins
    Ending {
        /// Who
        by: String,
    },
    /// Somebody paused it: what has been handed out goes on, and nothing further is until it is resumed
    Paused {
        /// Who
        by: String,
        /// Since when
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Time>,
    },
    /// Others use what it needs for itself alone: it begins when they have left it
    Queued {
        /// The operations right before it, one for each resource; those of other tenants are not named
        behind: Vec<OperationId>,
    },
    /// Its nodes are being put
    Beginning {},
}

/// What holds the operation as a whole, if it has not ended; `behind`: who has to leave what it needs for itself alone,
/// nameless where it belongs to another tenant
pub fn held(operation: &Operation, behind: &[Option<OperationId>]) -> Option<Held> {
    let by = |who: &Option<String>| who.clone().unwrap_or_else(|| "somebody".to_owned());
    if !operation.is_active() {
        None
    } else if operation.cancel {
        Some(Held::Ending { by: by(&operation.cancelled_by) })
    } else if operation.paused {
        let since = operation.paused_at.map(Into::into);
        Some(Held::Paused { by: by(&operation.paused_by), since })
    } else if !operation.materialised && !behind.is_empty() {
        Some(Held::Queued { behind: behind.iter().flatten().copied().collect() })
    } else if !operation.materialised {
        Some(Held::Beginning {})
    } else {
        None
    }
}

/// The earliest time at which the next piece of work could begin
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EarliestStart {
    /// The work
    pub node_id: NodeId,
    /// Not before this
    pub at: Time,
    /// Only after these have been decided or done by somebody or something: gates, manual steps, failed nodes, nodes
    /// whose operation waits for that
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<NodeId>,
    /// Only after work that is under way now has ended, and nobody knows when that will be
    #[serde(default)]
    pub after_running: bool,
    /// Only after what holds the operation as a whole: it is resumed, or others have left what it needs for itself alone
    #[serde(default)]
    pub after_held: bool,
    /// Only after an agent is online that serves its target and can do it
    #[serde(default)]
    pub after_agent: bool,
}

/// From when on a node could run, and on what that depends
#[derive(Debug, Clone, PartialEq, Eq)]
struct From {
    at: Millis,
    after: BTreeSet<u32>,
    running: bool,
    unserved: bool,
}

/// When each node could have ended; none where it never does
type Ends = BTreeMap<u32, Option<From>>;

/// The earliest time at which the next piece of work could begin; none where nothing is left that could
///
/// Computed forward over the plan: what waits for people is taken to be done at once, a gate that opens by itself at
/// the first time from which on it does, and work that runs to end now. `opens` is asked for gates and for nodes whose
/// operation is under way. So it is a lower bound, and `after` and
/// `after_running` say on what it rests. What holds the operation as a whole, and a target that no agent serves now, end
/// at once, too, and are said; of one that is to end nothing further begins.
pub fn earliest_start(
    graph: &Graph,
    nodes: &BTreeMap<u32, &NodeRun>,
    held: Option<&Held>,
    opens: impl Fn(u32, Millis) -> Opens,
    is_served: impl Fn(&PlanNode) -> bool,
    now: Millis,
) -> Option<EarliestStart> {
    let after_held = match held {
        Some(Held::Ending { .. }) => return None,
        Some(Held::Paused { .. } | Held::Queued { .. }) => true,
        Some(Held::Beginning {}) | None => false,
    };
    let (_, best) = forward(graph, nodes, opens, is_served, now);
    let (from, ordinal) = best?;
    let name = |ordinal: &u32| graph.node(*ordinal).map(|node| node.node_id.clone());
    Some(EarliestStart {
        node_id: name(&ordinal)?,
        at: from.at.into(),
        after: from.after.iter().filter_map(name).collect(),
        after_running: from.running,
        after_held,
        after_agent: from.unserved,
    })
}

/// The earliest time at which the whole operation could have ended well, by the same reckoning: work takes no time
pub fn earliest_end(
    graph: &Graph,
    nodes: &BTreeMap<u32, &NodeRun>,
    held: Option<&Held>,
    opens: impl Fn(u32, Millis) -> Opens,
    is_served: impl Fn(&PlanNode) -> bool,
    now: Millis,
) -> Opens {
    let is_held = match held {
        Some(Held::Ending { .. }) => return Opens::Never,
        Some(Held::Paused { .. } | Held::Queued { .. }) => true,
        Some(Held::Beginning {}) | None => false,
    };
    let (ends, _) = forward(graph, nodes, opens, is_served, now);
    let all: BTreeSet<u32> = graph.living().map(|(ordinal, _)| ordinal).collect();
    match begins(&all, &ends, now) {
        Some(end) if is_held || end.unserved || !end.after.is_empty() => Opens::Somebody(end.at),
        Some(end) => Opens::At(end.at),
        None => Opens::Never,
    }
}

/// When each node could have ended, and the work that could begin first
fn forward(
    graph: &Graph,
    nodes: &BTreeMap<u32, &NodeRun>,
    opens: impl Fn(u32, Millis) -> Opens,
    is_served: impl Fn(&PlanNode) -> bool,
    now: Millis,
) -> (Ends, Option<(From, u32)>) {
    let mut ends = Ends::new();
    let mut best: Option<(From, u32)> = None;
    for ordinal in graph.in_order() {
        let Some(plan_node) = graph.node(ordinal) else { continue };
        let run = nodes.get(&ordinal).copied();
        let begins = begins(graph.dependencies(ordinal), &ends, now);
        let ended = run.filter(|run| run.status.is_terminal());
        let end = match (ended, begins) {
            (Some(run), _) => run.is_satisfying().then(|| From::now(now)),
            (None, None) => None,
            (None, Some(begins)) => {
                let begins = held_back(begins, run);
                let is_next = is_work_to_begin(plan_node, run);
                let unserved = begins.unserved || (is_next && !is_served(plan_node));
                let begins = From { unserved, ..begins };
                if is_next && best.as_ref().is_none_or(|(best, _)| begins.is_before(best)) {
                    best = Some((begins.clone(), ordinal));
                }
                passed(begins, ordinal, plan_node, run, &opens)
            }
        };
        ends.insert(ordinal, end);
    }
    (ends, best)
}

impl From {
    fn now(now: Millis) -> Self {
        Self { at: now, after: BTreeSet::new(), running: false, unserved: false }
    }

    /// Earlier, or as early and depending on less
    fn is_before(&self, other: &Self) -> bool {
        let order = |it: &Self| (it.at, it.unserved, it.after.len(), it.running);
        order(self) < order(other)
    }
}

/// When everything that a node waits for could have ended; none where something of it never does
fn begins(dependencies: &BTreeSet<u32>, ends: &Ends, now: Millis) -> Option<From> {
    let mut from = From::now(now);
    for dependency in dependencies {
        let end = ends.get(dependency).and_then(Option::as_ref)?;
        from.at = from.at.max(end.at);
        from.running |= end.running;
        from.unserved |= end.unserved;
        from.after.extend(&end.after);
    }
    Some(from)
}

/// An attempt that has been handed out waits for its backoff
fn held_back(mut from: From, run: Option<&NodeRun>) -> From {
    let not_before = run.filter(|run| run.status == NodeStatus::Ready).and_then(|run| run.not_before);
    from.at = not_before.map_or(from.at, |at| at.max(from.at));
    from
}

/// Whether the node does something, and nobody has begun with it
fn is_work_to_begin(plan_node: &PlanNode, run: Option<&NodeRun>) -> bool {
    let works = match plan_node.node_type {
        NodeType::Job | NodeType::Verification | NodeType::SubOperation | NodeType::Change => true,
        NodeType::Gate | NodeType::Intervention | NodeType::Evidence | NodeType::Join => false,
    };
    works && run.is_none_or(|run| matches!(run.status, NodeStatus::Pending | NodeStatus::Ready))
}

/// When a node that begins then could have ended
fn passed(
    mut from: From,
    ordinal: u32,
    plan_node: &PlanNode,
    run: Option<&NodeRun>,
    opens: impl Fn(u32, Millis) -> Opens,
) -> Option<From> {
    if run.is_some_and(NodeRun::awaits_person) || plan_node.node_type == NodeType::Intervention {
        from.after.insert(ordinal);
        return Some(from);
    }
    let runs_operation = run.is_some_and(NodeRun::runs_operation);
    if plan_node.node_type == NodeType::Gate || runs_operation {
        match opens(ordinal, from.at) {
            Opens::At(at) => from.at = from.at.max(at),
            Opens::Somebody(at) => {
                from.at = from.at.max(at);
                from.after.insert(ordinal);
            }
            Opens::Never => return None,
        }
    }
    let is_under_way = run.is_some_and(|run| matches!(run.status, NodeStatus::Running | NodeStatus::Waiting));
    from.running |= is_under_way && plan_node.node_type != NodeType::Gate;
    Some(from)
}

/// What has been said at a gate so far, one line for each person
pub fn said(gate: &Gate) -> Vec<String> {
    let line = |decision: &GateDecision| {
        let did = match decision.action {
            DecisionAction::Approved => "approved",
            DecisionAction::Rejected => "rejected",
        };
        format!("{} {did} at {}", decision.actor.id, decision.at)
    };
    gate.decisions.iter().map(line).collect()
}

/// Who may not decide at a gate, and why, one line for each
pub fn excluded(gate: &Gate) -> Vec<String> {
    let requester = gate.requested_by.person();
    let sod = gate.spec.people().is_some_and(|people| people.require_sod);
    let asked = sod.then(|| format!("{requester}: asked for it; nor may an agent that acts for {requester}"));
    let decided: BTreeSet<&str> = gate.decisions.iter().map(|decision| decision.actor.person()).collect();
    let decided = decided.into_iter().map(|person| format!("{person}: has decided"));
    asked.into_iter().chain(decided).collect()
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
