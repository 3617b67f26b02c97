//! What follows from the end of a delivery: evidence, the promotion, the release, and where it failed, the way back

use super::{index, rollback::start_rollback};
use crate::{Engine, EngineError, evidence, records::record, rollback};
use weir_domain::{
    delivery::{Promotion, PromotionCommand, Release, ReleaseCommand},
    engine::{NodeRun, Operation},
    evidence::PacketType,
    id::OperationId,
    intent::{Intent, IntentCommand},
    operation::{OperationStatus, OperationType},
    plan::{Executor, NodeStatus, NodeType},
    scope::Scope,
};
use weir_store::{Entity as _, Key, Write};

/// Every step may be repeated; evidence first, so that nothing is said to have ended without it
pub(crate) async fn conclude(engine: &Engine, operation: &Operation) -> Result<(), EngineError> {
    let nodes = engine.all_nodes(operation).await?;
    let is_rollback = operation.info.operation_type == OperationType::Rollback;
    let deployed = nodes.iter().any(was_deployed);
    let denied = denied(&nodes);
    if denied {
        evidence::write(engine, operation, PacketType::ReleaseDecision, &nodes).await?;
    }
    if deployed {
        let packet = if is_rollback { PacketType::Rollback } else { PacketType::Deployment };
        evidence::write(engine, operation, packet, &nodes).await?;
    }
    if is_rollback {
        rollback::ended(engine, operation, &nodes).await?;
        return conclude_rollback(engine, operation).await;
    }
    let moves: &[PromotionCommand] = match operation.status {
        OperationStatus::Succeeded => &[PromotionCommand::Deploy, PromotionCommand::Complete],
        OperationStatus::Cancelled => &[PromotionCommand::Cancel],
        // A gate that stands further behind than those of the promotion says no to what has been agreed to: that failed.
        OperationStatus::Failed if denied => &[PromotionCommand::Reject, PromotionCommand::Fail],
        OperationStatus::Failed | OperationStatus::RolledBack => &[PromotionCommand::Fail],
        OperationStatus::Created
        | OperationStatus::Queued
        | OperationStatus::Running
        | OperationStatus::WaitingGate
        | OperationStatus::WaitingIntervention
        | OperationStatus::Paused
        | OperationStatus::Verifying => return Ok(()),
    };
    engine.change_promotion(operation, |promotion| moved(promotion, moves)).await?;
    end_intent(engine, operation).await?;
    match operation.status {
        OperationStatus::Succeeded => {
            index::project(engine, operation).await?;
            mark_deployed(engine, operation).await
        }
        OperationStatus::Failed if deployed => start_rollback(engine, operation, &nodes).await,
        OperationStatus::Failed
        | OperationStatus::Cancelled
        | OperationStatus::RolledBack
        | OperationStatus::Created
        | OperationStatus::Queued
        | OperationStatus::Running
        | OperationStatus::WaitingGate
        | OperationStatus::WaitingIntervention
        | OperationStatus::Paused
        | OperationStatus::Verifying => Ok(()),
    }
}

/// The targets have what they had before: the promotion that failed has been taken back
async fn conclude_rollback(engine: &Engine, operation: &Operation) -> Result<(), EngineError> {
    if operation.status == OperationStatus::Succeeded {
        let by: OperationId = operation.info.operation_id;
        engine
            .change_promotion(operation, |promotion| {
                let mut after = moved(promotion, &[PromotionCommand::RollBack])?;
                after.rolled_back_by = Some(by);
                Some(after)
            })
            .await?;
    }
    end_intent(engine, operation).await
}

/// The promotion after those of `moves` that are allowed; none if it would stay as it is
fn moved(promotion: &Promotion, moves: &[PromotionCommand]) -> Option<Promotion> {
    let after =
        moves.iter().fold(promotion.clone(), |now, command| now.clone().after(*command).unwrap_or(now));
    (after.status != promotion.status).then_some(after)
}

/// Whether the node may have changed its target
pub(super) fn was_deployed(node: &NodeRun) -> bool {
    // A verification looks, on an agent as elsewhere.
    matches!(node.terms.runs, Executor::Agent(_))
        && node.terms.kind != NodeType::Verification
        && node.attempt > 0
        && node.status != NodeStatus::Skipped
}

/// Whether a gate has said no
fn denied(nodes: &[NodeRun]) -> bool {
    nodes.iter().any(|node| node.terms.kind == NodeType::Gate && node.status == NodeStatus::Failed)
}

pub(crate) async fn end_intent(engine: &Engine, operation: &Operation) -> Result<(), EngineError> {
    let command = match operation.status {
        OperationStatus::Succeeded => IntentCommand::Fulfil,
        OperationStatus::Cancelled => IntentCommand::Cancel,
        OperationStatus::Failed
        | OperationStatus::RolledBack
        | OperationStatus::Created
        | OperationStatus::Queued
        | OperationStatus::Running
        | OperationStatus::WaitingGate
        | OperationStatus::WaitingIntervention
        | OperationStatus::Paused
        | OperationStatus::Verifying => IntentCommand::Reject,
    };
    let scope: &Scope = &operation.info.scope;
    let key = Key::entity(scope, Intent::KIND, operation.info.intent_id);
    let Some((intent, expected)) = engine.table.read::<Intent>(&key).await? else { return Ok(()) };
    if let Some(status) = intent.status.after(command) {
        let after = Intent { status, ..intent };
        engine.commit(&[Write::Replace { expected, record: record(scope, &after)? }]).await?;
    }
    Ok(())
}

async fn mark_deployed(engine: &Engine, operation: &Operation) -> Result<(), EngineError> {
    let Some(id) = operation.info.release_id else { return Ok(()) };
    let scope = &operation.info.scope;
    let key = Key::entity(scope, Release::KIND, id);
    let Some((release, expected)) = engine.table.read::<Release>(&key).await? else { return Ok(()) };
    let status = release.status;
    if let Ok(after) = release.after(ReleaseCommand::Deploy)
        && after.status != status
    {
        engine.commit(&[Write::Replace { expected, record: record(scope, &after)? }]).await?;
    }
    Ok(())
}
