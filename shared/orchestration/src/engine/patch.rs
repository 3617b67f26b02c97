//! Patches: what is appended to a plan while it runs
//!
//! New nodes are put first, guarded: they are no part of the operation. One transaction on `patch_seq` then makes
//! them one, with every edge to a node that was there and every gate whose approvals it voids. What follows from it
//! (admit, start, drive) is named in `todo` and may be done by anyone. A crash before the transaction leaves
//! guarded nodes that nobody ever looks at; one after it leaves `todo`.

mod draft;
mod reach;

use super::{
    Engine, PARALLEL,
    begin::{node_run, segment_input},
};
use crate::{EngineError, delivery::Origin};
use draft::Drafted;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use std::{collections::BTreeSet, sync::Arc};
use weir_domain::{
    actor::Actor,
    canonical::Digest,
    engine::{NodePatch, NodeRun, NodeUpdate, Operation, OperationUpdate, TODO_PATCH},
    id::{Id as _, OperationId, PatchId},
    plan::{
        Graph, PatchChanges, PatchError,
        patch::{PATCHES_MAX, PatchRecord, REASON_MAX, diff},
    },
    scope::Scope,
};
use weir_store::{Applied, Entity as _, Key, NodeKey, Query};

/// How often a patch that met a node in motion is made again on the operation as it is then
const TRIES: u32 = 8;

/// What somebody wants to change, and why
#[derive(Debug, Clone, Copy)]
pub struct PatchWish<'a> {
    /// Who
    pub actor: &'a Actor,
    /// Why, in their words
    pub reason: &'a str,
    /// What
    pub changes: &'a PatchChanges,
}

