//! `assignments.restore`: one batch of a snapshot, put back assignment by assignment
//!
//! Each is looked at and put where it differs, so it may be done again by anyone. What became of each is written down
//! when the attempt ends, whichever way; the next one goes on with what is open.

use super::{input, unavailable};
use crate::Engine;
use futures::{StreamExt as _, stream};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use weir_adapters::{Done, Failed, assignments::Directory};
use weir_domain::{
    assignment::{Assignment, RestoreReport, RestoreResult, Restored},
    canonical::Digest,
    engine::{NodeRun, Operation},
    plan::JobContract,
    sanitise::sanitise,
};

/// How many are under way at a time
const PARALLEL: usize = 4;

/// Time that is left at the end to write down what was done
const RESERVE: Duration = Duration::from_secs(60);

/// After so many in a row without an answer nobody is asked any more
const TROUBLE_MAX: usize = 8;

impl Engine {
    /// Puts a batch back
    pub(super) async fn restore_assignments(
        &self,
        operation: &Operation,
        node: &NodeRun,
        contract: &JobContract,
    ) -> Result<Done, Failed> {
        let until =
            Instant::now() + Duration::from_secs(u64::from(contract.timeout_s)).saturating_sub(RESERVE);
        let (directory, _) = self.directory(operation, contract).await?;
        let batch = self.batch(contract).await?;
        let id = operation.info.operation_id;
        let mut done = self.done_before(operation, node).await?;
        let (mut hold, mut trouble) = (None, 0);
        let todo: Vec<_> = batch.iter().filter(|it| !done.contains_key(&it.id)).cloned().collect();
        let mut results = stream::iter(todo.into_iter().map(|wanted| {
            let (directory, key) = (&directory, format!("{id}/{}", wanted.id));
            async move { (put_back(directory, &wanted, &key).await, wanted.id) }
        }))
        .buffered(PARALLEL);
        while let Some((result, id)) = results.next().await {
            let (result, message) = match result {
                Ok(result) => (result, None),
                Err(failed) => {
                    trouble = if failed.retryable { trouble + 1 } else { 0 };
                    hold = hold.max(failed.retry_after);
                    let result = if failed.retryable { RestoreResult::Open } else { RestoreResult::Failed };
                    (result, Some(sanitise(&failed.message)))
                }
            };
            if message.is_none() {
                trouble = 0;
            }
            done.insert(id.clone(), Restored { id, result, message });
            if trouble >= TROUBLE_MAX || hold.is_some() || Instant::now() >= until {
                break;
            }
        }
        drop(results);
        let open = |id: &String| Restored { id: id.clone(), result: RestoreResult::Open, message: None };
        let results = batch.iter().map(|it| done.remove(&it.id).unwrap_or_else(|| open(&it.id)));
        self.ended(operation, node, RestoreReport::new(results.collect()), hold).await
    }

    /// The assignments that the contract is about
    async fn batch(&self, contract: &JobContract) -> Result<Vec<Assignment>, Failed> {
        let digest: Digest = input(contract, "digest")?;
        let all = self.snapshot(&digest).await.map_err(unavailable)?.assignments;
        let only: Option<Vec<String>> = input(contract, "only")?;
        if let Some(only) = only {
            return Ok(all.into_iter().filter(|it| only.contains(&it.id)).collect());
        }
        let (from, to): (usize, usize) = (input(contract, "from")?, input(contract, "to")?);
        Ok(all.into_iter().take(to).skip(from).collect())
    }

    /// What the attempt before this one has brought to an end
    async fn done_before(
        &self,
        operation: &Operation,
        node: &NodeRun,
    ) -> Result<BTreeMap<String, Restored>, Failed> {
        let Some(before) = node.attempt.checked_sub(1).filter(|before| *before > 0) else {
            return Ok(BTreeMap::new());
        };
        let said = self.ledger.outputs_get(operation.info.operation_id, node.ordinal, before).await;
        let report =
            said.map_err(unavailable)?.and_then(|it| serde_json::from_slice::<RestoreReport>(&it).ok());
        let ended = report.unwrap_or_default().results.into_iter();
        Ok(ended.filter(|it| it.result != RestoreResult::Open).map(|it| (it.id.clone(), it)).collect())
    }

    /// Writes down what became of each, and says how it ended
    async fn ended(
        &self,
        operation: &Operation,
        node: &NodeRun,
        report: RestoreReport,
        hold: Option<Duration>,
    ) -> Result<Done, Failed> {
        let bytes = serde_json::to_vec(&report).unwrap_or_default();
        let kept =
            self.ledger.outputs_put(operation.info.operation_id, node.ordinal, node.attempt, bytes).await;
        kept.map_err(unavailable)?;
        let mut log = format!(
            "{} put back, {} unchanged, {} not put back\n",
            report.assignments_restored, report.assignments_unchanged, report.assignments_failed
        );
        for it in report.results.iter().filter(|it| it.message.is_some()) {
            log.push_str(&format!("{}: {}\n", it.id, it.message.as_deref().unwrap_or_default()));
        }
        if report.assignments_failed == 0 {
            return Ok(Done { log, ..Done::default() });
        }
        let open = report.results.iter().any(|it| it.result == RestoreResult::Open);
        let message = not_restored(report.assignments_failed, report.total());
        let failed = if open {
            Failed::retryable("assignments_failed", message)
        } else {
            Failed::terminal("assignments_failed", message)
        };
        Err(Failed { log, retry_after: hold, ..failed })
    }
}

/// What is said of a restore that did not put back all
pub(crate) fn not_restored(failed: u64, total: u64) -> String {
    format!("{failed} of {total} assignments could not be put back")
}

async fn put_back(directory: &Directory, wanted: &Assignment, key: &str) -> Result<RestoreResult, Failed> {
    let current = directory.get(&wanted.id).await?;
    if current.as_ref().and_then(|it| Assignment::read(it).ok()).as_ref() == Some(wanted) {
        return Ok(RestoreResult::Unchanged);
    }
    let body =
        serde_json::to_value(wanted).map_err(|error| Failed::terminal("bad_inputs", error.to_string()))?;
    directory.put(&wanted.id, &body, key).await?;
    Ok(RestoreResult::Restored)
}
