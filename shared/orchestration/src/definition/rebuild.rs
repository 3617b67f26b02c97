//! The rows made again from the ledger and the operations, to the same bytes, while they are read
//!
//! Row by row: each is as the ledger says before and after. One that is right already is not written. A crash leaves
//! some rows made again and some not, which is what there was before; the next attempt goes on.

use super::{
    DefinitionError, bundle,
    project::{arrived, row, scope_of},
    state, unreadable, valid,
};
use crate::{
    Engine, EngineError,
    assignments::{Background, place},
    delivery::{Origin, mark, rebuild_rows},
    records::record,
    start::Placed,
};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use weir_domain::{
    actor::Actor,
    canonical::Digest,
    definition::{
        address::{Address, Kind},
        document::Definition,
        spec::Tenant,
        state::State,
    },
    id::OperationId,
    operation::OperationType,
    planner::plan_rebuild,
    scope::{Name, Scope},
};
use weir_store::{Entity as _, Key, Query, Record, ResourceRow, Write};

/// Rows that are read at a time
const PAGE: usize = 200;

/// What became of the rows
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// The revision of the state that they hold
    pub revision: u64,
    /// Rows that were missing, or said something else
    pub written: u64,
    /// Rows of what the ledger does not have
    pub deleted: u64,
    /// Rows that were right
    pub unchanged: u64,
    /// Resources of which the ledger does not say what made them so: their rows are left as they are
    pub unknown: u64,
}

impl Rebuilt {
    /// What another attempt has to know of the counts
    pub(crate) fn kept(&self) -> BTreeMap<String, u64> {
        let kept = [
            ("revision", self.revision),
            ("written", self.written),
            ("deleted", self.deleted),
            ("unchanged", self.unchanged),
            ("unknown", self.unknown),
        ];
        kept.map(|(key, count)| (key.to_owned(), count)).into()
    }

    /// What an earlier attempt has kept
    fn of(kept: &BTreeMap<String, u64>) -> Self {
        let count = |key: &str| kept.get(key).copied().unwrap_or_default();
        Self {
            revision: count("revision"),
            written: count("written"),
            deleted: count("deleted"),
            unchanged: count("unchanged"),
            unknown: count("unknown"),
        }
    }

    /// By the keys of the type's catalogue
    pub fn counts(&self) -> Map<String, Value> {
        let counts = [
            ("rows_written", self.written),
            ("rows_deleted", self.deleted),
            ("rows_unchanged", self.unchanged),
            ("rows_unknown", self.unknown),
        ];
        counts.map(|(key, count)| (key.to_owned(), count.into())).into_iter().collect()
    }
}

/// Records and starts the operation that makes the rows of the workspace's definition again, unless one is under way
pub async fn request_rebuild(engine: &Engine, actor: &Actor, origin: &Origin) -> Result<Placed, EngineError> {
    let scope = engine.workspace();
    let graph = plan_rebuild().map_err(|error| EngineError::Inconsistent(error.to_string()))?;
    let planned = Background {
        operation_type: OperationType::ProjectionsRebuild,
        about: (Kind::Tenant, scope.workspace.to_string()),
        graph,
        identity: json!({}),
        inputs: serde_json::Map::new(),
        title: "make the rows of the definition again".to_owned(),
        bindings: Vec::new(),
        exclusive: BTreeSet::new(),
    };
    place(engine, &scope, actor, origin, planned).await
}

/// Makes the rows again, from where an earlier attempt of `operation` has come to
pub(crate) async fn rebuild(engine: &Engine, operation: OperationId) -> Result<Rebuilt, DefinitionError> {
    let scope = engine.workspace();
    let state = state(engine).await?.map(|(state, _)| state);
    let mut rebuilt = Rebuilt::default();
    // Before the sweep, which may remove a tenant's row, but never what ran for it.
    let scopes = scopes(engine, &scope, state.as_ref()).await?;
    // Where nothing was ever applied, there is nothing that rows of the definition could say.
    match (mark(engine, operation).await?, &state) {
        // These were done before that attempt began with the operations.
        (Some(mark), _) => rebuilt = Rebuilt::of(&mark.counts),
        (None, Some(state)) => rebuild_resources(engine, &scope, &scopes, state, &mut rebuilt).await?,
        (None, None) => {}
    }
    rebuild_rows(engine, operation, &scopes, &mut rebuilt).await?;
    Ok(rebuilt)
}

