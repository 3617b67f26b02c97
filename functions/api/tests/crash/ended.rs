//! How a story ended: what has to be the same whatever died in it, and what must not be left over

use crate::region::Region;
use std::collections::BTreeMap;
use weir_domain::{audit::chain::AuditHead, engine::NodeRun, plan::NodeStatus, time::Time};
use weir_orchestration::Clock as _;
use weir_store::Record;

/// Items that say how something came about and not how it ended: there is one more of them for each further try
///
/// Keys and deliveries that were seen, tokens (one that was lost is made anew), what the timeline tells, passes of
/// reconcile, callbacks' addresses, and where a chain or projection has come to.
const BY_THE_WAY: [&str; 8] =
    ["active", "idem", "slack-delivery", "token", "event", "pass", "audit", "projection"];

/// What a further command of somebody who has lost an answer leaves in the audit trail
const ASKED_AGAIN: [&str; 4] =
    ["agent.token_create", "agent.reissue", "ops.reconcile_adapter_runs", "callback.refuse"];

/// What a node of a patch waits for until the patch is there: a number that no node has
const GUARD: u32 = 0;

/// How a story ended
pub type Ended = BTreeMap<String, usize>;

/// What is there at the end, counted by what it is and how it stands
pub fn ended(region: &Region) -> Ended {
    let snapshot = region.api.table.snapshot();
    let mut ended = Ended::new();
    let mut count = |line: String| *ended.entry(line).or_default() += 1;
    for operation in &snapshot.operations {
        let info = &operation.info;
        let mut nodes: Vec<_> = snapshot
            .nodes
            .iter()
            .filter(|(key, _)| key.operation == info.operation_id)
            // A patch that was lost has taken its numbers with it, and its nodes stay guarded (`GUARD`).
            .filter(|(_, node)| !node.unmet.contains(&GUARD))
            .map(|(_, node)| status(node))
            .collect();
        nodes.sort();
        let (kind, status) = (info.operation_type.as_str(), operation.status.as_str());
        // An id in a title depends on when what it names was made.
        let title: Vec<_> = info.title.split(' ').filter(|word| !word.contains("_01")).collect();
        count(format!("operation {kind} `{}` {status} {}", title.join(" "), nodes.join(" ")));
    }
    for record in &snapshot.records {
        let kind = kind(record);
        if kind == "audit" && record.key.sk() != "head" {
            let action = record.doc["action"].as_str().unwrap_or_default();
            let refused = record.doc["metadata"].get("refused").is_some();
            if !refused && !ASKED_AGAIN.contains(&action) {
                // Whose name holds an id that depends on when it was made is known by the rest of it.
                let actor = record.doc["actor"]["id"].as_str().unwrap_or_default();
                let actor = actor.split(['_', ':']).next().unwrap_or_default();
                count(format!("audit {actor} {action}"));
            }
        } else if !BY_THE_WAY.contains(&kind) {
            let status = record.doc["status"].as_str().unwrap_or_default();
            let what =
                record.doc["packet_type"].as_str().or(record.doc["target_id"].as_str()).unwrap_or_default();
            count(format!("{kind} {what} {status}"));
        }
    }
    for key in region.api.objects.keys() {
        if key.contains("/evidence/") || key.contains("/snapshots/") {
            count(format!("object {}", key.split('/').nth(1).unwrap_or_default()));
        }
    }
    ended
}

/// How a node stands; one that was cancelled has failed or was skipped, by whether it ran at that moment or waited
fn status(node: &NodeRun) -> &'static str {
    let is_cancelled = node.error.as_ref().is_some_and(|error| error.code == "cancelled");
    if is_cancelled { NodeStatus::Skipped.as_str() } else { node.status.as_str() }
}

fn kind(record: &Record) -> &str {
    let event = record.key.sk().split('#').next().filter(|it| ["event", "patch"].contains(it));
    event.or_else(|| record.key.pk().split('#').nth(1)).unwrap_or_default()
}

/// What is left to do, which at the end is nothing
pub fn left(region: &Region) -> Vec<String> {
    let snapshot = region.api.table.snapshot();
    let mut left = region.under_way();
    for operation in &snapshot.operations {
        if operation.is_active()
            || !operation.todo.is_empty()
            || operation.wake.is_some()
            || !operation.open.is_empty()
        {
            let (status, id) = (operation.status.as_str(), operation.info.operation_id);
            left.push(format!(
                "operation {id} `{}` is {status}, todo {:?}, wake {:?}, open {:?}",
                operation.info.title, operation.todo, operation.wake, operation.open
            ));
        }
    }
    for (key, node) in &snapshot.nodes {
        if !node.unmet.contains(&GUARD) && (!node.closed || node.wake.is_some()) {
            left.push(format!(
                "node {} of {} is {} at attempt {}, wake {:?}",
                key.ordinal,
                key.operation,
                node.status.as_str(),
                node.attempt,
                node.wake
            ));
        }
    }
    for record in &snapshot.records {
        let open = record.doc["status"] == "open" && ["gate", "intervention"].contains(&kind(record));
        let queue =
            kind(record) == "exclusive" && record.doc["queue"].as_array().is_some_and(|it| !it.is_empty());
        // A pass of reconcile holds its lock no longer than its lease: whoever makes the next one takes it over.
        let until = record.doc["lease_until"].as_str().map(|until| until.parse::<Time>().unwrap().millis());
        let lock = kind(record) == "active" && until.is_none_or(|until| until > region.api.clock.now());
        if lock || open || queue {
            left.push(format!("{} {}: {}", record.key.pk(), record.key.sk(), record.doc));
        }
    }
    left
}

/// What was done twice
pub async fn doubled(region: &Region) -> Vec<String> {
    let calls = region.outside.seen().calls.clone().into_iter();
    let mut doubled: Vec<_> = calls
        .filter(|(_, count)| *count > 1)
        .map(|(key, count)| format!("{key} was called {count} times"))
        .collect();
    let (ledger, workspace) = (region.api.cx.ledger(), region.api.cx.workspace());
    let (mut head, mut sealed) = (AuditHead::genesis(&workspace.workspace), BTreeMap::<String, usize>::new());
    while let Some(object) = ledger.audit_read(&head).await.unwrap() {
        for id in &object.ids {
            *sealed.entry(id.to_string()).or_default() += 1;
        }
        head = object.head;
    }
    let written = region.api.table.snapshot().records;
    for record in written.iter().filter(|it| kind(it) == "audit" && it.key.sk() != "head") {
        match sealed.get(record.key.sk()) {
            Some(1) => {}
            times => doubled.push(format!("{} is sealed {times:?} times", record.doc["action"])),
        }
        if record.doc["seq"].is_null() {
            doubled.push(format!("{} is not marked as sealed", record.doc["action"]));
        }
    }
    doubled
}