/// Why a patch was not made
#[derive(Debug, thiserror::Error)]
pub enum PatchFailure {
    /// There is no such operation in this scope
    #[error("there is no operation `{0}`")]
    NotFound(OperationId),
    /// It has ended, is being cancelled, or has not begun
    #[error("operation `{0}` cannot be patched: it has ended, is being cancelled, or has not begun")]
    NotNow(OperationId),
    /// What it would touch moved again and again while it was made
    #[error("the nodes that the patch touches move all the time: try again")]
    Busy,
    /// A rule refused it
    #[error(transparent)]
    Refused(#[from] PatchError),
    /// It could not be carried out
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl Engine {
    /// Appends a patch to what the operation runs. The same request again meets the patch that it made
    pub async fn patch(
        &self,
        scope: &Scope,
        id: OperationId,
        origin: &Origin,
        wish: PatchWish<'_>,
    ) -> Result<PatchRecord, PatchFailure> {
        let found = wish.reason.chars().count();
        if found == 0 || found > REASON_MAX {
            return Err(PatchError::Reason { found }.into());
        }
        let patch_id = PatchId::derived(origin.now.0, &origin.seed);
        for _ in 0..TRIES {
            let operation = self.table.operation_get(scope, id).await.map_err(EngineError::from)?;
            let operation = operation.ok_or(PatchFailure::NotFound(id))?;
            let made = self.patches(&operation).await?.into_iter().find(|made| made.patch_id == patch_id);
            if let Some(made) = made {
                self.patch_steps(&operation, made.sequence).await?;
                return Ok(made);
            }
            if !operation.is_active() || operation.cancel || !operation.materialised {
                return Err(PatchFailure::NotNow(id));
            }
            if operation.patch_seq >= PATCHES_MAX {
                return Err(PatchError::TooManyPatches.into());
            }
            match self.draft(&operation, patch_id, origin, wish).await? {
                Drafted::Patch(draft) => {
                    self.append(&operation, &draft.graph, &draft.added, &draft.bytes).await?;
                    if self.commit(&draft.writes).await? {
                        self.patch_steps(&self.operation(scope, id).await?, draft.record.sequence).await?;
                        return Ok(draft.record);
                    }
                }
                // It stands between two writes of somebody who may have died there.
                Drafted::Moving(ordinal) => self.drive_node(&NodeKey::new(scope, id, ordinal)).await?,
            }
        }
        Err(PatchFailure::Busy)
    }

    /// The patches of the operation, the first one first
    pub async fn patches(&self, operation: &Operation) -> Result<Vec<PatchRecord>, EngineError> {
        if operation.patch_seq == 0 {
            return Ok(Vec::new());
        }
        let info = &operation.info;
        let pk = Key::operation_partition(&info.scope, info.operation_id);
        let query = Query::Partition { pk, prefix: format!("{}#", PatchRecord::KIND) };
        let most = usize::try_from(PATCHES_MAX).unwrap_or(usize::MAX);
        let (mut patches, _) = self.table.list::<PatchRecord>(&query, None, most).await?;
        patches.sort_by_key(|patch| patch.sequence);
        Ok(patches)
    }

    /// Keeps the patch where its hash says and puts its nodes, guarded; both before anything refers to them
    async fn append(
        &self,
        operation: &Operation,
        graph: &Graph,
        added: &BTreeSet<u32>,
        (hash, bytes): &(Digest, Vec<u8>),
    ) -> Result<(), EngineError> {
        self.ledger.plan_put(hash, bytes.clone()).await?;
        let (info, now) = (&operation.info, self.clock.now());
        let puts = graph.seeds().filter(|seed| added.contains(&seed.ordinal)).map(|seed| {
            let key = NodeKey::new(&info.scope, info.operation_id, seed.ordinal);
            let node = node_run(&seed).guarded(now);
            async move { self.table.node_put(&key, &node).await }.boxed()
        });
        let puts: Vec<_> = puts.collect();
        // Reserved numbers are nobody else's: one that is taken was put by this very call, sent twice by the SDK.
        stream::iter(puts).buffer_unordered(PARALLEL).try_for_each(|_| async { Ok(()) }).await?;
        Ok(())
    }

    /// What follows from a patch: each step may be repeated by anyone
    pub(super) async fn patch_steps(&self, operation: &Operation, sequence: u32) -> Result<(), EngineError> {
        let name = format!("{TODO_PATCH}{sequence}");
        if !operation.todo.contains(&name) {
            return Ok(());
        }
        let info = &operation.info;
        let at = Key::patch(&info.scope, info.operation_id, sequence);
        let missing = || EngineError::Inconsistent(format!("the operation has no patch {sequence}"));
        let (record, _) = self.table.read::<PatchRecord>(&at).await?.ok_or_else(missing)?;
        let (before, after) =
            (self.graph(&record.base_hash).await?, self.graph(&record.effective_hash).await?);
        let diff = diff(&before, &after);
        // Those that are not admitted yet keep their segment open, whoever drives the others meanwhile (ADR 46).
        let admitted = self.admit(operation, &diff.added).await?;
        self.start_patched(operation, &after, sequence).await?;
        let mut driven: Vec<_> =
            admitted.into_iter().map(|(key, node)| self.drive_from(key, node).boxed()).collect();
        for ordinal in diff.touched() {
            let key = NodeKey::new(&info.scope, info.operation_id, ordinal);
            driven.push(async move { self.drive_node(&key).await }.boxed());
        }
        stream::iter(driven).buffered(PARALLEL).try_for_each(|()| async { Ok(()) }).await?;
        let operation = self.operation(&info.scope, info.operation_id).await?;
        if operation.cancel && operation.is_active() {
            self.sweep_cancelled(&operation).await?;
        }
        self.done(&operation, &name).await
    }

    async fn admit(
        &self,
        operation: &Operation,
        added: &BTreeSet<u32>,
    ) -> Result<Vec<(NodeKey, NodeRun)>, EngineError> {
        let info = &operation.info;
        let admits = added.iter().map(|ordinal| {
            let key = NodeKey::new(&info.scope, info.operation_id, *ordinal);
            async move {
                match self.update(&key, &NodeUpdate::Patch(NodePatch::Admit)).await? {
                    Applied::Done(node) => Ok((key, node)),
                    Applied::Refused(_) => {
                        Err(EngineError::Inconsistent(format!("node {} of a patch is gone", key.ordinal)))
                    }
                }
            }
            .boxed()
        });
        let admits: Vec<_> = admits.collect();
        stream::iter(admits).buffered(PARALLEL).try_collect().await
    }

    /// Starts the executions of the segments that the patch has added, as far as they have not ended
    async fn start_patched(
        &self,
        operation: &Operation,
        graph: &Arc<Graph>,
        sequence: u32,
    ) -> Result<(), EngineError> {
        let open = |index: &u32| operation.open.contains(index);
        for segment in graph.segments().iter().filter(|it| it.patch == sequence && open(&it.index)) {
            self.machines.start_segment(&segment_input(operation, segment.index, graph)).await?;
        }
        Ok(())
    }

    /// Keeps numbers for `count` further segments and tells the first of them; `None` if the operation ends
    async fn reserve(&self, operation: &Operation, count: u32) -> Result<Option<u32>, EngineError> {
        let reserve = OperationUpdate::Reserve { segments: count };
        Ok(match self.update_operation(operation, &reserve).await? {
            Applied::Done(after) => Some(after.info.segments + after.reserved - count),
            Applied::Refused(_) => None,
        })
    }
}
