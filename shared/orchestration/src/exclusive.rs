//! Resources that one operation at a time may use: their queues are joined, looked at and left here (ADR 20)

use crate::{Engine, EngineError, records::record};
use futures::{FutureExt as _, future::BoxFuture};
use std::collections::BTreeMap;
use weir_domain::{
    definition::address::{Address, Kind},
    engine::{Operation, OperationInfo, TODO_BEGIN},
    id::OperationId,
    scope::Scope,
};
use weir_store::{ExclusiveQueue, Key, TransactError, Write};

/// How often a change of a queue that met another one is made again on the queue as it is then
const TRIES: u32 = 8;

/// Whose queue it is: what belongs to the workspace is shared by all of its tenants
fn owner(scope: &Scope, resource: &Address) -> Scope {
    if resource.kind() == Kind::Provider { scope.outer() } else { scope.clone() }
}

/// A resource that an operation waits for, and the operation that has to leave it first
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    /// The resource
    pub resource: Address,
    /// The operation right before it in the queue
    pub operation: OperationId,
    /// How many are before it
    pub before: usize,
}

impl Engine {
    /// The writes by which an operation joins the queues of its resources, and whether it has to wait
    ///
    /// They belong into the transaction that creates it: all queues then have the same order, so that no two
    /// operations can wait for each other. What takes another operation back joins right behind that one, if that one
    /// stands in all of them; in some only, it would be before others in one queue and behind them in another.
    pub(crate) async fn join_queues(&self, info: &OperationInfo) -> Result<(Vec<Write>, bool), EngineError> {
        let (mut writes, mut waits, mut queues) = (Vec::new(), false, Vec::new());
        for resource in &info.exclusive {
            let scope = owner(&info.scope, resource);
            let found = self.table.read::<ExclusiveQueue>(&Key::exclusive(&scope, resource)).await?;
            queues.push((scope, resource, found));
        }
        let takes_back = info.rollback_of.filter(|first| {
            let mut queues = queues.iter().map(|(.., found)| found.as_ref());
            queues.all(|found| found.is_some_and(|(queue, _)| queue.operations.contains(first)))
        });
        for (scope, resource, found) in queues {
            let Some((mut queue, expected)) = found else {
                let queue = ExclusiveQueue {
                    resource: resource.clone(),
                    operations: vec![info.operation_id],
                    scopes: BTreeMap::from([(info.operation_id, info.scope.clone())]),
                };
                writes.push(Write::Create(record(&scope, &queue)?));
                continue;
            };
            let of = |id: OperationId| queue.operations.iter().position(|it| *it == id);
            let at = takes_back.and_then(of).map_or(queue.operations.len(), |at| at + 1);
            if of(info.operation_id).is_none() {
                queue.operations.insert(at, info.operation_id);
                queue.scopes.insert(info.operation_id, info.scope.clone());
                writes.push(Write::Replace { expected, record: record(&scope, &queue)? });
            }
            waits |= queue.operations.first() != Some(&info.operation_id);
        }
        Ok((writes, waits))
    }

    /// Every resource that the operation waits for; empty when it may begin
    pub async fn behind(&self, operation: &Operation) -> Result<Vec<Behind>, EngineError> {
        let (info, mut behind) = (&operation.info, Vec::new());
        for resource in &info.exclusive {
            let key = Key::exclusive(&owner(&info.scope, resource), resource);
            let Some((queue, _)) = self.table.read::<ExclusiveQueue>(&key).await? else { continue };
            let before: Vec<_> = queue.operations.iter().take_while(|it| **it != info.operation_id).collect();
            if let Some(last) = before.last() {
                let (resource, before) = (resource.clone(), before.len());
                behind.push(Behind { resource, operation: **last, before });
            }
        }
        Ok(behind)
    }

    /// The operation has ended: it leaves its queues, and those who are first now begin
    ///
    /// Repeatable. A crash before the next one was begun leaves `begin` on its item, which reconcile finds.
    pub(crate) fn leave_queues<'a>(
        &'a self,
        operation: &'a Operation,
    ) -> BoxFuture<'a, Result<(), EngineError>> {
        async move {
            let info = &operation.info;
            for resource in &info.exclusive {
                let next = self.leave(&owner(&info.scope, resource), resource, info.operation_id).await?;
                let Some((next, its)) = next else { continue };
                let next = self.table.operation_get(its.as_ref().unwrap_or(&info.scope), next).await?;
                if let Some(next) = next.filter(|next| next.is_active() && next.todo.contains(TODO_BEGIN)) {
                    self.begin_steps(&next).await?;
                }
            }
            Ok(())
        }
        .boxed()
    }

    /// Takes the operation out of one queue; returns who is first then, and whose that is if the queue says so
    async fn leave(
        &self,
        scope: &Scope,
        resource: &Address,
        operation: OperationId,
    ) -> Result<Option<(OperationId, Option<Scope>)>, EngineError> {
        for _ in 0..TRIES {
            let found = self.table.read::<ExclusiveQueue>(&Key::exclusive(scope, resource)).await?;
            let Some((mut queue, expected)) = found else { return Ok(None) };
            let before = queue.operations.len();
            queue.operations.retain(|it| *it != operation);
            queue.scopes.remove(&operation);
            let first = queue.operations.first().map(|first| (*first, queue.scopes.get(first).cloned()));
            // An empty queue stays: were it removed, a late write could take the next one's first version for its own.
            if queue.operations.len() == before
                || self.commit(&[Write::Replace { expected, record: record(scope, &queue)? }]).await?
            {
                return Ok(first);
            }
        }
        Err(TransactError::Conflict(vec![0]).into())
    }
}
