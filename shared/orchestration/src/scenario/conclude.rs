//! What follows from the end of a scenario's operation: outputs, evidence, the way back, the intent, and the node that runs it

use super::undo::start_rollback;
use crate::{Engine, EngineError, delivery, evidence, rollback};
use weir_domain::{
    engine::Operation,
    evidence::PacketType,
    plan::{Plan, PlanContext},
};
use weir_store::{Entity as _, Key};

/// Every step may be repeated; evidence before the rest, so that nothing is said to have ended without it
pub(crate) async fn conclude(engine: &Engine, operation: &Operation) -> Result<(), EngineError> {
    let nodes = engine.all_nodes(operation).await?;
    let key = Key::entity(&operation.info.scope, Plan::KIND, operation.info.plan_id);
    let plan = engine.table.read::<Plan>(&key).await?;
    if let Some((Plan { context: PlanContext::Scenario(context), .. }, _)) = plan {
        engine.keep_own_outputs(operation, &context.outputs, &nodes).await?;
    }
    evidence::write(engine, operation, PacketType::ScenarioRun, &nodes).await?;
    start_rollback(engine, operation, &nodes).await?;
    match operation.info.parent {
        // The intent is the parent's to fulfil.
        Some(_) => Ok(()),
        None => delivery::end_intent(engine, operation).await,
    }
}

/// The same for the operation that has taken another one back, or has tried to
pub(crate) async fn conclude_rollback(engine: &Engine, operation: &Operation) -> Result<(), EngineError> {
    let nodes = engine.all_nodes(operation).await?;
    evidence::write(engine, operation, PacketType::Rollback, &nodes).await?;
    rollback::ended(engine, operation, &nodes).await?;
    delivery::end_intent(engine, operation).await
}
