//! Services outside that are called, and call back when they have done what they were asked for

use super::{
    fault::{Fault, Site},
    work::Work,
    world::{World, locked},
};
use crate::{
    Engine, EngineError, Outcome,
    callbacks::{CallbackRow, Called, PREFIX},
    records::record,
};
use std::{sync::Arc, time::Duration};
use weir_adapters::{Done, Failed};
use weir_domain::{
    canonical::Digest,
    engine::{NodeRun, Operation},
    failure::FailureSummary,
    plan::JobContract,
    sanitise::sanitise,
};
use weir_store::{Entity as _, Write};

/// How often a service that is not answered calls back
const CALLS: u32 = 8;

impl World {
    /// Asks a service to do the attempt: it will call back
    pub async fn hand_over(
        &self,
        engine: &Engine,
        operation: &Operation,
        node: &NodeRun,
        contract: &JobContract,
    ) -> Result<Done, Failed> {
        let (id, scope) = (operation.info.operation_id, &operation.info.scope);
        let token = format!("{PREFIX}{id}/{}/{}", node.ordinal, node.attempt);
        let row = CallbackRow {
            hash: Digest::of_bytes(token.as_bytes()),
            scope: scope.clone(),
            operation: id,
            ordinal: node.ordinal,
            attempt: node.attempt,
            signed_with: None,
            expires_at: node.deadline.unwrap_or_else(|| engine.clock.now()),
        };
        let kept = async {
            engine.table.transact(&[Write::Create(record(scope, &row)?)]).await?;
            Ok::<_, EngineError>(())
        };
        kept.await.map_err(|error| Failed::retryable("unavailable", error.to_string()))?;
        let Some((world, _)) = self.both() else { return Err(Failed::retryable("unavailable", "")) };
        tokio::spawn(world.serve(row, Work::of(contract)));
        Ok(Done { waits: true, ..Done::default() })
    }

    /// One attempt at the service: half of its time passes before its effect, half after
    async fn serve(self: Arc<Self>, row: CallbackRow, work: Work) {
        let fault = self.fault("service", "callback", row.ordinal, Site::Message);
        tokio::time::sleep(Duration::from_millis(work.millis / 2)).await;
        locked(&self.watch).effect(row.operation, row.ordinal, row.attempt);
        tokio::time::sleep(Duration::from_millis(work.millis - work.millis / 2)).await;
        let times = match fault {
            Some(Fault::Drop) => 0,
            Some(Fault::Duplicate) => 2,
            Some(Fault::Late) => {
                let late = self.chance.of("called late").at(u64::from(row.ordinal)).below(1_200);
                tokio::time::sleep(Duration::from_secs(late)).await;
                1
            }
            Some(_) | None => 1,
        };
        for _ in 0..times {
            self.call_back(&row, work).await;
        }
    }

    /// Calls back until it is answered: the same each time
    async fn call_back(&self, row: &CallbackRow, work: Work) {
        for _ in 0..CALLS {
            let asked = row.clone();
            let called = self
                .invoke("callback_create", move |_, engine| async move {
                    let at = asked.key(&asked.scope);
                    let Some((row, _)) = engine.table.read::<CallbackRow>(&at).await? else {
                        return Ok(Called::TooLate);
                    };
                    if row.expires_at <= engine.clock.now() {
                        return Ok(Called::TooLate);
                    }
                    let outcome = match work.end(row.attempt) {
                        Ok(_) => Outcome::Succeeded,
                        Err(failed) => Outcome::Failed {
                            error: FailureSummary::new(failed.code, sanitise(&failed.message)),
                            retryable: failed.retryable,
                        },
                    };
                    engine.called_back(&row, outcome, format!("callback/{}", row.attempt)).await
                })
                .await;
            if called.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    }
}
