//! One apply group: the ledger by compare-and-swap, then the projection

use super::{DefinitionError, bundle, project, state, unreadable, valid};
use crate::{Engine, EngineError};
use serde_json::{Map, Value};
use weir_domain::{
    canonical::Digest,
    definition::{
        apply::{Applied, ApplyError, apply_group},
        plan::DefinitionPlan,
        state::{AppliedBy, State},
    },
    engine::Operation,
    id::OperationId,
    operation::OperationType,
    plan::{Plan, PlanContext},
};
use weir_ledger::ledger::{StateObject, StateWrite};
use weir_store::{Entity as _, Key};

/// Why one group was not applied
#[derive(Debug, thiserror::Error)]
pub enum GroupError {
    /// It never will be: the plan is stale, or was not made for this
    #[error(transparent)]
    Refused(#[from] ApplyError),
    /// Nobody has accepted this for the operation that asks for it
    #[error("the plan of operation `{0}` is not about these changes of the definition")]
    NotPlanned(OperationId),
    /// It may be, if tried again
    #[error(transparent)]
    Definition(#[from] DefinitionError),
}

/// Makes one apply group true: the ledger by compare-and-swap, then the projection
///
/// Returns the revision of the state that holds it, and what the group counts by the keys of its type's catalogue.
pub(crate) async fn apply(
    engine: &Engine,
    operation: &Operation,
    change_plan: &Digest,
    group: usize,
) -> Result<(u64, Map<String, Value>), GroupError> {
    planned_for(engine, operation, change_plan).await?;
    let bytes = engine
        .ledger
        .definition_get(change_plan)
        .await
        .map_err(EngineError::from)
        .map_err(DefinitionError::from)?;
    let bytes = bytes.ok_or_else(|| DefinitionError::NotUploaded(change_plan.clone()))?;
    let changes: DefinitionPlan = serde_json::from_slice(&bytes).map_err(unreadable)?;
    let bundle = bundle(engine, &changes.desired_revision).await?;
    let read_state = state(engine).await?;
    let now = engine.clock.now();
    let current = read_state.as_ref().map(|(state, _)| state);
    let definition = valid(&bundle, current)?;
    let scope = operation.info.scope.outer();
    let state = match apply_group(current, &changes, group, &definition, now)? {
        Applied::Already => current.cloned(),
        Applied::Next(next) => {
            let by = AppliedBy {
                operation_id: operation.info.operation_id,
                definition: changes.desired_revision.clone(),
                revision: next.state_revision,
                at: now,
            };
            let next = next.signed(project::members(&changes, group), &by);
            project::announce(engine, &scope, next.state_revision).await?;
            swap(engine, read_state.as_ref(), &next).await?;
            Some(next)
        }
    };
    let revision = state.as_ref().map_or(0, |state| state.state_revision);
    if let Some(state) = &state {
        project::project(engine, &scope, state, &definition, &changes, group).await?;
    }
    Ok((revision, project::counts(&changes, group)))
}

/// Refuses changes that the operation's own plan does not name: what was accepted is the plan
async fn planned_for(engine: &Engine, operation: &Operation, change_plan: &Digest) -> Result<(), GroupError> {
    let info = &operation.info;
    let key = Key::entity(&info.scope, Plan::KIND, info.plan_id);
    let plan =
        engine.table.read::<Plan>(&key).await.map_err(EngineError::from).map_err(DefinitionError::from)?;
    let named = match plan.map(|(plan, _)| plan.context) {
        Some(PlanContext::Definition(context)) => context.change_plan_digest == *change_plan,
        Some(_) | None => false,
    };
    if named && info.operation_type == OperationType::DefinitionApply {
        Ok(())
    } else {
        Err(GroupError::NotPlanned(info.operation_id))
    }
}

async fn swap(
    engine: &Engine,
    base: Option<&(State, StateObject)>,
    next: &State,
) -> Result<(), DefinitionError> {
    let bytes = next.to_vec().map_err(unreadable)?;
    let written = engine.ledger.state_write(base.map(|(_, object)| object), next.state_revision, bytes).await;
    match written.map_err(EngineError::from)? {
        StateWrite::Written(_) => Ok(()),
        StateWrite::Lost => {
            let planned = next.state_revision.saturating_sub(1);
            let found = state(engine).await?.map_or(0, |(state, _)| state.state_revision);
            Err(DefinitionError::Stale { planned, found })
        }
    }
}
