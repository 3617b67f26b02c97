//! What follows the end of an operation: its evidence, and the rollback of what failed
//!
//! An operation is over before that is written, so whoever tells how it ended looks again until it is settled.

use super::session::Session;
use crate::api::{ApiError, Client};
use std::time::Duration;
use weir_domain::{
    id::OperationId,
    operation::{OperationStatus, OperationType},
};
use weir_edge::wire::operation::OperationView;

/// Between two looks
const PAUSE: Duration = Duration::from_millis(300);

/// So many looks, half a minute: what a crash left undone comes with the next reconcile, and is not waited for
const LOOKS_MAX: u32 = 100;

/// The latest operations that are looked through for a rollback
const LATEST: &str = "50";

/// An operation that has ended, with what followed, and the rollback that was started for it
pub(super) async fn settled(
    session: &Session,
    client: &Client,
    mut operation: OperationView,
) -> Result<(OperationView, Option<OperationId>), ApiError> {
    for _ in 0..LOOKS_MAX {
        if operation.settled {
            break;
        }
        (session.host.pause)(PAUSE).await;
        operation = client.operation_show(operation.operation_id).await?;
    }
    let rollback = match operation.rolled_back_by {
        None if may_be_taken_back(&operation) => find_rollback(client, operation.operation_id).await?,
        known => known,
    };
    Ok((operation, rollback))
}

/// Whether another operation may undo what this one did
fn may_be_taken_back(operation: &OperationView) -> bool {
    operation.status == OperationStatus::Failed
        && (operation.operation_type.is_deployment()
            || operation.operation_type == OperationType::ScenarioRun)
        && operation.rollback_of.is_none()
}

async fn find_rollback(client: &Client, of: OperationId) -> Result<Option<OperationId>, ApiError> {
    let latest = client.operation_list(&[("limit", LATEST)]).await?;
    Ok(latest.items.iter().find(|it| it.rollback_of == Some(of)).map(|it| it.operation_id))
}
