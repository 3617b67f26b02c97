//! What was brought where last, and what ran for a release: rows that follow from the operations
//!
//! A row is made of one operation and its promotion, and of nothing else: whoever makes it again makes the same. The
//! operation's end makes it before the operation counts as settled.

use crate::{Engine, EngineError, definition::Rebuilt, records::record};
use std::collections::BTreeMap;
use weir_domain::{
    delivery::{Deployed, Promotion},
    engine::Operation,
    operation::{OperationStatus, OperationType},
    scope::Scope,
};
use weir_store::{Entity as _, Key, ReleaseRun, TransactError, Write};

/// How often a row that others write at the same time is written again
const TRIES: u32 = 5;

/// Operations that are read at a time
const PAGE: usize = 200;

/// The row that a deployment which ended well makes
async fn row(engine: &Engine, operation: &Operation) -> Result<Option<Deployed>, EngineError> {
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

/// The write that records what runs for a release
pub(crate) fn release_run(operation: &Operation) -> Result<Option<Write>, EngineError> {
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
async fn put(engine: &Engine, scope: &Scope, row: &Deployed) -> Result<bool, EngineError> {
    for _ in 0..TRIES {
        let wanted = record(scope, row)?;
        let write = match engine.table.read::<Deployed>(&wanted.key).await? {
            None => Write::Create(wanted),
            Some((found, _)) if found == *row || found.is_after(row) => return Ok(false),
            Some((_, expected)) => Write::Replace { expected, record: wanted },
        };
        if engine.commit(&[write]).await? {
            return Ok(true);
        }
    }
    Err(TransactError::Conflict(vec![0]).into())
}

/// Makes all of these rows of `scope` again
pub(crate) async fn rebuild_rows(
    engine: &Engine,
    scope: &Scope,
    rebuilt: &mut Rebuilt,
) -> Result<(), EngineError> {
    let (mut latest, mut after) = (BTreeMap::new(), None::<String>);
    loop {
        let (operations, next) = engine.table.operations(scope, &[], after.as_deref(), PAGE).await?;
        for operation in &operations {
            if let Some(write) = release_run(operation)? {
                let is_there = engine.table.get(&write.key()).await?.is_some();
                if !is_there {
                    engine.commit(&[write]).await?;
                }
                count(rebuilt, !is_there);
            }
            let Some(row) = row(engine, operation).await? else { continue };
            let place = (row.service_id.clone(), row.environment_id.clone());
            if latest.get(&place).is_none_or(|found: &Deployed| row.is_after(found)) {
                latest.insert(place, row);
            }
        }
        let Some(next) = next else { break };
        after = Some(next);
    }
    for row in latest.values() {
        let written = put(engine, scope, row).await?;
        count(rebuilt, written);
    }
    Ok(())
}

const fn count(rebuilt: &mut Rebuilt, written: bool) {
    if written {
        rebuilt.written += 1;
    } else {
        rebuilt.unchanged += 1;
    }
}
