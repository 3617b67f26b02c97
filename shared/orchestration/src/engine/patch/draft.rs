//! A patch as it would be, on the operation as it was just read

use super::{PatchFailure, PatchWish};
use crate::{
    Engine, EngineError, delivery::Origin, engine::begin::node_run, gates::gate_id, records::record,
};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use weir_domain::{
    canonical::{Digest, NotCanonical},
    engine::{
        Effective, NodePatch, NodeRun, NodeUpdate, Operation, OperationUpdate, PatchOn, TODO_PATIENCE, Terms,
        patch_moves,
    },
    gate::{Gate, GateStatus, closure_hash, rebound},
    id::PatchId,
    plan::{
        Graph, NodeId, NodeStatus, NodeType, PatchError, PlanNode, PlanPatch,
        graph::SEGMENT_MAX,
        patch::{Diff, NewPatch, PatchRecord, TOUCHED_MAX, apply, diff, reasked},
    },
    timeline::TimelineKind,
};
use weir_store::{Entity as _, Key, NodeKey, Write};

/// A patch that can be carried out
pub(super) struct Draft {
    /// The graph with the patch
    pub graph: Graph,
    /// Its new nodes
    pub added: BTreeSet<u32>,
    /// The patch as it is kept, and where
    pub bytes: (Digest, Vec<u8>),
    /// What is listed of it
    pub record: PatchRecord,
    /// The transaction
    pub writes: Vec<Write>,
}

/// What came of drafting
pub(super) enum Drafted {
    /// A patch
    Patch(Box<Draft>),
    /// This node is between two of its writes: drive it and look again
    Moving(u32),
}

/// The operation as it was read: first itself, then its nodes, then its gates
struct Seen<'a> {
    operation: &'a Operation,
    graph: &'a Graph,
    runs: BTreeMap<u32, NodeRun>,
    gates: BTreeMap<u32, (Gate, u64)>,
}

/// What the patch does to gates
#[derive(Default)]
struct Voids {
    /// Gates that ask about something else now
    rebound: Vec<(u64, Gate)>,
    /// Gates that have not begun to ask, and must not begin before the patch is there
    held: BTreeSet<u32>,
    /// The gates whose approvals do not count any more
    voided: BTreeSet<NodeId>,
}

fn unhashable(error: NotCanonical) -> EngineError {
    EngineError::Inconsistent(error.to_string())
}

impl Engine {
    /// The patch that `wish` comes to on the operation as it is now
    pub(super) async fn draft(
        &self,
        operation: &Operation,
        patch_id: PatchId,
        origin: &Origin,
        wish: PatchWish<'_>,
    ) -> Result<Drafted, PatchFailure> {
        let graph = self.graph_of(operation).await?;
        let seen = self.seen(operation, &graph).await?;
        let sequence = operation.patch_seq + 1;
        let next = operation.info.segments + operation.reserved;
        let first = apply(&graph, wish.changes, sequence, next)?;
        let changes = reasked(&graph, &first, wish.changes, &seen.passed(), sequence)?;
        // Everything is refused that can be before a number is reserved for it.
        let trial = apply(&graph, &changes, sequence, next)?;
        let altered = diff(&graph, &trial);
        self.reaches(operation, (&graph, &trial), &altered).await?;
        seen.moves(&trial, &altered, sequence, self.clock.now())?;
        let segments = u32::try_from(changes.added.len().div_ceil(SEGMENT_MAX)).unwrap_or(u32::MAX);
        let segment = match segments {
            0 => next,
            count => match self.reserve(operation, count).await? {
                Some(segment) => segment,
                None => return Err(PatchFailure::NotNow(operation.info.operation_id)),
            },
        };
        let patch = PlanPatch::new(NewPatch {
            plan_id: operation.info.plan_id,
            operation_id: operation.info.operation_id,
            sequence,
            actor: wish.actor.clone(),
            reason: wish.reason.to_owned(),
            base_hash: operation.graph_hash().clone(),
            segment,
            changes,
            created_at: origin.now.into(),
        })
        .map_err(unhashable)?;
        let after = apply(&graph, &patch.changes, sequence, segment)?;
        let diff = diff(&graph, &after);
        let voids = match seen.voids(&after).map_err(unhashable)? {
            Ok(voids) => voids,
            Err(ordinal) => return Ok(Drafted::Moving(ordinal)),
        };
        let record = seen.record(&patch, patch_id, &after, &diff, &voids);
        let writes = self.writes(&seen, &after, &diff, &voids, &record, origin)?;
        let bytes = serde_json::to_vec(&patch).map_err(|e| EngineError::Inconsistent(e.to_string()))?;
        let bytes = (patch.effective_hash, bytes);
        Ok(Drafted::Patch(Box::new(Draft { graph: after, added: diff.added, bytes, record, writes })))
    }

