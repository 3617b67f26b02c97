//! What follows from the end of a scenario's operation: evidence, the intent, and the node that runs it

use crate::{Engine, EngineError, delivery, evidence};
use weir_domain::{engine::Operation, evidence::PacketType};

/// Every step may be repeated; evidence first, so that nothing is said to have ended without it
pub(crate) async fn conclude(engine: &Engine, operation: &Operation) -> Result<(), EngineError> {
    let nodes = engine.all_nodes(operation).await?;
    evidence::write(engine, operation, PacketType::ScenarioRun, &nodes).await?;
    match operation.info.parent {
        // The intent is the parent's to fulfil.
        Some(_) => Ok(()),
        None => delivery::end_intent(engine, operation).await,
    }
}
