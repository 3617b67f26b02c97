//! A pass of reconcile as a run of its own: one at a time in a workspace, and recorded with what it found and repaired
//!
//! The lock is a courtesy: everything that a pass does may be done by two at a time. So it has a lease, and a pass
//! whose holder died holds up the next one for as long as that, and no longer.

use super::{Engine, reconcile::Look};
use crate::{
    EngineError,
    delivery::Origin,
    records::record,
    start::{Placed, lock_version},
};
use futures::{FutureExt as _, StreamExt as _, future, stream};
use serde_json::json;
use weir_domain::{
    actor::Actor,
    engine::WAKE_SHARDS,
    id::{Id as _, OperationId},
    operation::{OperationType, ReconcilePass, Repair, RepairEffect},
    scope::Scope,
    time::Millis,
};
use weir_store::{ActiveRun, Due, Entity as _, Key, Record, TransactError, Write};

/// Items that one pass takes from one shard; the next pass takes the next
const PER_SHARD: usize = 100;

/// How long a scheduled pass takes up further items: its function lives for a minute
const SCHEDULED_TIME: Millis = Millis::from_secs(40);

/// How long a pass takes up further items that somebody waits for: an HTTP API gives up after 30 s
const ASKED_TIME: Millis = Millis::from_secs(12);

/// Items that a pass looks after at a time: what is slow or stuck holds up few others
const LOOKS: usize = 16;

/// How often a pass that met another one at its begin looks again
const TRIES: u32 = 4;

/// What one pass of reconcile did
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Nodes driven
    pub nodes: u64,
    /// Operations whose activities were run again
    pub operations: u64,
    /// Items that could not be driven; they stay due
    pub failed: u64,
    /// The run that says more; none where nothing was due
    pub run: Option<OperationId>,
}

/// A pass that holds the lock
struct Pass {
    scope: Scope,
    run: ReconcilePass,
    run_version: u64,
    lock_version: u64,
}

/// Who makes the pass
enum Begun {
    /// This call
    Own(Box<Pass>),
    /// Somebody else, who is believed to be at it
    Other(OperationId),
    /// This call, when it was made before
    Ended,
}

impl Engine {
    /// Drives everything that is due. One item's trouble does not keep the others waiting
    ///
    /// Where nothing is due nothing is written, not even that somebody looked.
    pub async fn reconcile(&self) -> Result<Reconciled, EngineError> {
        let due = self.all_due().await?;
        if due.is_empty() {
            return Ok(Reconciled::default());
        }
        let now = self.clock.now();
        let id = OperationId::new(now.0, u128::from(self.clock.random()));
        match self.begin_pass(&Actor::system("reconcile"), id, now, Vec::new()).await? {
            Begun::Own(pass) => self.make_pass(*pass, due, SCHEDULED_TIME).await,
            Begun::Other(run) => Ok(Reconciled { run: Some(run), ..Reconciled::default() }),
            Begun::Ended => Ok(Reconciled { run: Some(id), ..Reconciled::default() }),
        }
    }

    /// The same because somebody asks: recorded whatever it finds; whoever meets a pass under way is given that one
    pub async fn reconcile_now(&self, actor: &Actor, origin: &Origin) -> Result<Placed, EngineError> {
        let id = OperationId::derived(origin.now.0, &origin.seed);
        let (scope, action) = (self.workspace(), OperationType::ReconcileAdapterRuns.as_str());
        let subject = ("operation", id.to_string());
        let audit = self.audit(&scope, actor, action, subject, json!({}), origin.request_id)?;
        match self.begin_pass(actor, id, self.clock.now(), vec![audit]).await? {
            Begun::Own(pass) => {
                let due = self.all_due().await?;
                self.make_pass(*pass, due, ASKED_TIME).await?;
                Ok(Placed::Own(id))
            }
            Begun::Other(run) => Ok(Placed::Other(run)),
            Begun::Ended => Ok(Placed::Own(id)),
        }
    }

    /// The scope of the whole workspace, which passes belong to
    pub fn workspace(&self) -> Scope {
        Scope::workspace(self.ledger.workspace().clone())
    }

    async fn all_due(&self) -> Result<Vec<Due>, EngineError> {
        let (mut all, now) = (Vec::new(), self.clock.now());
        for shard in 0..WAKE_SHARDS {
            all.extend(self.table.due(shard, now, PER_SHARD).await?);
        }
        Ok(all)
    }