    async fn seen<'a>(&self, operation: &'a Operation, graph: &'a Graph) -> Result<Seen<'a>, EngineError> {
        let runs = self.all_nodes(operation).await?.into_iter().map(|run| (run.ordinal, run));
        let runs: BTreeMap<u32, NodeRun> = runs.collect();
        let (info, mut gates) = (&operation.info, BTreeMap::new());
        let asked =
            runs.values().filter(|run| run.terms.kind == NodeType::Gate && run.status != NodeStatus::Pending);
        for run in asked {
            let key = Key::entity(&info.scope, Gate::KIND, gate_id(info.operation_id, run.ordinal));
            gates.extend(self.table.read::<Gate>(&key).await?.map(|gate| (run.ordinal, gate)));
        }
        Ok(Seen { operation, graph, runs, gates })
    }

    fn writes(
        &self,
        seen: &Seen<'_>,
        after: &Graph,
        diff: &Diff,
        voids: &Voids,
        record_of: &PatchRecord,
        origin: &Origin,
    ) -> Result<Vec<Write>, PatchFailure> {
        let (info, now) = (&seen.operation.info, self.clock.now());
        let mut moves = seen.moves(after, diff, record_of.sequence, now)?;
        let held = seen.held(after, diff, voids);
        // Of a node that others wait for, a patch asks only that it has not ended; of a gate that is held, more.
        moves.retain(|(ordinal, _)| held.iter().all(|(gate, _)| gate != ordinal));
        moves.extend(held);
        let found = moves.len() + voids.rebound.len();
        if found > TOUCHED_MAX {
            return Err(PatchError::TooManyTouched { found }.into());
        }
        let open: BTreeSet<u32> =
            after.segments().iter().filter(|it| it.patch == record_of.sequence).map(|it| it.index).collect();
        let known = seen.operation.effective.iter().flat_map(|effective| &effective.segments);
        let effective = Effective {
            graph_hash: record_of.effective_hash.clone(),
            nodes: u32::try_from(after.len()).unwrap_or(u32::MAX),
            segments: known.chain(&open).copied().collect(),
        };
        let update = OperationUpdate::Patch {
            seen: record_of.sequence - 1,
            effective,
            open,
            wake: now + TODO_PATIENCE,
        };
        let (scope, operation) = (info.scope.clone(), info.operation_id);
        let actor = &record_of.actor;
        let message = format!("{} changed the plan: {}", actor.id, record_of.reason);
        let metadata = json!({
            "sequence": record_of.sequence, "reason": record_of.reason, "base_hash": record_of.base_hash,
            "effective_hash": record_of.effective_hash, "added": record_of.added, "removed": record_of.removed,
            "rewired": record_of.rewired, "changed": record_of.changed, "voided": record_of.voided,
        });
        let subject = ("operation", operation.to_string());
        let mut writes = vec![
            Write::Operation { scope, operation, update },
            Write::Create(record(&info.scope, record_of)?),
            self.event(seen.operation, TimelineKind::PlanPatched, message, Some(actor))?,
            self.audit(&info.scope, actor, "operation.patch", subject, metadata, origin.request_id)?,
        ];
        for (ordinal, update) in moves {
            writes.push(Write::Node { key: NodeKey::new(&info.scope, operation, ordinal), update });
        }
        for (expected, gate) in &voids.rebound {
            writes.push(Write::Replace { expected: *expected, record: record(&info.scope, gate)? });
        }
        Ok(writes)
    }
}

