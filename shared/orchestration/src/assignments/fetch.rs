//! `assignments.fetch`: all of a directory, page by page, into one snapshot

use super::{input, unavailable};
use crate::{Engine, EngineError, records::record};
use serde_json::{Map, json};
use std::collections::{BTreeMap, BTreeSet};
use weir_adapters::{Done, Failed, assignments::Directory};
use weir_domain::{
    assignment::{ASSIGNMENTS_MAX, Assignment, AssignmentSnapshot, SnapshotContent},
    definition::address::Address,
    engine::Operation,
    id::{Id as _, SnapshotId},
    plan::JobContract,
};
use weir_store::Write;

/// How many are asked for at a time, where the provider does not say
const PAGE: u64 = 200;

/// More pages than this are a directory that goes round in circles
const PAGES_MAX: u64 = 20_000;

impl Engine {
    /// Reads every assignment and keeps them. Repeatable: the snapshot's id is the operation's
    pub(super) async fn fetch_assignments(
        &self,
        operation: &Operation,
        contract: &JobContract,
    ) -> Result<Done, Failed> {
        let (directory, provider) = self.directory(operation, contract).await?;
        let limit = provider.config.get("page_size").and_then(serde_json::Value::as_u64).unwrap_or(PAGE);
        let (assignments, pages) = read_all(&directory, u32::try_from(limit).unwrap_or(u32::MAX)).await?;
        let address: Address = input(contract, "provider")?;
        let name: Option<String> = input(contract, "name")?;
        let snapshot =
            self.snapshot_keep(operation, address, name, assignments).await.map_err(unavailable)?;
        let counts = json!({
            "snapshot": snapshot.id,
            "digest": snapshot.digest,
            "assignments_read": snapshot.assignments,
            "pages_read": pages,
        });
        let outputs: Map<_, _> = counts.as_object().cloned().unwrap_or_default();
        let log =
            format!("read {} assignments on {pages} pages into {}\n", snapshot.assignments, snapshot.id);
        Ok(Done { log, outputs, waits: false })
    }

    /// The content first: a snapshot that is listed has one
    async fn snapshot_keep(
        &self,
        operation: &Operation,
        provider: Address,
        name: Option<String>,
        assignments: BTreeMap<String, Assignment>,
    ) -> Result<AssignmentSnapshot, EngineError> {
        let info = &operation.info;
        let content =
            SnapshotContent { provider: provider.clone(), assignments: assignments.into_values().collect() };
        let bytes = weir_domain::canonical::to_vec(&content)
            .map_err(|error| EngineError::Inconsistent(error.to_string()))?;
        let digest = self.ledger.snapshot_put(bytes).await?;
        let snapshot = AssignmentSnapshot {
            id: SnapshotId::from_body(info.operation_id.body()),
            name,
            provider,
            digest,
            assignments: u64::try_from(content.assignments.len()).unwrap_or(u64::MAX),
            operation_id: info.operation_id,
            created_by: info.actor.person().to_owned(),
            created_at: self.clock.now().into(),
        };
        let metadata = json!({ "provider": snapshot.provider, "assignments": snapshot.assignments });
        let subject = ("assignment_snapshot", snapshot.id.to_string());
        let writes = [
            Write::Create(record(&info.scope, &snapshot)?),
            self.audit(&info.scope, &info.actor, "assignment_snapshot.create", subject, metadata, None)?,
        ];
        if self.commit(&writes).await? {
            return Ok(snapshot);
        }
        // An attempt before this one has kept it, and was cut off before it could say so: that one is the snapshot.
        let key = weir_store::Key::entity(
            &info.scope,
            <AssignmentSnapshot as weir_store::Entity>::KIND,
            snapshot.id,
        );
        let found = self.table.read::<AssignmentSnapshot>(&key).await?;
        Ok(found.map_or(snapshot, |(found, _)| found))
    }
}

async fn read_all(directory: &Directory, limit: u32) -> Result<(BTreeMap<String, Assignment>, u64), Failed> {
    let (mut all, mut seen, mut cursor, mut pages) = (BTreeMap::new(), BTreeSet::new(), None, 0);
    let bad = |message: String| Failed::terminal("bad_answer", message);
    loop {
        let page = directory.page(cursor.as_deref(), limit).await?;
        pages += 1;
        for value in &page.assignments {
            let assignment = Assignment::read(value).map_err(|error| bad(error.to_string()))?;
            if let Some(twice) = all.insert(assignment.id.clone(), assignment) {
                return Err(bad(format!("the directory has two assignments `{}`", twice.id)));
            }
        }
        if all.len() > ASSIGNMENTS_MAX {
            return Err(bad(format!("the directory has more than {ASSIGNMENTS_MAX} assignments")));
        }
        let Some(next) = page.next_cursor else { return Ok((all, pages)) };
        if pages >= PAGES_MAX || !seen.insert(next.clone()) {
            return Err(bad("the directory's pages do not end".to_owned()));
        }
        cursor = Some(next);
    }
}
