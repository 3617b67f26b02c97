//! Pause and resume: what somebody asks of a whole operation is written once, with what is told of it; then it is carried out

use super::Engine;
use crate::EngineError;
use weir_domain::{
    engine::{NodeRun, Operation, OperationUpdate, TODO_PATIENCE, TODO_RESUME},
    id::OperationId,
    scope::Scope,
};
use weir_store::{TransactError, Write};

/// How often a wish that met another write is looked at again
const TRIES: u32 = 8;

/// What is written together with a wish, of the operation as it is then
pub type Told<'a> = &'a (dyn Fn(&Operation) -> Result<Vec<Write>, EngineError> + Send + Sync);

/// Nothing is written with it
fn nothing(_: &Operation) -> Result<Vec<Write>, EngineError> {
    Ok(Vec::new())
}

impl Engine {
    /// Writes `update` with what is `told` of it, if the operation as it stands lets it come true; whether it was written
    ///
    /// Once it was, it is not written again: somebody may have asked for the contrary since.
    pub async fn wish(
        &self,
        scope: &Scope,
        id: OperationId,
        update: &OperationUpdate,
        told: Told<'_>,
    ) -> Result<bool, EngineError> {
        for _ in 0..TRIES {
            let Some(operation) = self.table.operation_get(scope, id).await? else { return Ok(false) };
            if !update.allows(&operation) {
                return Ok(false);
            }
            let update = update.clone();
            let mut writes = vec![Write::Operation { scope: scope.clone(), operation: id, update }];
            writes.extend(told(&operation)?);
            if self.commit(&writes).await? {
                return Ok(true);
            }
        }
        Err(TransactError::Conflict(vec![0]).into())
    }

    /// Holds the operation and those that its nodes run: nothing is claimed by anyone who looks afterwards. `None` if it had ended, or is to end
    pub async fn pause(
        &self,
        scope: &Scope,
        id: OperationId,
        by: &str,
    ) -> Result<Option<Operation>, EngineError> {
        self.pause_told(scope, id, by, &nothing).await
    }

    /// The same, with what is `told` of it
    pub async fn pause_told(
        &self,
        scope: &Scope,
        id: OperationId,
        by: &str,
        told: Told<'_>,
    ) -> Result<Option<Operation>, EngineError> {
        let pause = OperationUpdate::Pause { by: by.to_owned(), now: self.clock.now() };
        let asked = self.wish(scope, id, &pause, told).await?;
        let Some(now) = self.table.operation_get(scope, id).await? else { return Ok(None) };
        if now.is_active() && now.paused {
            // Whoever looks at a node that runs an operation holds that one as its parent is held (ADR 38). Not done
            // because of a crash, it is made up for by the next look at each of these nodes, within a minute.
            self.sweep(&now, NodeRun::runs_operation).await?;
            return Ok(Some(now));
        }
        Ok(asked.then_some(now))
    }

    /// Lets the operation go on. `None` if it had ended
    pub async fn resume(&self, scope: &Scope, id: OperationId) -> Result<Option<Operation>, EngineError> {
        self.resume_told(scope, id, &nothing).await
    }

    /// The same, with what is `told` of it
    pub async fn resume_told(
        &self,
        scope: &Scope,
        id: OperationId,
        told: Told<'_>,
    ) -> Result<Option<Operation>, EngineError> {
        let resume = format!("{:016x}", self.clock.random());
        let resume = OperationUpdate::Resume { id: resume, wake: self.clock.now() + TODO_PATIENCE };
        let asked = self.wish(scope, id, &resume, told).await?;
        let Some(now) = self.table.operation_get(scope, id).await? else { return Ok(None) };
        if !asked && !now.is_active() {
            return Ok(None);
        }
        // Another one that was asked for before, and not carried out yet, too: doing it twice is harmless.
        for name in now.todo.iter().filter(|name| name.starts_with(TODO_RESUME)) {
            self.sweep_resumed(&now, name).await?;
        }
        Ok(Some(now))
    }
}
