//! The engine over the table, the ledger, the state machines and the queues

mod attempt;
mod begin;
mod cancel;
mod consequences;
mod decide;
mod drive;
mod finish;
mod follow;
mod hold;
mod housekeeping;
mod patch;
mod reconcile;
mod segment;
mod work;

pub use attempt::{Outcome, Reported, Started};
pub(crate) use decide::{Decided, Deciding};
pub use hold::Told;
pub use housekeeping::Reconciled;
pub use patch::{PatchFailure, PatchWish};
pub use segment::SegmentNext;

use crate::{Clock, EngineError, machines::Machines, queues::Queues};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};
use weir_adapters::Adapters;
use weir_domain::{
    canonical::Digest,
    engine::{CHECK_IN, NodeRun, NodeUpdate, Operation, OperationUpdate},
    id::OperationId,
    plan::{Graph, PlanPatch, PlanSnapshot},
    scope::Scope,
    time::Millis,
};
use weir_ledger::{Ledger, Signer};
use weir_store::{Applied, NodeKey, Table};

/// How many writes of one step are under way at a time
const PARALLEL: usize = 40;

/// Snapshots that one process keeps: a plan is read for each of its nodes
const SNAPSHOTS_KEPT: usize = 32;

/// What lies at `plans/<hash>.json`
#[derive(Debug, Clone, PartialEq)]
pub enum PlanDocument {
    /// A plan's graph
    Graph(Box<Graph>),
    /// A patch, which names what it was made on
    Patch(Box<PlanPatch>),
}

impl PlanDocument {
    /// The document in `bytes`, if it is the one that is called `hash`
    fn read(bytes: &[u8], hash: &Digest) -> Option<Self> {
        if let Ok(graph) = PlanSnapshot::read(bytes, hash) {
            return Some(Self::Graph(Box::new(graph)));
        }
        let patch: PlanPatch = serde_json::from_slice(bytes).ok()?;
        (patch.effective_hash == *hash && patch.link().ok()? == *hash).then(|| Self::Patch(Box::new(patch)))
    }
}

/// The engine. Cheap to make; holds nothing that may not be lost at any moment
pub struct Engine {
    /// What remembers
    pub table: Arc<dyn Table>,
    /// Plans, evidence, state
    pub ledger: Arc<Ledger>,
    /// What waits and fans out
    pub machines: Arc<dyn Machines>,
    /// What carries jobs and notices
    pub queues: Arc<dyn Queues>,
    /// Who signs evidence
    pub signer: Arc<dyn Signer>,
    /// Where time and chance come from
    pub clock: Arc<dyn Clock>,
    /// How long an active operation may rest before somebody looks whether it still moves
    pub check_in: Millis,
    /// What jobs call
    pub adapters: Arc<Adapters>,
    snapshots: Mutex<BTreeMap<Digest, Arc<Graph>>>,
}

impl Engine {
    /// An engine over these
    pub fn new(
        table: Arc<dyn Table>,
        ledger: Arc<Ledger>,
        machines: Arc<dyn Machines>,
        queues: Arc<dyn Queues>,
        signer: Arc<dyn Signer>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            table,
            ledger,
            machines,
            queues,
            signer,
            clock,
            check_in: CHECK_IN,
            adapters: Arc::default(),
            snapshots: Mutex::new(BTreeMap::new()),
        }
    }

    /// The graph `hash`, read from the ledger once per process: a plan's, or what a patch makes of the one before it
    pub async fn graph(&self, hash: &Digest) -> Result<Arc<Graph>, EngineError> {
        let kept =
            |hash: &Digest| self.snapshots.lock().unwrap_or_else(PoisonError::into_inner).get(hash).cloned();
        let (mut patches, mut at) = (Vec::new(), hash.clone());
        let mut graph = loop {
            if let Some(graph) = kept(&at) {
                break graph;
            }
            match self.plan_document(&at).await? {
                PlanDocument::Graph(graph) => break self.keep(&at, Arc::new(*graph)),
                PlanDocument::Patch(patch) => {
                    at = patch.base_hash.clone();
                    patches.push(patch);
                }
            }
        };
        while let Some(patch) = patches.pop() {
            let after = patch.follow(&graph, &patch.base_hash, patch.sequence.saturating_sub(1));
            let after = after.map_err(|error| EngineError::Inconsistent(error.to_string()))?;
            graph = self.keep(&patch.effective_hash, Arc::new(after));
        }
        Ok(graph)
    }

    /// What the ledger keeps at `plans/<hash>.json`
    pub async fn plan_document(&self, hash: &Digest) -> Result<PlanDocument, EngineError> {
        let mut read = None;
        let keep = |bytes: &[u8]| {
            read = PlanDocument::read(bytes, hash);
            read.as_ref().map(|_| hash.clone())
        };
        self.ledger.plan_get(hash, keep).await?;
        read.ok_or_else(|| EngineError::Inconsistent(format!("the ledger has no plan `{hash}`")))
    }

    fn keep(&self, hash: &Digest, graph: Arc<Graph>) -> Arc<Graph> {
        let mut snapshots = self.snapshots.lock().unwrap_or_else(PoisonError::into_inner);
        if snapshots.len() >= SNAPSHOTS_KEPT {
            snapshots.pop_first();
        }
        snapshots.insert(hash.clone(), graph.clone());
        graph
    }

    /// The graph that `operation` runs now: its plan's with its patches, as far as the image given knows
    ///
    /// Read it from an image that is not older than what is decided on, or a node may be missing from it.
    pub async fn graph_of(&self, operation: &Operation) -> Result<Arc<Graph>, EngineError> {
        self.graph(operation.graph_hash()).await
    }

    /// The operation, which exists because something refers to it
    pub(crate) async fn operation(&self, scope: &Scope, id: OperationId) -> Result<Operation, EngineError> {
        self.table
            .operation_get(scope, id)
            .await?
            .ok_or_else(|| EngineError::Inconsistent(format!("there is no operation `{id}`")))
    }

    /// A conditional update of a node; a refusal by an own write whose answer was lost counts as done
    async fn update(&self, key: &NodeKey, update: &NodeUpdate) -> Result<Applied<NodeRun>, EngineError> {
        Ok(match self.table.node_update(key, update).await? {
            Applied::Refused(Some(node)) if update.is_mine(&node) => Applied::Done(node),
            applied @ (Applied::Done(_) | Applied::Refused(_)) => applied,
        })
    }

    /// A conditional update of an operation
    async fn update_operation(
        &self,
        operation: &Operation,
        update: &OperationUpdate,
    ) -> Result<Applied<Operation>, EngineError> {
        let info = &operation.info;
        Ok(self.table.operation_update(&info.scope, info.operation_id, update).await?)
    }

    /// Takes `name` off what is under way; where nothing is left, the operation rests until its next check-in
    async fn done(&self, operation: &Operation, name: &str) -> Result<(), EngineError> {
        let removed = OperationUpdate::RemoveTodo { name: name.to_owned() };
        if let Applied::Done(after) = self.update_operation(operation, &removed).await?
            && after.todo.is_empty()
        {
            let wake = after.is_active().then(|| self.next_check_in(&after));
            self.update_operation(&after, &OperationUpdate::Rest { wake }).await?;
        }
        Ok(())
    }

    /// A name that no other claim of this engine has, by which a claim whose answer was lost is recognised
    fn claim_id(&self) -> String {
        format!("{:016x}{:016x}", self.clock.random(), self.clock.random())
    }
}