async fn rebuild_resources(
    engine: &Engine,
    scope: &Scope,
    scopes: &[Scope],
    state: &State,
    rebuilt: &mut Rebuilt,
) -> Result<(), DefinitionError> {
    rebuilt.revision = state.state_revision;
    let definitions = definitions(engine, state).await?;
    for (address, applied) in state.resources() {
        let by = applied.by.as_ref();
        let definition = by.and_then(|by| definitions.get(&by.definition));
        let spec = definition.and_then(|definition| definition.spec_of(address, &applied.digest));
        match spec.and_then(|spec| row(address, applied, spec)) {
            Some(row) => put(engine, &scope_of(scope, applied), &row, rebuilt).await?,
            None => rebuilt.unknown += 1,
        }
    }
    for own in scopes {
        for kind in Kind::all() {
            sweep(engine, own, kind, state, rebuilt).await?;
        }
    }
    // Where nobody applied anything meanwhile, what was announced and never came is not waited for any more.
    let now = super::state(engine).await?.map_or(0, |(state, _)| state.state_revision);
    arrived(engine, scope, rebuilt.revision, now == rebuilt.revision).await
}

/// The definitions that say what the resources are
async fn definitions(
    engine: &Engine,
    state: &State,
) -> Result<BTreeMap<Digest, Definition>, DefinitionError> {
    let named = state.resources().values().filter_map(|applied| applied.by.as_ref());
    let named: BTreeSet<&Digest> = named.map(|by| &by.definition).collect();
    let mut found = BTreeMap::new();
    for digest in named {
        found.insert(digest.clone(), valid(&bundle(engine, digest).await?, None)?);
    }
    Ok(found)
}

async fn put(
    engine: &Engine,
    scope: &Scope,
    row: &ResourceRow,
    rebuilt: &mut Rebuilt,
) -> Result<(), DefinitionError> {
    let wanted: Record = record(scope, row)?;
    let found = engine.table.read::<ResourceRow>(&wanted.key).await.map_err(EngineError::from)?;
    match found {
        Some((found, _)) if found == *row => rebuilt.unchanged += 1,
        // Applied since the state was read: newer than what is made here.
        Some((found, _)) if found.revision > row.revision.max(rebuilt.revision) => rebuilt.unchanged += 1,
        Some(_) | None => {
            engine.commit(&[Write::Upsert(wanted)]).await?;
            rebuilt.written += 1;
        }
    }
    Ok(())
}

/// The workspace and every tenant that has or is a resource
async fn scopes(engine: &Engine, outer: &Scope, state: Option<&State>) -> Result<Vec<Scope>, EngineError> {
    let rows = engine.resources::<Tenant>(outer, Kind::Tenant).await?;
    let mut addresses: Vec<Address> = rows.into_iter().map(|(address, _)| address).collect();
    let mut all = BTreeSet::new();
    for (address, applied) in state.iter().flat_map(|state| state.resources()) {
        all.extend(applied.tenant.clone());
        addresses.extend((address.kind() == Kind::Tenant).then(|| address.clone()));
    }
    all.extend(addresses.iter().filter_map(|address| address.names().parse::<Name>().ok()));
    let of = |tenant| Scope::tenant(outer.workspace.clone(), tenant);
    Ok(std::iter::once(outer.clone()).chain(all.into_iter().map(of)).collect())
}

/// Removes the rows of one kind that the ledger does not have
async fn sweep(
    engine: &Engine,
    scope: &Scope,
    kind: Kind,
    state: &State,
    rebuilt: &mut Rebuilt,
) -> Result<(), DefinitionError> {
    let pk = Key::resource_partition(scope, kind.as_str());
    let (query, mut after) = (Query::Partition { pk, prefix: String::new() }, None::<String>);
    let is_applied = |address: &Address| {
        state.resources().get(address).is_some_and(|applied| applied.tenant == scope.tenant)
    };
    loop {
        let page = engine.table.query(&query, after.as_deref(), PAGE).await.map_err(EngineError::from)?;
        for record in &page.records {
            let row: ResourceRow = record.entity().map_err(unreadable)?;
            if is_applied(&row.address) || row.revision > rebuilt.revision {
                continue;
            }
            let remove = Write::Delete { key: row.key(scope), expected: record.version };
            rebuilt.deleted += u64::from(engine.commit(&[remove]).await?);
        }
        let Some(next) = page.next else { return Ok(()) };
        after = Some(next);
    }
}
