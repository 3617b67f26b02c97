//! Operations as items

use super::{
    attribute::{Document, EncodeError, Item, ItemBuilder, Malformed, corrupt, item_name, take},
    expression::{Built, Expression},
};
use crate::{Key, StoreError, schema, wake_shard};
use std::collections::BTreeSet;
use strum::VariantArray as _;
use weir_domain::{
    engine::{Operation, OperationInfo, OperationUpdate, TODO_CANCEL, TODO_FINISH, TODO_PATCH, TODO_RESUME},
    operation::OperationStatus,
    scope::Scope,
    time::Millis,
};

const STATUS: &str = "status";

/// The item that holds `operation`
pub(super) fn to_item(operation: &Operation) -> Result<Item, EncodeError> {
    let info = &operation.info;
    let counts = (!operation.summary_counts.is_empty()).then(|| Document(operation.summary_counts.clone()));
    ItemBuilder::new(&Key::operation(&info.scope, info.operation_id))
        .with("info", &Document(info.clone()))
        .with(STATUS, &operation.status)
        .with(schema::LISTS.hash, &Key::operation_list(&info.scope, operation.status))
        .with(schema::LISTS.range, &info.operation_id.to_string())
        .with("paused", &operation.paused)
        .with("paused_by", &operation.paused_by)
        .with("paused_at", &operation.paused_at)
        .with("cancel", &operation.cancel)
        .with("cancelled_by", &operation.cancelled_by)
        .with("cancelled_because", &operation.cancelled_because)
        .with("materialised", &operation.materialised)
        .with("open", &operation.open)
        .with("patch_seq", &operation.patch_seq)
        .with("reserved", &(operation.reserved > 0).then_some(operation.reserved))
        .with("effective", &operation.effective.clone().map(Document))
        .with("revivals", &operation.revivals)
        .with("tokens", &operation.tokens)
        .with("todo", &operation.todo)
        .with("finished", &operation.finished)
        .with(schema::WAKES.hash, &wake_shard(info.operation_id, 0))
        .with(schema::WAKES.range, &operation.wake)
        .with("started_at", &operation.started_at)
        .with("completed_at", &operation.completed_at)
        .with("failure", &operation.failure_summary.clone().map(Document))
        .with("counts", &counts)
        .build()
}

/// The operation that `item` holds
pub(super) fn from_item(mut item: Item) -> Result<Operation, StoreError> {
    let name = item_name(&item);
    read(&mut item).map_err(|cause| corrupt(name, cause))
}

fn read(item: &mut Item) -> Result<Operation, Malformed> {
    let Document::<OperationInfo>(info) = take(item, "info")?;
    Ok(Operation {
        info,
        status: take(item, STATUS)?,
        paused: take(item, "paused")?,
        paused_by: take(item, "paused_by")?,
        paused_at: take(item, "paused_at")?,
        cancel: take(item, "cancel")?,
        cancelled_by: take(item, "cancelled_by")?,
        cancelled_because: take(item, "cancelled_because")?,
        materialised: take(item, "materialised")?,
        open: take(item, "open")?,
        patch_seq: take(item, "patch_seq")?,
        reserved: take::<Option<u32>>(item, "reserved")?.unwrap_or_default(),
        effective: take::<Option<Document<_>>>(item, "effective")?.map(|Document(effective)| effective),
        revivals: take(item, "revivals")?,
        tokens: take(item, "tokens")?,
        todo: take(item, "todo")?,
        finished: take(item, "finished")?,
        wake: take(item, schema::WAKES.range)?,
        started_at: take(item, "started_at")?,
        completed_at: take(item, "completed_at")?,
        failure_summary: take::<Option<Document<_>>>(item, "failure")?.map(|Document(failure)| failure),
        summary_counts: take::<Option<Document<_>>>(item, "counts")?
            .map(|Document(counts)| counts)
            .unwrap_or_default(),
    })
}

