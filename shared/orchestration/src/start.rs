//! The start of an operation: recorded with everything that belongs to it, then handed to Step Functions

use crate::{Engine, EngineError, delivery, records::record};
use std::collections::BTreeSet;
use weir_domain::{
    actor::Actor,
    canonical::Digest,
    definition::address::Address,
    engine::{Operation, OperationInfo, ParentNode},
    id::{Id as _, IntentId, OperationId, PlanId, PromotionId, ReleaseId},
    operation::{OperationStatus, OperationType},
    plan::Graph,
    scope::Scope,
    time::Millis,
    timeline::TimelineKind,
};
use weir_store::{ActiveRun, Key, Record, TransactError, Write};

/// An operation has ended within this, or is cancelled: an execution of Step Functions lives one year at most
const OPERATION_LIFE: Millis = Millis::from_secs(360 * 24 * 3600);

/// How often a placement that met another one is tried again
const TRIES: u32 = 8;

/// What an operation is made of
pub(crate) struct NewOperation {
    pub operation_id: OperationId,
    pub scope: Scope,
    pub operation_type: OperationType,
    pub plan_id: PlanId,
    pub intent_id: IntentId,
    pub graph_hash: Digest,
    pub identity: Digest,
    pub actor: Actor,
    pub title: String,
    pub now: Millis,
    pub promotion_id: Option<PromotionId>,
    pub release_id: Option<ReleaseId>,
    pub environment: Option<String>,
    pub rollback_of: Option<OperationId>,
    pub retry_of: Option<OperationId>,
    pub parent: Option<ParentNode>,
    pub exclusive: BTreeSet<Address>,
}

/// Where a new operation ended up
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    /// It is the one that was made for this request
    Own(OperationId),
    /// One of the same identity was active already
    Other(OperationId),
}

impl Placed {
    /// The operation that carries out what was asked for
    pub const fn operation(self) -> OperationId {
        match self {
            Self::Own(id) | Self::Other(id) => id,
        }
    }
}

/// The operation `new` over `graph`
pub(crate) fn operation(graph: &Graph, new: NewOperation) -> Operation {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Operation::new(OperationInfo {
        operation_id: new.operation_id,
        scope: new.scope,
        operation_type: new.operation_type,
        plan_id: new.plan_id,
        intent_id: new.intent_id,
        graph_hash: new.graph_hash,
        nodes: count(graph.len()),
        segments: count(graph.segments().len()),
        run_identity_hash: new.identity,
        actor: new.actor,
        title: new.title,
        created_at: new.now,
        deadline: new.now + OPERATION_LIFE,
        promotion_id: new.promotion_id,
        release_id: new.release_id,
        environment: new.environment,
        rollback_of: new.rollback_of,
        retry_of: new.retry_of,
        parent: new.parent,
        exclusive: new.exclusive,
        context: std::collections::BTreeMap::new(),
    })
}

/// A version that no other operation's lock has: whoever releases a lock late must not release the next one
pub(crate) fn lock_version(operation: OperationId) -> u64 {
    u64::try_from(operation.body().0 & u128::from(u64::MAX >> 1)).unwrap_or(1)
}

impl Engine {
    /// Records `operation` together with `writes` and starts it, unless one of its identity is active
    ///
    /// Repeatable: made again with the same ids it meets itself. A crash after the transaction leaves the
    /// operation with `begin` to be done, which reconcile finds.
    pub(crate) async fn place(
        &self,
        mut operation: Operation,
        writes: Vec<Write>,
    ) -> Result<Placed, EngineError> {
        let info = operation.info.clone();
        let lock = ActiveRun {
            run_identity_hash: info.run_identity_hash.clone(),
            operation_id: info.operation_id,
            lease_until: None,
        };
        let created = format!("{} asked for: {}", info.operation_type.as_str(), info.title);
        let lock = Record { version: lock_version(info.operation_id), ..record(&info.scope, &lock)? };
        let lock = Write::Create(lock);
        let event = self.event(&operation, TimelineKind::OperationCreated, created, Some(&info.actor))?;
        let links = delivery::links(&operation)?;
        for _ in 0..TRIES {
            let (joins, waits) = self.join_queues(&info).await?;
            operation.status = if waits { OperationStatus::Queued } else { OperationStatus::Created };
            let mut all =
                vec![lock.clone(), event.clone(), Write::CreateOperation(Box::new(operation.clone()))];
            all.extend(joins.into_iter().chain(links.clone()).chain(writes.clone()));
            match self.table.transact(&all).await {
                Ok(()) => {
                    self.start_root(&info.scope, info.operation_id).await?;
                    return Ok(Placed::Own(info.operation_id));
                }
                Err(TransactError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
            if self.table.operation_get(&info.scope, info.operation_id).await?.is_some() {
                self.start_root(&info.scope, info.operation_id).await?;
                return Ok(Placed::Own(info.operation_id));
            }
            let key = Key::active_run(&info.scope, &info.run_identity_hash);
            if let Some((active, _)) = self.table.read::<ActiveRun>(&key).await? {
                return Ok(Placed::Other(active.operation_id));
            }
            // The other one ended between the two looks: try again.
        }
        Err(TransactError::Conflict(vec![0]).into())
    }
}
