//! Nodes that are decided inside the function that finds them ready: gates, evidence, sub-operations
//!
//! Every decision reads what it is decided on, then completes the node. Asked again it decides the same or,
//! where it was pending, anew; so anyone may ask: the claimer, whoever closed a gate, the stream, reconcile.

use super::{Engine, work::Work};
use crate::{EngineError, evidence, gates, interventions, scenario};
use std::collections::BTreeSet;
use weir_domain::{
    engine::{LOOK_AGAIN, NodeRun, NodeUpdate, Operation, after_failure, after_last_failure},
    failure::FailureSummary,
    plan::{Graph, NodeStatus, NodeType, PlanNode},
    planner::NOT_UNDONE,
    time::Millis,
};
use weir_store::{Applied, NodeKey, Write};

/// What a decision came to
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decided {
    /// The node ends well
    Yes,
    /// The node ends badly
    No(FailureSummary),
    /// A person has decided, and this is how the node moves by that
    ByHand(Box<NodeUpdate>),
    /// Something outside has to happen first; look again at this time even if nobody hints at it
    Later(Millis),
}

/// Everything that a decision may be made on
pub(crate) struct Deciding<'a> {
    pub operation: &'a Operation,
    pub graph: &'a Graph,
    pub plan_node: &'a PlanNode,
    pub node: &'a NodeRun,
}

impl Deciding<'_> {
    /// Changes nothing, and is refused where the node has moved since it was looked at
    ///
    /// It belongs into the transaction that asks somebody: a node that has ended meanwhile asks nobody, and whoever ends
    /// it later finds what was asked.
    pub fn still(&self, now: Millis) -> Write {
        let NodeRun { status, attempt, wake, .. } = *self.node;
        let info = &self.operation.info;
        Write::Node {
            key: NodeKey::new(&info.scope, info.operation_id, self.node.ordinal),
            update: NodeUpdate::Snooze { seen: status, attempt, wake: wake.unwrap_or(now) },
        }
    }

    /// Why the node fails whose time is over
    pub fn too_late(&self) -> FailureSummary {
        let message = format!("nobody had ended `{}` when its time was over", self.plan_node.node_id);
        FailureSummary::new("deadline_passed", message)
    }
}

impl Engine {
    /// Decides a node that is ready or waits; where it goes on waiting, until when at most
    pub(super) async fn decide(
        &self,
        key: NodeKey,
        node: NodeRun,
        work: &mut Work,
    ) -> Result<Option<Millis>, EngineError> {
        let operation = self.operation(&key.scope, key.operation).await?;
        let graph = self.graph_of(&operation).await?;
        let missing = || EngineError::Inconsistent(format!("the plan has no node {}", key.ordinal));
        let plan_node = graph.node(key.ordinal).ok_or_else(missing)?;
        if node.waits_for_callback() {
            return self.waited_for_callback(key, &node, work).await;
        }
        let deciding = Deciding { operation: &operation, graph: &graph, plan_node, node: &node };
        let decided = match plan_node.node_type {
            NodeType::Intervention => {
                in_time(interventions::decide(self, &deciding).await?, &deciding, self.clock.now())
            }
            // Whatever it is: it has failed for good, and a person takes it by hand.
            NodeType::Job
            | NodeType::SubOperation
            | NodeType::Change
            | NodeType::Verification
            | NodeType::Gate
            | NodeType::Evidence
            | NodeType::Join
                if node.awaits_person() =>
            {
                interventions::decide(self, &deciding).await?
            }
            NodeType::Gate => gates::decide(self, &deciding).await?,
            NodeType::Evidence => evidence::decide(self, &deciding).await?,
            NodeType::Verification => match not_undone(plan_node) {
                Some(reason) => Decided::No(reason),
                None => self.within_budget(&deciding).await?,
            },
            NodeType::SubOperation => scenario::decide(self, &deciding).await?,
            NodeType::Job | NodeType::Change | NodeType::Join => {
                let message =
                    format!("`{}` cannot be decided inside a function", plan_node.node_type.as_str());
                Decided::No(FailureSummary::new("not_supported", message))
            }
        };
        let until = match &decided {
            Decided::Later(until) => Some(*until),
            Decided::Yes | Decided::No(_) | Decided::ByHand(_) => None,
        };
        if matches!(decided, Decided::No(_)) && plan_node.node_type == NodeType::Gate {
            self.look_beside(&key, &graph, work).await?;
        }
        self.carry_decision(key, &node, decided, work).await?;
        Ok(until)
    }