/// `update` as one conditional request: what [`OperationUpdate::apply`] says, in DynamoDB's words
pub(super) fn expression(scope: &Scope, update: &OperationUpdate) -> Result<Built, EncodeError> {
    let conditional = condition(Expression::new(), update);
    change(conditional, scope, update).build()
}

/// As [`OperationUpdate::allows`]
fn condition(on: Expression, update: &OperationUpdate) -> Expression {
    type U = OperationUpdate;
    let ended: Vec<_> =
        OperationStatus::VARIANTS.iter().copied().filter(|status| status.is_terminal()).collect();
    let active = |on: Expression| on.when_none_of(STATUS, &ended);
    match update {
        U::Arrive { .. } | U::AddTodo { .. } | U::RemoveTodo { .. } | U::CloseSegment { .. } => on,
        U::Rest { .. } => on.when_absent("todo"),
        U::Materialise { .. } => active(on).when_absent("materialised"),
        U::Revive { seen } => active(on).when("revivals", seen),
        U::Finish { .. } => active(on).when_absent("open"),
        U::Finished => on.when_one_of(STATUS, &ended),
        U::Cancel { .. } => active(on).when_absent("cancel"),
        U::Pause { .. } => active(on).when_absent("cancel").when_absent("paused"),
        U::Resume { .. } => active(on).when_present("paused"),
        U::Reserve { .. } => active(on).when_absent("cancel"),
        U::Patch { seen, .. } => {
            on.when("patch_seq", seen).when_present("materialised").when_present("open").when_absent("cancel")
        }
    }
}

/// As the change that [`OperationUpdate::apply`] makes; the list follows the status
fn change(on: Expression, scope: &Scope, update: &OperationUpdate) -> Expression {
    type U = OperationUpdate;
    let moved = |on: Expression, status: OperationStatus| {
        on.set(STATUS, &status).set(schema::LISTS.hash, &Key::operation_list(scope, status))
    };
    match update {
        U::Arrive { token } => on.include("tokens", &BTreeSet::from([token.clone()])),
        U::Materialise { now } => {
            moved(on, OperationStatus::Running).set("materialised", &true).set("started_at", now)
        }
        U::AddTodo { name, wake } => todo(on, name, *wake),
        U::RemoveTodo { name } => on.exclude("todo", &BTreeSet::from([name.clone()])),
        U::Rest { wake } => on.set(schema::WAKES.range, wake),
        U::CloseSegment { segment } => on.exclude("open", &BTreeSet::from([*segment])),
        U::Revive { .. } => on.increment("revivals"),
        U::Finish { status, now, wake, failure_summary, summary_counts } => {
            let counts = (!summary_counts.is_empty()).then(|| Document(summary_counts.clone()));
            let on = moved(on, *status)
                .set("completed_at", now)
                .set("failure", &failure_summary.clone().map(Document))
                .set("counts", &counts);
            todo(on, TODO_FINISH, *wake)
        }
        U::Finished => on.set("finished", &true),
        U::Cancel { by, why, wake } => {
            let on = on.set("cancel", &true).set("cancelled_by", by).set("cancelled_because", why);
            todo(on, TODO_CANCEL, *wake)
        }
        U::Pause { by, now } => on.set("paused", &true).set("paused_by", by).set("paused_at", now),
        U::Resume { id, wake } => {
            let on = on.remove("paused").remove("paused_by").remove("paused_at");
            todo(on, &format!("{TODO_RESUME}{id}"), *wake)
        }
        U::Reserve { segments } => on.include("reserved", segments),
        U::Patch { seen, effective, open, wake } => {
            let on = on.set("patch_seq", &(seen + 1)).set("effective", &Document(effective.clone()));
            todo(on.include("open", open), &format!("{TODO_PATCH}{}", seen + 1), *wake)
        }
    }
}

fn todo(on: Expression, name: &str, wake: Millis) -> Expression {
    on.include("todo", &BTreeSet::from([name.to_owned()])).set(schema::WAKES.range, &wake)
}