impl Seen<'_> {
    /// The gates that people have opened and that have ended
    fn passed(&self) -> BTreeSet<u32> {
        let passed =
            |ordinal: &&u32| self.runs.get(ordinal).is_some_and(|run| run.status == NodeStatus::Succeeded);
        let said = self.gates.iter().filter(|(_, (gate, _))| !gate.decisions.is_empty());
        said.map(|(ordinal, _)| ordinal).filter(passed).copied().collect()
    }

    fn moves(
        &self,
        after: &Graph,
        diff: &Diff,
        sequence: u32,
        now: weir_domain::time::Millis,
    ) -> Result<Vec<(u32, NodeUpdate)>, PatchError> {
        let on = PatchOn { before: self.graph, after, diff, runs: &self.runs };
        let terms: BTreeMap<u32, Terms> = after
            .seeds()
            .filter(|seed| diff.changed.contains(&seed.ordinal))
            .map(|seed| (seed.ordinal, node_run(&seed).terms))
            .collect();
        patch_moves(on, sequence, |ordinal| terms.get(&ordinal).cloned(), now)
    }

    /// What the patch does to the gates whose closure it changes, or the gate that cannot be judged just now
    fn voids(&self, after: &Graph) -> Result<Result<Voids, u32>, NotCanonical> {
        let mut voids = Voids::default();
        for (ordinal, node) in self.graph.living().filter(|(_, node)| node.node_type == NodeType::Gate) {
            let Some(run) = self.runs.get(&ordinal) else { continue };
            let changed = closure_hash(self.graph, ordinal)? != closure_hash(after, ordinal)?;
            if !changed {
                continue;
            }
            match (run.status, self.gates.get(&ordinal)) {
                (NodeStatus::Pending, _) => drop(voids.held.insert(ordinal)),
                (NodeStatus::Waiting, Some((gate, version))) if gate.status == GateStatus::Open => {
                    if !gate.decisions.is_empty() {
                        voids.voided.insert(node.node_id.clone());
                    }
                    let hash = closure_hash(after, ordinal)?;
                    voids.rebound.push((*version, rebound(gate.clone(), hash)));
                }
                // Claimed and not opened yet, or decided and not ended yet: a moment.
                (NodeStatus::Ready | NodeStatus::Running, _) | (NodeStatus::Waiting, Some(_)) => {
                    return Ok(Err(ordinal));
                }
                // It asks nobody.
                (NodeStatus::Waiting, None) => {}
                (NodeStatus::Succeeded | NodeStatus::Failed | NodeStatus::Skipped, _) => {
                    // Nothing may be left to ask about anew: a leaf that is gone is a change of what was agreed to.
                    if self.passed().contains(&ordinal) {
                        voids.voided.insert(node.node_id.clone());
                    }
                }
            }
        }
        Ok(Ok(voids))
    }

    /// Holds the gates that have not begun to ask, unless the patch changes them anyway: what they ask about is read after
    /// they are claimed, and must be the patched plan
    fn held(&self, after: &Graph, diff: &Diff, voids: &Voids) -> Vec<(u32, NodeUpdate)> {
        let written: BTreeSet<u32> = diff.changed.union(&diff.removed).copied().collect();
        let runs = voids.held.difference(&written).filter_map(|ordinal| self.runs.get(ordinal));
        let hold = |run: &NodeRun| NodePatch::Rewire {
            seen: run.unmet.clone(),
            unmet: run.unmet.clone(),
            out: after.dependents(run.ordinal).clone(),
            terms: None,
        };
        runs.map(|run| (run.ordinal, NodeUpdate::Patch(hold(run)))).collect()
    }

    fn record(
        &self,
        patch: &PlanPatch,
        patch_id: PatchId,
        after: &Graph,
        diff: &Diff,
        voids: &Voids,
    ) -> PatchRecord {
        let names = |ordinals: &BTreeSet<u32>| {
            ordinals.iter().filter_map(|ordinal| Some(after.node(*ordinal)?.node_id.clone())).collect()
        };
        // One node may be both.
        let differs = |is_so: fn(&PlanNode, &PlanNode) -> bool| {
            let pairs = diff
                .changed
                .iter()
                .filter_map(|ordinal| Some((*ordinal, self.graph.node(*ordinal)?, after.node(*ordinal)?)));
            names(&pairs.filter(|(_, old, new)| is_so(old, new)).map(|(ordinal, ..)| ordinal).collect())
        };
        let rewired = differs(|old, new| old.depends_on != new.depends_on);
        let changed =
            differs(|old, new| PlanNode { depends_on: new.depends_on.clone(), ..old.clone() } != *new);
        PatchRecord {
            patch_id,
            operation_id: patch.operation_id,
            plan_id: patch.plan_id,
            sequence: patch.sequence,
            actor: patch.actor.clone(),
            reason: patch.reason.clone(),
            base_hash: patch.base_hash.clone(),
            effective_hash: patch.effective_hash.clone(),
            added: names(&diff.added),
            removed: names(&diff.removed),
            rewired,
            changed,
            voided: voids.voided.iter().cloned().collect(),
            created_at: patch.created_at,
        }
    }
}