    /// A job that waits to be called back has not been in its time: another attempt, or the node's end
    async fn waited_for_callback(
        &self,
        key: NodeKey,
        node: &NodeRun,
        work: &mut Work,
    ) -> Result<Option<Millis>, EngineError> {
        let now = self.clock.now();
        let late = node.deadline.is_none_or(|deadline| deadline <= now);
        if !(late || node.cancel) {
            return Ok(node.deadline);
        }
        let error = if node.cancel {
            FailureSummary::cancelled()
        } else {
            FailureSummary::found("attempt_timed_out", "nobody called back within the attempt's time limit")
        };
        let result_id = format!("expire/{}", node.attempt);
        let update = after_failure(node, error, true, result_id, now, self.jitter(), None);
        // It may lead to a dispatch, and that to a decision: boxed, as it could be endless by its type.
        Box::pin(self.fail_attempt(key, &update, work)).await?;
        Ok(None)
    }

    /// Whether at most as many targets have failed, in the batches before this node, as it allows
    async fn within_budget(&self, d: &Deciding<'_>) -> Result<Decided, EngineError> {
        let allowed = d
            .plan_node
            .job_contract
            .as_ref()
            .and_then(|contract| contract.inputs.get("max_failed")?.as_u64());
        let before = d.graph.upstream(d.node.ordinal);
        let nodes = self.all_nodes(d.operation).await?;
        let failed =
            nodes.iter().filter(|node| before.contains(&node.ordinal) && node.status == NodeStatus::Failed);
        let targets: BTreeSet<String> = failed
            .filter_map(|node| {
                d.graph
                    .node(node.ordinal)?
                    .job_contract
                    .as_ref()?
                    .inputs
                    .get("target")
                    .map(ToString::to_string)
            })
            .collect();
        if u64::try_from(targets.len()).is_ok_and(|failed| failed <= allowed.unwrap_or(0)) {
            return Ok(Decided::Yes);
        }
        let message = format!("{} targets failed, and at most {} may", targets.len(), allowed.unwrap_or(0));
        Ok(Decided::No(FailureSummary::new("too_many_failed", message)))
    }

    /// A gate has said no: those beside it need not wait for anybody. A hint only: each finds it by itself
    async fn look_beside(&self, key: &NodeKey, graph: &Graph, work: &mut Work) -> Result<(), EngineError> {
        for ordinal in gates::beside(graph, key.ordinal) {
            let other = NodeKey::new(&key.scope, key.operation, ordinal);
            if let Some(node) = self.table.node_get(&other).await?
                && node.status == NodeStatus::Waiting
            {
                work.drive(other, node);
            }
        }
        Ok(())
    }

    async fn carry_decision(
        &self,
        key: NodeKey,
        node: &NodeRun,
        decided: Decided,
        work: &mut Work,
    ) -> Result<(), EngineError> {
        let (attempt, now) = (node.attempt, self.clock.now());
        let result_id = format!("decide/{attempt}");
        let update = match decided {
            Decided::Yes => {
                let (status, error) = (NodeStatus::Succeeded, None);
                NodeUpdate::Complete { attempt, status, result_id, now, error, lease_seen: None }
            }
            Decided::No(error) => after_last_failure(node, error, result_id, now, None),
            Decided::ByHand(update) => *update,
            // It waits already: nothing to write, or whoever looks would write for ever.
            Decided::Later(_) if node.status == NodeStatus::Waiting => return Ok(()),
            Decided::Later(wake) => NodeUpdate::Wait { attempt, now, wake: wake.min(now + LOOK_AGAIN) },
        };
        match self.update(&key, &update).await? {
            Applied::Done(after) if after.status.is_terminal() => work.ended(key, after),
            // Waiting: written, now look again, since what it waits for may have happened between the look and the
            // write (R1). Ready: a person has it tried once more, and it is due to be handed out.
            Applied::Done(after) if matches!(after.status, NodeStatus::Waiting | NodeStatus::Ready) => {
                work.drive(key, after);
            }
            Applied::Done(_) | Applied::Refused(_) => {}
        }
        Ok(())
    }
}

/// What a manual step comes to: what somebody has decided counts, whenever that is found; where nobody has and its time
/// is over, it fails
///
/// One that has failed waits for a person, and no longer for what it waited for then.
fn in_time(decided: Decided, d: &Deciding<'_>, now: Millis) -> Decided {
    match decided {
        Decided::Later(_) if d.node.error.is_none() && d.node.is_over(now) => Decided::No(d.too_late()),
        Decided::Yes | Decided::No(_) | Decided::ByHand(_) | Decided::Later(_) => decided,
    }
}

/// The failure of a node that stands where something cannot be undone
fn not_undone(plan_node: &PlanNode) -> Option<FailureSummary> {
    let contract = plan_node.job_contract.as_ref().filter(|contract| contract.capability == NOT_UNDONE)?;
    let reason = contract.inputs.get("reason")?.as_str()?;
    Some(FailureSummary::new("not_undone", reason))
}
