//! What follows the end of an operation: its evidence, and the rollback of what failed
//!
//! An operation is over before that is written, so whoever tells how it ended looks again until it is.

use super::session::Session;
use crate::api::{ApiError, Client};
use std::time::Duration;
use weir_domain::{
    definition::spec::OnFailure,
    id::OperationId,
    operation::OperationStatus,
    plan::{Executor, NodeStatus, NodeType, PlanContext},
    timeline::TimelineKind,
};
use weir_edge::wire::operation::{NodeView, OperationView};

/// Between two looks
const PAUSE: Duration = Duration::from_millis(300);

/// So many looks; what is not there then may come later, and is not waited for
const LOOKS_MAX: u32 = 30;

/// The latest operations that are looked through for a rollback
const LATEST: &str = "50";

/// An operation that has ended, with what followed, and the rollback that was started for it
pub(super) async fn settled(
    session: &Session,
    client: &Client,
    mut operation: OperationView,
) -> Result<(OperationView, Option<OperationId>), ApiError> {
    let is_awaited = operation.rolled_back_by.is_none() && rolls_back(client, &operation).await;
    for _ in 0..LOOKS_MAX {
        let has_begun = !is_awaited || rollback_has_begun(client, operation.operation_id).await?;
        if has_begun && has_evidence(&operation) {
            break;
        }
        (session.host.pause)(PAUSE).await;
        operation = client.operation_show(operation.operation_id).await?;
    }
    let rollback = match operation.rolled_back_by {
        None if is_awaited => find_rollback(client, operation.operation_id).await?,
        known => known,
    };
    Ok((operation, rollback))
}

/// Whether every packet is there that will be written: of its decision, and of what it did to targets
fn has_evidence(operation: &OperationView) -> bool {
    let decided =
        |node: &NodeView| node.node_type == NodeType::Evidence && node.status == NodeStatus::Succeeded;
    let decisions = operation.nodes.iter().filter(|node| decided(node)).count();
    let expected = decisions + usize::from(operation.nodes.iter().any(was_deployed));
    !operation.operation_type.is_deployment() || operation.evidence_ids.len() >= expected
}

/// Whether the node may have changed its target
fn was_deployed(node: &NodeView) -> bool {
    matches!(node.runs, Executor::Agent(_)) && node.attempt > 0 && node.status != NodeStatus::Skipped
}

/// Whether what failed will be rolled back, as its plan says
async fn rolls_back(client: &Client, operation: &OperationView) -> bool {
    if operation.status != OperationStatus::Failed
        || operation.rollback_of.is_some()
        || !operation.nodes.iter().any(was_deployed)
    {
        return false;
    }
    match client.plan_show(operation.plan_id).await.map(|plan| plan.plan.context) {
        Ok(PlanContext::Delivery(context)) => context.delivery.on_failure == OnFailure::Rollback,
        Ok(PlanContext::Definition(_) | PlanContext::None {}) => false,
        // It may not be read by everybody; then it is waited for a little, in vain at worst.
        Err(_) => true,
    }
}

async fn rollback_has_begun(client: &Client, id: OperationId) -> Result<bool, ApiError> {
    let timeline = client.operation_timeline(id).await?;
    Ok(timeline.events.iter().any(|event| event.kind == TimelineKind::RollbackStarted))
}

async fn find_rollback(client: &Client, of: OperationId) -> Result<Option<OperationId>, ApiError> {
    let latest = client.operation_list(&[("limit", LATEST)]).await?;
    Ok(latest.items.iter().find(|it| it.rollback_of == Some(of)).map(|it| it.operation_id))
}
