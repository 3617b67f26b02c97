//! The table's rows of the definition: projections of the state ledger

use super::DefinitionError;
use crate::{Engine, EngineError, records::record};
use serde_json::{Map, Value};
use weir_domain::{
    definition::{
        document::Definition,
        plan::{Change, DefinitionPlan, Operation as ChangeOperation},
    },
    engine::Operation,
    scope::Scope,
};
use weir_store::{Key, ResourceRow, WRITES_MAX, Write};

/// Brings the table's rows of one group to what the ledger says
pub(super) async fn project(
    engine: &Engine,
    operation: &Operation,
    definition: &Definition,
    changes: &DefinitionPlan,
    group: usize,
    revision: u64,
) -> Result<(), DefinitionError> {
    let members = changes.groups.get(group).map(Vec::as_slice).unwrap_or_default();
    let mut writes = Vec::new();
    for change in changes.changes.iter().filter(|change| members.contains(&change.resource)) {
        writes.extend(projection(engine, operation, definition, change, revision).await?);
    }
    for chunk in writes.chunks(WRITES_MAX) {
        engine.table.transact(chunk).await.map_err(EngineError::from)?;
    }
    Ok(())
}

async fn projection(
    engine: &Engine,
    operation: &Operation,
    definition: &Definition,
    change: &Change,
    revision: u64,
) -> Result<Option<Write>, DefinitionError> {
    let outer = operation.info.scope.outer();
    let scope = match &change.tenant {
        Some(tenant) => Scope::tenant(outer.workspace.clone(), tenant.clone()),
        None => outer,
    };
    let key = Key::resource(&scope, &change.resource.kind().to_string(), &change.resource.to_string());
    match (change.operation, definition.resources.get(&change.resource)) {
        (ChangeOperation::Create | ChangeOperation::Update, Some(resource)) => {
            let row = ResourceRow {
                address: change.resource.clone(),
                spec: resource.spec.clone(),
                digest: resource.digest.clone(),
                revision,
                operation_id: operation.info.operation_id,
                applied_at: engine.clock.now().into(),
            };
            Ok(Some(Write::Upsert(record(&scope, &row)?)))
        }
        (ChangeOperation::Delete, _) | (ChangeOperation::Create | ChangeOperation::Update, None) => {
            let found = engine.table.get(&key).await.map_err(EngineError::from)?;
            Ok(found.map(|found| Write::Delete { key, expected: found.version }))
        }
    }
}

/// What a group counts: the same however often it is applied
pub(super) fn counts(changes: &DefinitionPlan, group: usize) -> Map<String, Value> {
    let members = changes.groups.get(group).map(Vec::as_slice).unwrap_or_default();
    let count = |wanted: ChangeOperation| {
        let found =
            changes.changes.iter().filter(|it| it.operation == wanted && members.contains(&it.resource));
        Value::from(found.count())
    };
    let counts = [
        ("resources_created", count(ChangeOperation::Create)),
        ("resources_updated", count(ChangeOperation::Update)),
        ("resources_deleted", count(ChangeOperation::Delete)),
        ("groups_applied", Value::from(1)),
    ];
    counts.map(|(key, count)| (key.to_owned(), count)).into_iter().collect()
}
