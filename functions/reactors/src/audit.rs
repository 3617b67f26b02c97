//! The audit chain: events leave the table's outbox for objects that nobody can replace
//!
//! One sequencer per workspace in effect: two that run at a time write the same object, and one adopts what
//! the other wrote. The rows are marked and the head is moved in one transaction, so that nothing is sealed twice.

use crate::ReactorError;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use weir_domain::{
    audit::{
        AuditEvent,
        chain::{AuditEntry, AuditHead},
    },
    definition::{address::Kind, spec::Tenant},
    id::{AuditId, Id as _},
    scope::Scope,
    time::{Millis, Time},
};
use weir_edge::Cx;
use weir_ledger::audit::Appended;
use weir_store::{Image, Key, Record, Write, stream::StreamEvent};

/// Nobody may remove audit objects before this: seven years
const RETAIN: Millis = Millis::from_secs(7 * 365 * 24 * 3600);

/// How often a batch that met another sequencer is tried again
const TRIES: u32 = 8;

/// Seals the events of the batch
pub(crate) async fn run(cx: &Cx, event: Value) -> Result<Value, ReactorError> {
    let event: StreamEvent = serde_json::from_value(event)?;
    let mut keys: BTreeMap<AuditId, Key> = BTreeMap::new();
    for record in event.records {
        if let Some(Image::Record(row)) = record.change()?.new
            && let Ok(event) = row.entity::<AuditEvent>()
        {
            keys.insert(event.id, row.key);
        }
    }
    for _ in 0..TRIES {
        if seal(cx, &keys).await? {
            return Ok(json!({ "batchItemFailures": [] }));
        }
    }
    Err(ReactorError::Unsealable("other sequencers were always first".to_owned()))
}

/// One step of the sequencer; whether every event of the batch is sealed
async fn seal(cx: &Cx, keys: &BTreeMap<AuditId, Key>) -> Result<bool, ReactorError> {
    let scope = cx.workspace();
    let stored = cx.table().get(&Key::audit_head(&scope)).await?;
    let head = match &stored {
        Some(record) => serde_json::from_value(record.doc.clone())?,
        None => AuditHead::genesis(&scope.workspace),
    };
    let mut rows = BTreeMap::new();
    for (id, key) in keys {
        if let Some((event, version)) = cx.table().read::<AuditEvent>(key).await?
            && event.seq.is_none()
        {
            rows.insert(*id, (event, version));
        }
    }
    if rows.is_empty() {
        return Ok(true);
    }
    let entries = rows.values().map(|(event, _)| AuditEntry::new(event)).collect::<Result<Vec<_>, _>>();
    let entries = entries.map_err(|error| ReactorError::Unsealable(error.to_string()))?;
    let now = cx.clock.now();
    let appended = cx.ledger().audit_append(&head, &entries, now, now + RETAIN).await?;
    let writes = marks(cx, &scope, keys, rows, stored, &appended).await?;
    match cx.table().transact(&writes).await {
        Ok(()) => Ok(appended.left == 0),
        Err(weir_store::TransactError::Conflict(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The head's move, and the mark on each row that is sealed by it
async fn marks(
    cx: &Cx,
    scope: &Scope,
    keys: &BTreeMap<AuditId, Key>,
    mut rows: BTreeMap<AuditId, (AuditEvent, u64)>,
    stored: Option<Record>,
    appended: &Appended,
) -> Result<Vec<Write>, ReactorError> {
    let head = Record {
        key: Key::audit_head(scope),
        version: 1,
        doc: serde_json::to_value(&appended.head)?,
        list: None,
        expires_at: None,
    };
    let mut writes = vec![match stored {
        None => Write::Create(head),
        Some(before) => Write::Replace { expected: before.version, record: head },
    }];
    for (id, seq) in &appended.sealed {
        // Another sequencer may have sealed an event without living to mark it: whoever adopts its object marks it,
        // or its redelivery would seal it again.
        let found = match (keys.get(id), rows.remove(id)) {
            (Some(key), Some(row)) => Some((key.clone(), row)),
            (Some(_), None) => None,
            (None, _) => of_another(cx, scope, *id).await?,
        };
        let Some((key, (mut event, expected))) = found else { continue };
        event.seq = Some(*seq);
        let doc = serde_json::to_value(&event)?;
        let record = Record { key, version: expected, doc, list: None, expires_at: None };
        writes.push(Write::Replace { expected, record });
    }
    Ok(writes)
}

/// The unmarked row of an event that was not in this batch: its tenant is not known from its id
async fn of_another(
    cx: &Cx,
    workspace: &Scope,
    id: AuditId,
) -> Result<Option<(Key, (AuditEvent, u64))>, ReactorError> {
    let day: String = Time::from(Millis(id.millis())).to_string().chars().take(10).collect();
    let tenants = cx.engine().resources::<Tenant>(workspace, Kind::Tenant).await?;
    let names = tenants.into_iter().filter_map(|(address, _)| address.names().parse().ok());
    let scopes = names.map(|name| Scope::tenant(workspace.workspace.clone(), name));
    for scope in std::iter::once(workspace.clone()).chain(scopes) {
        let key = Key::audit(&scope, &day, id);
        if let Some((event, version)) = cx.table().read::<AuditEvent>(&key).await? {
            return Ok(event.seq.is_none().then_some((key, (event, version))));
        }
    }
    Ok(None)
}
