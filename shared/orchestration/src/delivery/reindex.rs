//! The rows of [`super::index`] made again: what follows from each operation is put, and what follows from none is removed
//!
//! Operation by operation, some at a time. After each page is written down how far it is, so that an attempt that comes
//! to its end leaves the rest to the next one.

use super::index::{is_true, links, put, release_run, row};
use crate::{Engine, EngineError, definition::Rebuilt, records::record};
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};
use weir_domain::{
    definition::{
        address::{Address, Kind},
        spec::Service,
    },
    delivery::{Deployed, Release, ReleaseStatus},
    engine::Operation,
    id::{OperationId, ReleaseId},
    scope::Scope,
    time::Millis,
};
use weir_store::{Entity, Key, Query, RebuildMark, Record, ReleaseRun, Write};

/// Operations, releases or rows that are read at a time
const PAGE: usize = 200;

/// How many of them are looked at at once
const PARALLEL: usize = 16;

/// Releases of every status
const RELEASES: [ReleaseStatus; 4] =
    [ReleaseStatus::Draft, ReleaseStatus::Ready, ReleaseStatus::Deployed, ReleaseStatus::Deprecated];

/// How long a mark is kept: longer than all attempts together
const MARK_LIFE: Millis = Millis::from_secs(7 * 24 * 3_600);

/// What one operation's rows came to
#[derive(Debug, Clone, Copy, Default)]
struct Came {
    written: u64,
    unchanged: u64,
}

/// Makes all of these rows of `scopes` again; `rebuilt` is what was counted before
pub(crate) async fn rebuild_rows(
    engine: &Engine,
    operation: OperationId,
    scopes: &[Scope],
    rebuilt: &mut Rebuilt,
) -> Result<(), EngineError> {
    let mark = mark(engine, operation).await?;
    let begun = mark.as_ref().and_then(|mark| scopes.iter().position(|scope| *scope == mark.at));
    for (place, scope) in scopes.iter().enumerate().skip(begun.unwrap_or(0)) {
        let here = mark.as_ref().filter(|_| begun == Some(place));
        let mut after = here.and_then(|mark| mark.after.clone());
        let is_done = here.is_some() && after.is_none();
        if !is_done {
            loop {
                let (operations, next) = engine.table.operations(scope, &[], after.as_deref(), PAGE).await?;
                put_all(engine, scope, &operations, rebuilt).await?;
                keep(engine, operation, scope, next.clone(), rebuilt).await?;
                if next.is_none() {
                    break;
                }
                after = next;
            }
        }
        rebuilt.deleted += sweep(engine, scope).await?;
    }
    Ok(())
}

/// How far an earlier attempt of the operation has come
pub(crate) async fn mark(
    engine: &Engine,
    operation: OperationId,
) -> Result<Option<RebuildMark>, EngineError> {
    let key = Key::entity(&engine.workspace(), RebuildMark::KIND, operation);
    Ok(engine.table.read::<RebuildMark>(&key).await?.map(|(mark, _)| mark))
}

async fn keep(
    engine: &Engine,
    operation_id: OperationId,
    at: &Scope,
    after: Option<String>,
    rebuilt: &Rebuilt,
) -> Result<(), EngineError> {
    let forget_at = (engine.clock.now() + MARK_LIFE).into();
    let mark = RebuildMark { operation_id, at: at.clone(), after, counts: rebuilt.kept(), forget_at };
    engine.commit(&[Write::Upsert(record(&engine.workspace(), &mark)?)]).await?;
    Ok(())
}

/// Puts the rows that follow from these operations of `scope`, some at a time
async fn put_all(
    engine: &Engine,
    scope: &Scope,
    operations: &[Operation],
    rebuilt: &mut Rebuilt,
) -> Result<(), EngineError> {
    let puts: Vec<_> = operations.iter().map(|operation| put_links(engine, operation).boxed()).collect();
    let came: Vec<Came> = stream::iter(puts).buffer_unordered(PARALLEL).try_collect().await?;
    let rows: Vec<_> = operations.iter().map(|operation| row(engine, operation).boxed()).collect();
    let rows: Vec<Option<Deployed>> = stream::iter(rows).buffer_unordered(PARALLEL).try_collect().await?;
    let (latest, others) = latest(rows.into_iter().flatten());
    let puts: Vec<_> = latest.iter().map(|row| put(engine, scope, row).boxed()).collect();
    let written: Vec<bool> = stream::iter(puts).buffer_unordered(PARALLEL).try_collect().await?;
    let row = |is_written: bool| Came { written: u64::from(is_written), unchanged: u64::from(!is_written) };
    for came in came.into_iter().chain(written.into_iter().map(row)) {
        rebuilt.written += came.written;
        rebuilt.unchanged += came.unchanged;
    }
    rebuilt.unchanged += others;
    Ok(())
}

