//! What was brought where last, and what ran for a release: rows that follow from the operations
//!
//! A row is made of one operation and its promotion, and of nothing else: whoever makes it again makes the same. The
//! operation's end makes it before the operation counts as settled.

use crate::{Engine, EngineError, records::record};
use weir_domain::{
    delivery::{Deployed, Promotion},
    engine::Operation,
    operation::{OperationStatus, OperationType},
    scope::Scope,
};
use weir_store::{Entity as _, Key, PlanRun, ReleaseRun, TransactError, Write};

/// How often a row that others write at the same time is written again
const TRIES: u32 = 5;

/// The row that a deployment which ended well makes
pub(super) async fn row(engine: &Engine, operation: &Operation) -> Result<Option<Deployed>, EngineError> {
    let info = &operation.info;
    let brings = matches!(info.operation_type, OperationType::Deploy | OperationType::Promote);
    let ended = operation.completed_at.filter(|_| brings && operation.status == OperationStatus::Succeeded);
    let (Some(at), Some(id)) = (ended, info.promotion_id) else { return Ok(None) };
    let found = engine.table.read::<Promotion>(&Key::entity(&info.scope, Promotion::KIND, id)).await?;
    Ok(found.map(|(promotion, _)| Deployed {
        service_id: promotion.service_id,
        environment_id: promotion.target_environment_id,
        release_id: promotion.release_id,
        version: promotion.version,
        promotion_id: id,
        operation_id: info.operation_id,
        deployed_at: at.into(),
    }))
}

/// The writes that record for which release and by which plan an operation runs
pub(crate) fn links(operation: &Operation) -> Result<Vec<Write>, EngineError> {
    let info = &operation.info;
    let run = PlanRun { plan_id: info.plan_id, operation_id: info.operation_id };
    let mut links = vec![Write::Upsert(record(&info.scope, &run)?)];
    links.extend(release_run(operation)?);
    Ok(links)
}

/// The write that records what runs for a release
pub(super) fn release_run(operation: &Operation) -> Result<Option<Write>, EngineError> {
    let info = &operation.info;
    let Some(release_id) = info.release_id else { return Ok(None) };
    let run = ReleaseRun { release_id, operation_id: info.operation_id };
    Ok(Some(Write::Upsert(record(&info.scope, &run)?)))
}

/// Makes the row of a deployment that has ended, unless a later one was brought there
pub(super) async fn project(engine: &Engine, operation: &Operation) -> Result<(), EngineError> {
    match row(engine, operation).await? {
        Some(row) => put(engine, &operation.info.scope, &row).await.map(drop),
        None => Ok(()),
    }
}

/// Whether the row had to be written
///
/// A later one that is there stays only if it is what its own operation makes: its date is no proof.
pub(super) async fn put(engine: &Engine, scope: &Scope, row: &Deployed) -> Result<bool, EngineError> {
    for _ in 0..TRIES {
        let wanted = record(scope, row)?;
        let write = match engine.table.read::<Deployed>(&wanted.key).await? {
            None => Write::Create(wanted),
            Some((found, _)) if found == *row => return Ok(false),
            Some((found, _)) if found.is_after(row) && is_true(engine, scope, &found).await? => {
                return Ok(false);
            }
            Some((_, expected)) => Write::Replace { expected, record: wanted },
        };
        if engine.commit(&[write]).await? {
            return Ok(true);
        }
    }
    Err(TransactError::Conflict(vec![0]).into())
}

/// Whether the row is what the operation that it names makes
pub(super) async fn is_true(engine: &Engine, scope: &Scope, found: &Deployed) -> Result<bool, EngineError> {
    match engine.table.operation_get(scope, found.operation_id).await? {
        Some(operation) => Ok(row(engine, &operation).await?.as_ref() == Some(found)),
        None => Ok(false),
    }
}