    /// Takes the lock and records the pass, both or neither; a lock whose lease has passed is taken over
    async fn begin_pass(
        &self,
        actor: &Actor,
        id: OperationId,
        now: Millis,
        besides: Vec<Write>,
    ) -> Result<Begun, EngineError> {
        let scope = self.workspace();
        let identity = ReconcilePass::identity(&scope);
        let identity = identity.map_err(|error| EngineError::Inconsistent(error.to_string()))?;
        let run = ReconcilePass::begin(id, identity.clone(), actor.clone(), now);
        let (lock_key, run_key) =
            (Key::active_run(&scope, &identity), Key::entity(&scope, ReconcilePass::KIND, id));
        let lock =
            ActiveRun { run_identity_hash: identity, operation_id: id, lease_until: Some(run.lease_until) };
        for _ in 0..TRIES {
            let held = self.table.read::<ActiveRun>(&lock_key).await?;
            if let Some((own, run_version)) = self.table.read::<ReconcilePass>(&run_key).await? {
                // Begun by this very call, when it was cut off: go on if the lock is still its own.
                return Ok(match held.filter(|(held, _)| held.operation_id == id) {
                    Some((_, lock_version)) => {
                        Begun::Own(Box::new(Pass { scope, run: own, run_version, lock_version }))
                    }
                    None => Begun::Ended,
                });
            }
            let mut writes = vec![Write::Create(record(&scope, &run)?)];
            match held {
                None => {
                    let lock = Record { version: lock_version(id), ..record(&scope, &lock)? };
                    writes.push(Write::Create(lock));
                }
                Some((held, _)) if held.lease_until.is_none_or(|until| until.millis() > now) => {
                    return Ok(Begun::Other(held.operation_id));
                }
                Some((held, expected)) => {
                    writes.push(Write::Replace { expected, record: record(&scope, &lock)? });
                    writes.extend(self.lost_pass(&scope, held.operation_id, now).await?);
                }
            }
            writes.extend(besides.iter().cloned());
            match self.table.transact(&writes).await {
                // Read back at the top of the loop, with the versions that it was written as.
                Ok(()) | Err(TransactError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(TransactError::Conflict(vec![0]).into())
    }

    /// The write that ends a pass whose holder died, if it has not ended
    async fn lost_pass(
        &self,
        scope: &Scope,
        id: OperationId,
        now: Millis,
    ) -> Result<Option<Write>, EngineError> {
        let key = Key::entity(scope, ReconcilePass::KIND, id);
        let found = self.table.read::<ReconcilePass>(&key).await?;
        let open = found.filter(|(pass, _)| pass.completed_at.is_none());
        open.map(|(pass, expected)| Ok(Write::Replace { expected, record: record(scope, &pass.lost(now))? }))
            .transpose()
    }

    /// Looks after what is due, several at a time, and takes up nothing more when its time is over
    async fn make_pass(&self, pass: Pass, due: Vec<Due>, time: Millis) -> Result<Reconciled, EngineError> {
        let (until, all) = (self.clock.now() + time, due.len());
        let mut done = Reconciled { run: Some(pass.run.id), ..Reconciled::default() };
        let mut repairs = Vec::with_capacity(all);
        let mut taken = 0;
        let in_time = stream::iter(due).take_while(|_| future::ready(self.clock.now() < until));
        let mut looks = in_time.map(|due| self.look_at(due).boxed()).buffer_unordered(LOOKS);
        while let Some((due, found)) = looks.next().await {
            taken += 1;
            match found {
                Ok(look) => {
                    match &due {
                        Due::Node(_) => done.nodes += 1,
                        Due::Operation(..) => done.operations += 1,
                    }
                    repairs.extend(look.map(|look| repair(&due, look)));
                }
                Err(error) => {
                    done.failed += 1;
                    tracing::warn!(item = ?due, error = &error as &dyn std::error::Error, "could not drive what is due");
                    let look = Look { cause: None, effect: RepairEffect::NotDriven };
                    repairs.push(Repair { detail: Some(error.to_string()), ..repair(&due, look) });
                }
            }
        }
        drop(looks);
        self.end_pass(pass, repairs, all.saturating_sub(taken)).await?;
        Ok(done)
    }

    async fn look_at(&self, due: Due) -> (Due, Result<Option<Look>, EngineError>) {
        let found = match &due {
            Due::Node(key) => self.look_after_node(key).await,
            Due::Operation(scope, id) => self.look_after(scope, *id).await,
        };
        (due, found)
    }

    /// Records what the pass found and gives the lock back. Where somebody took it over, the pass stays lost
    async fn end_pass(&self, pass: Pass, repairs: Vec<Repair>, left: usize) -> Result<(), EngineError> {
        let Pass { scope, run, run_version, lock_version } = pass;
        let key = Key::active_run(&scope, &run.run_identity_hash);
        let run = run.end(repairs, left, self.clock.now());
        let writes = [
            Write::Replace { expected: run_version, record: record(&scope, &run)? },
            Write::Delete { key, expected: lock_version },
        ];
        self.commit(&writes).await.map(drop)
    }
}

fn repair(due: &Due, look: Look) -> Repair {
    let (scope, operation_id, ordinal) = match due {
        Due::Node(key) => (key.scope.clone(), key.operation, Some(key.ordinal)),
        Due::Operation(scope, id) => (scope.clone(), *id, None),
    };
    Repair { scope, operation_id, ordinal, cause: look.cause, effect: look.effect, detail: None }
}