/// The latest row of each service and environment, and how many others there are
///
/// They would be put over each other at the same time, until one of them gave up.
fn latest(rows: impl Iterator<Item = Deployed>) -> (Vec<Deployed>, u64) {
    let (mut latest, mut others) = (BTreeMap::<(Address, Address), Deployed>::new(), 0);
    for row in rows {
        match latest.entry((row.service_id.clone(), row.environment_id.clone())) {
            Entry::Vacant(place) => drop(place.insert(row)),
            Entry::Occupied(mut place) => {
                others += 1;
                if row.is_after(place.get()) {
                    place.insert(row);
                }
            }
        }
    }
    (latest.into_values().collect(), others)
}

/// Puts the rows that say for which release and by which plan an operation runs
async fn put_links(engine: &Engine, operation: &Operation) -> Result<Came, EngineError> {
    let mut came = Came::default();
    let counted = release_run(operation)?.map(|write| write.key());
    for link in links(operation)? {
        let is_there = engine.table.get(&link.key()).await?.is_some();
        let is_counted = counted.as_ref() == Some(&link.key());
        if !is_there {
            engine.commit(&[link]).await?;
        }
        came.written += u64::from(!is_there);
        came.unchanged += u64::from(is_there && is_counted);
    }
    Ok(came)
}

/// Removes the rows that follow from no operation: of each service that the definition has or that was delivered, and of
/// each release
async fn sweep(engine: &Engine, scope: &Scope) -> Result<u64, EngineError> {
    let known = engine.resources::<Service>(scope, Kind::Service).await?;
    let mut services: BTreeSet<Address> = known.into_iter().map(|(address, _)| address).collect();
    let mut releases: BTreeSet<ReleaseId> = BTreeSet::new();
    let lists = RELEASES.iter().map(|status| Key::list(scope, Release::KIND, status.as_str()));
    for release in all::<Release>(engine, &Query::Lists(lists.collect())).await? {
        services.insert(release.service_id);
        releases.insert(release.id);
    }
    let of_services = services.iter().map(|service| Key::deployed_partition(scope, service));
    let of_releases = releases.iter().map(|release| Key::release_run_partition(scope, *release));
    let sweeps = of_services.chain(of_releases).map(|pk| sweep_partition(engine, scope, pk));
    let sweeps: Vec<_> = sweeps.collect();
    let removed: Vec<u64> = stream::iter(sweeps).buffer_unordered(PARALLEL).try_collect().await?;
    Ok(removed.into_iter().sum())
}

/// Removes what is wrong of one partition, and says how much that was
async fn sweep_partition(engine: &Engine, scope: &Scope, pk: String) -> Result<u64, EngineError> {
    let query = Query::Partition { pk, prefix: String::new() };
    let mut removed = 0;
    for found in records(engine, &query).await? {
        if follows(engine, scope, &found).await? {
            continue;
        }
        let remove = Write::Delete { key: found.key, expected: found.version };
        removed += u64::from(engine.commit(&[remove]).await?);
    }
    Ok(removed)
}

/// Whether a row says what the operation that it names makes, and stands where that belongs
async fn follows(engine: &Engine, scope: &Scope, found: &Record) -> Result<bool, EngineError> {
    if let Ok(row) = found.entity::<Deployed>() {
        return Ok(row.key(scope) == found.key && is_true(engine, scope, &row).await?);
    }
    let Ok(run) = found.entity::<ReleaseRun>() else { return Ok(false) };
    let operation = engine.table.operation_get(scope, run.operation_id).await?;
    let release = operation.and_then(|operation| operation.info.release_id);
    Ok(run.key(scope) == found.key && release == Some(run.release_id))
}

async fn all<E: Entity>(engine: &Engine, query: &Query) -> Result<Vec<E>, EngineError> {
    let mut found = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let (entities, next) = engine.table.list::<E>(query, after.as_deref(), PAGE).await?;
        found.extend(entities);
        let Some(next) = next else { return Ok(found) };
        after = Some(next);
    }
}

async fn records(engine: &Engine, query: &Query) -> Result<Vec<Record>, EngineError> {
    let mut found = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = engine.table.query(query, after.as_deref(), PAGE).await?;
        found.extend(page.records);
        let Some(next) = page.next else { return Ok(found) };
        after = Some(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_domain::id::{Id as _, PromotionId};

    #[test]
    fn of_a_page_only_the_latest_row_of_a_place_is_put() {
        let row = |environment: &str, at: u64| Deployed {
            service_id: "service.shop".parse().unwrap(),
            environment_id: environment.parse().unwrap(),
            release_id: ReleaseId::new(1, 0),
            version: at.to_string(),
            promotion_id: PromotionId::new(1, 0),
            operation_id: OperationId::new(1, u128::from(at)),
            deployed_at: Millis(7).into(),
        };
        let (production, staging) = ("environment.production", "environment.staging");
        let rows = [row(staging, 2), row(production, 1), row(staging, 3), row(staging, 1)];
        assert_eq!(latest(rows.into_iter()), (vec![row(production, 1), row(staging, 3)], 2));
    }
}
