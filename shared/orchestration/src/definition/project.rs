//! The table's rows of the definition: projections of the state ledger
//!
//! A row is made of nothing but the ledger: what the state says of the resource, and what the definition that it names
//! says it is. So whoever makes it again makes the same bytes. The head says how far the rows have come: a revision is
//! announced before it is swapped in, so that a reader is told of one that is true already and not projected yet.

use super::DefinitionError;
use crate::{Engine, EngineError, records::record};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use weir_domain::{
    definition::{
        address::Address,
        document::Definition,
        plan::{DefinitionPlan, Operation as ChangeOperation},
        state::{AppliedResource, State},
    },
    scope::Scope,
    time::Time,
};
use weir_store::{Entity, Key, ResourceRow, WRITES_MAX, Write};

/// How often a head that others move at the same time is moved again
const HEAD_TRIES: u32 = 8;

/// How far the rows of a workspace's definition have come
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectionHead {
    /// The last revision of the state that somebody set out to write
    pub announced: u64,
    /// The last revision that the rows hold
    pub revision: u64,
    /// When they last came to hold one
    pub as_of: Time,
}

impl Entity for ProjectionHead {
    const KIND: &'static str = "projection";

    fn key(&self, scope: &Scope) -> Key {
        Self::place(scope)
    }
}

impl ProjectionHead {
    fn place(scope: &Scope) -> Key {
        Key::entity(&scope.outer(), Self::KIND, "resources")
    }

    /// How many revisions the rows may be behind the ledger: more than none only while a change is being applied, or
    /// after one that was cut off
    pub const fn behind(&self) -> u64 {
        self.announced.saturating_sub(self.revision)
    }
}

/// How far the rows of the workspace have come; none where nothing was ever applied
pub async fn projection_head(engine: &Engine, scope: &Scope) -> Result<Option<ProjectionHead>, EngineError> {
    let found = engine.table.read::<ProjectionHead>(&ProjectionHead::place(scope)).await?;
    Ok(found.map(|(head, _)| head))
}

/// The resources of one group
pub(super) fn members(changes: &DefinitionPlan, group: usize) -> &[Address] {
    changes.groups.get(group).map(Vec::as_slice).unwrap_or_default()
}

/// Tells that `revision` is about to be written
pub(super) async fn announce(engine: &Engine, scope: &Scope, revision: u64) -> Result<(), DefinitionError> {
    let announce = |head: ProjectionHead| ProjectionHead { announced: head.announced.max(revision), ..head };
    Ok(move_head(engine, scope, announce).await?)
}

/// Tells that the rows hold `state`; `exactly` also takes back what was announced and never came
pub(super) async fn arrived(
    engine: &Engine,
    scope: &Scope,
    revision: u64,
    exactly: bool,
) -> Result<(), DefinitionError> {
    let now = Time::from(engine.clock.now());
    let arrive = |head: ProjectionHead| {
        if exactly || head.revision < revision {
            let announced = if exactly { revision } else { head.announced.max(revision) };
            ProjectionHead { announced, revision, as_of: now }
        } else {
            head
        }
    };
    Ok(move_head(engine, scope, arrive).await?)
}

async fn move_head(
    engine: &Engine,
    scope: &Scope,
    change: impl Fn(ProjectionHead) -> ProjectionHead,
) -> Result<(), EngineError> {
    for _ in 0..HEAD_TRIES {
        let found = engine.table.read::<ProjectionHead>(&ProjectionHead::place(scope)).await?;
        let write = match found {
            Some((head, expected)) => {
                let after = change(head.clone());
                if after == head {
                    return Ok(());
                }
                Write::Replace { expected, record: record(scope, &after)? }
            }
            None => {
                let first = ProjectionHead { announced: 0, revision: 0, as_of: engine.clock.now().into() };
                Write::Create(record(scope, &change(first))?)
            }
        };
        if engine.commit(&[write]).await? {
            return Ok(());
        }
    }
    Err(weir_store::TransactError::Conflict(vec![0]).into())
}

/// Brings the table's rows of one group to what the ledger says
pub(super) async fn project(
    engine: &Engine,
    scope: &Scope,
    state: &State,
    definition: &Definition,
    changes: &DefinitionPlan,
    group: usize,
) -> Result<(), DefinitionError> {
    let members = members(changes, group);
    let mut writes = Vec::new();
    for change in changes.changes.iter().filter(|change| members.contains(&change.resource)) {
        let address = &change.resource;
        if let Some(applied) = state.resources().get(address) {
            let spec = definition.spec_of(address, &applied.digest);
            let row = spec.and_then(|spec| row(address, applied, spec));
            // One that is not of this definition any more was projected by whoever applied it since.
            let own = scope_of(scope, applied);
            writes.extend(row.map(|row| record(&own, &row).map(Write::Upsert)).transpose()?);
        } else {
            let own = match &change.tenant {
                Some(tenant) => Scope::tenant(scope.workspace.clone(), tenant.clone()),
                None => scope.clone(),
            };
            writes.extend(removal(engine, &own, address).await?);
        }
    }
    for chunk in writes.chunks(WRITES_MAX) {
        engine.table.transact(chunk).await.map_err(EngineError::from)?;
    }
    arrived(engine, scope, state.state_revision, false).await
}

/// Whose a resource is
pub(super) fn scope_of(outer: &Scope, applied: &AppliedResource) -> Scope {
    match &applied.tenant {
        Some(tenant) => Scope::tenant(outer.workspace.clone(), tenant.clone()),
        None => outer.clone(),
    }
}

/// The row of a resource; none where the ledger does not say what made it so
pub(super) fn row(address: &Address, applied: &AppliedResource, spec: Value) -> Option<ResourceRow> {
    let by = applied.by.as_ref()?;
    Some(ResourceRow {
        address: address.clone(),
        spec,
        digest: applied.digest.clone(),
        revision: by.revision,
        operation_id: by.operation_id,
        applied_at: by.at.into(),
    })
}

/// The write that removes the row of `address`, if there is one
async fn removal(engine: &Engine, scope: &Scope, address: &Address) -> Result<Option<Write>, EngineError> {
    let key = Key::resource(scope, address.kind().as_str(), address.as_str());
    let found = engine.table.get(&key).await?;
    Ok(found.map(|found| Write::Delete { key, expected: found.version }))
}

/// What a group counts: the same however often it is applied
pub(super) fn counts(changes: &DefinitionPlan, group: usize) -> Map<String, Value> {
    let members = members(changes, group);
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
