//! Lists page by page, and what the engine's sparse indexes show

use super::{Bench, Outcome};
use crate::{Due, Key, Query, Record, Write, key::wake_partition, wake_shard};
use serde_json::json;
use weir_domain::{
    engine::{NodeUpdate, OperationUpdate, WAKE_SHARDS},
    failure::FailureSummary,
    id::EventId,
    operation::OperationStatus,
    plan::{Executor, NodeStatus},
    time::Millis,
};

/// Later than anything that the suite writes
const LATER: Millis = Millis(4_000_000_000_000);

/// More than the suite leaves in any index
const ALL: usize = 10_000;

pub(super) async fn run(bench: &mut Bench<'_>) -> Outcome {
    lists_are_merged_and_paged(bench).await?;
    a_record_stands_in_the_list_of_its_status(bench).await?;
    parts_of_an_item_are_paged(bench).await?;
    operations_are_listed_by_status(bench).await?;
    a_node_is_due_while_it_wakes(bench).await?;
    an_operation_is_due_while_it_wakes(bench).await?;
    a_node_is_queued_while_it_is_ready(bench).await
}

async fn lists_are_merged_and_paged(bench: &mut Bench<'_>) -> Outcome {
    let lists = ["odd", "even"].map(|status| Key::list(&bench.scope, "paged", status));
    for n in 0..7_usize {
        let list = lists.iter().cycle().nth(n + 1).cloned().unwrap_or_default();
        let record = Record { list: Some((list, format!("id-{n}"))), ..bench.record(json!(n)) };
        bench.table.transact(&[Write::Create(record)]).await?;
    }
    let [odd, even] = lists;
    let none = Key::list(&bench.scope, "paged", "none");
    // A list that is asked for twice is still one list.
    let merged = Query::Lists(vec![odd.clone(), none, even, odd.clone()]);
    for limit in 1..=8 {
        bench.settles(vec![6, 5, 4, 3, 2, 1, 0], || numbers(bench, &merged, limit)).await?;
    }
    let odd = Query::Lists(vec![odd]);
    bench.settles(vec![5, 3, 1], || numbers(bench, &odd, 2)).await?;
    let page = bench.table.query(&merged, None, 7).await?;
    assert_eq!(
        (page.records.len(), page.next),
        (7, None),
        "a last page that is full says that it is the last"
    );
    Ok(())
}

async fn a_record_stands_in_the_list_of_its_status(bench: &mut Bench<'_>) -> Outcome {
    let [draft, ready] = ["draft", "ready"].map(|status| Key::list(&bench.scope, "moved", status));
    let record = Record { list: Some((draft.clone(), "1".to_owned())), ..bench.record(json!(1)) };
    let key = record.key.clone();
    let moved = Record { list: Some((ready.clone(), "1".to_owned())), ..record.clone() };
    let unlisted = Record { list: None, ..record.clone() };
    let [draft, ready] = [draft, ready].map(|list| Query::Lists(vec![list]));
    let both = async |in_draft: &[u64], in_ready: &[u64]| -> Outcome {
        bench.settles(in_draft.to_vec(), || numbers(bench, &draft, 5)).await?;
        bench.settles(in_ready.to_vec(), || numbers(bench, &ready, 5)).await
    };
    bench.table.transact(&[Write::Create(record)]).await?;
    both(&[1], &[]).await?;
    bench.table.transact(&[Write::Replace { expected: 1, record: moved.clone() }]).await?;
    both(&[], &[1]).await?;
    bench.table.transact(&[Write::Replace { expected: 2, record: unlisted }]).await?;
    both(&[], &[]).await?;
    bench.table.transact(&[Write::Replace { expected: 3, record: moved }]).await?;
    bench.table.transact(&[Write::Delete { key, expected: 4 }]).await?;
    both(&[], &[]).await
}

async fn parts_of_an_item_are_paged(bench: &mut Bench<'_>) -> Outcome {
    let operation = bench.operation();
    let id = operation.info.operation_id;
    bench.table.transact(&[Write::CreateOperation(Box::new(operation))]).await?;
    let mut events: Vec<EventId> = (0..5).map(|_| bench.dice.id()).collect();
    events.sort_unstable();
    for (n, event) in events.into_iter().enumerate() {
        let record = Record { key: Key::event(&bench.scope, id, event), ..bench.record(json!(n)) };
        bench.table.transact(&[Write::Create(record)]).await?;
    }
    // Another kind of part, whose sort key is next to those of events, and one that is before them.
    for (sk, n) in [("evidence#1", 9), ("event", 8)] {
        let key = Key::from_parts(Key::operation_partition(&bench.scope, id), sk.to_owned());
        bench.table.transact(&[Write::Create(Record { key, ..bench.record(json!(n)) })]).await?;
    }
    let pk = Key::operation_partition(&bench.scope, id);
    let events = Query::Partition { pk, prefix: "event#".to_owned() };
    for limit in 1..=6 {
        assert_eq!(numbers(bench, &events, limit).await?, [4, 3, 2, 1, 0]);
    }
    let nothing = Query::Partition { pk: "contract#none".to_owned(), prefix: String::new() };
    assert_eq!(numbers(bench, &nothing, 1).await?, [0; 0]);
    Ok(())
}

async fn operations_are_listed_by_status(bench: &mut Bench<'_>) -> Outcome {
    // A tenant of its own: the suite leaves other operations behind.
    let scope = format!("{}/listed", bench.scope).parse()?;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let operation = bench.dice.operation(&scope);
        ids.push(operation.info.operation_id);
        bench.table.transact(&[Write::CreateOperation(Box::new(operation))]).await?;
    }
    ids.sort_unstable_by(|a, b| b.cmp(a));
    let table = bench.table;
    let listed = async |statuses: &[OperationStatus], limit| {
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let (operations, next) = table.operations(&scope, statuses, after.as_deref(), limit).await?;
            found.extend(operations.into_iter().map(|operation| operation.info.operation_id));
            after = next;
            if after.is_none() {
                return Ok(found);
            }
        }
    };
    bench.settles(ids.clone(), || listed(&[], 2)).await?;
    bench.settles(ids.clone(), || listed(&[OperationStatus::Created], 1)).await?;
    let moved = ids.first().copied().ok_or("no operation")?;
    table.operation_update(&scope, moved, &OperationUpdate::Materialise { now: Millis(1) }).await?;
    bench.settles(vec![moved], || listed(&[OperationStatus::Running], 2)).await?;
    bench.settles(ids.clone(), || listed(&[OperationStatus::Running, OperationStatus::Created], 2)).await?;
    let segments =
        table.operation_get(&scope, moved).await?.map(|operation| operation.open).unwrap_or_default();
    for segment in segments {
        table.operation_update(&scope, moved, &OperationUpdate::CloseSegment { segment }).await?;
    }
    let finish = OperationUpdate::Finish {
        status: OperationStatus::Failed,
        now: Millis(2),
        wake: Millis(3),
        failure_summary: None,
        summary_counts: Default::default(),
    };
    table.operation_update(&scope, moved, &finish).await?;
    bench.settles(Vec::new(), || listed(&[OperationStatus::Running], 2)).await?;
    bench.settles(vec![moved], || listed(&[OperationStatus::Failed], 2)).await
}

async fn a_node_is_due_while_it_wakes(bench: &mut Bench<'_>) -> Outcome {
    let key = bench.node_key();
    let mut node = bench.dice.node(NodeStatus::Pending);
    (node.wake, node.unmet) = (None, Default::default());
    bench.table.node_put(&key, &node).await?;
    let due = Due::Node(key.clone());
    let shard = shard_of(&wake_shard(key.operation, key.ordinal))?;
    let is_due = async |now| Ok(bench.table.due(shard, now, ALL).await?.contains(&due));
    bench.settles(false, || is_due(LATER)).await?;
    let wake = Millis(1_700_000_000_500);
    let claim = NodeUpdate::Claim { claim_id: "c".to_owned(), now: Millis(1), wake, ends_by: None };
    bench.table.node_update(&key, &claim).await?;
    bench.settles(true, || is_due(wake)).await?;
    bench.settles(false, || is_due(wake - Millis(1))).await?;
    let cancel = NodeUpdate::CancelIdle {
        seen: NodeStatus::Ready,
        attempt: 1,
        now: Millis(3),
        error: FailureSummary::cancelled(),
    };
    bench.table.node_update(&key, &cancel).await?;
    bench.settles(true, || is_due(Millis(3))).await?;
    bench.table.node_update(&key, &NodeUpdate::Close { out_ver: node.out_ver }).await?;
    bench.settles(false, || is_due(LATER)).await
}

async fn an_operation_is_due_while_it_wakes(bench: &mut Bench<'_>) -> Outcome {
    let mut operation = bench.operation();
    operation.wake = Some(Millis(7));
    let id = operation.info.operation_id;
    bench.table.transact(&[Write::CreateOperation(Box::new(operation))]).await?;
    let due = Due::Operation(bench.scope.clone(), id);
    let shard = shard_of(&wake_shard(id, 0))?;
    let is_due = async |now| Ok(bench.table.due(shard, now, ALL).await?.contains(&due));
    bench.settles(false, || is_due(Millis(6))).await?;
    bench.settles(true, || is_due(Millis(7))).await?;
    for update in [
        OperationUpdate::RemoveTodo { name: weir_domain::engine::TODO_BEGIN.to_owned() },
        OperationUpdate::Rest { wake: None },
    ] {
        bench.table.operation_update(&bench.scope, id, &update).await?;
    }
    bench.settles(false, || is_due(LATER)).await
}

async fn a_node_is_queued_while_it_is_ready(bench: &mut Bench<'_>) -> Outcome {
    // A target of its own: the suite leaves other nodes behind.
    let target = format!("target.staging.t{}", bench.dice.below(u32::MAX));
    let executors = [Executor::Agent(target.parse()?), Executor::Agent(target.parse()?), Executor::Job];
    let mut keys = Vec::new();
    for (ordinal, runs) in (1..).zip(executors) {
        let key = crate::NodeKey { ordinal, segment: 9, ..bench.node_key() };
        let mut node = bench.dice.node(NodeStatus::Pending);
        (node.terms.runs, node.unmet, node.ordinal, node.segment) = (runs, Default::default(), ordinal, 9);
        node.error = None;
        bench.table.node_put(&key, &node).await?;
        keys.push((Millis(10 - i64::from(ordinal)), key));
    }
    let queued = async |now| Ok(bench.table.queued(&bench.scope, &target, now, ALL).await?);
    bench.settles(Vec::new(), || queued(LATER)).await?;
    for (now, key) in &keys {
        let claim = NodeUpdate::Claim { claim_id: "c".to_owned(), now: *now, wake: LATER, ends_by: None };
        bench.table.node_update(key, &claim).await?;
    }
    let [(_, first), (from, second), _] = keys.as_slice() else { return Err("not three nodes".into()) };
    bench.settles(vec![second.clone(), first.clone()], || queued(LATER)).await?;
    bench.settles(vec![second.clone()], || queued(*from)).await?;
    let elsewhere = bench.table.queued(&bench.scope, "target.staging.other", LATER, ALL).await?;
    assert_eq!(elsewhere, []);
    let start = NodeUpdate::Start {
        attempt: 1,
        holder: "agent".to_owned(),
        now: LATER,
        lease_until: LATER,
        deadline: LATER,
    };
    bench.table.node_update(second, &start).await?;
    bench.settles(vec![first.clone()], || queued(LATER)).await?;
    let retry = NodeUpdate::Retry {
        attempt: 1,
        now: Millis(20),
        not_before: Millis(30),
        wake: LATER,
        error: FailureSummary::new("broken", "it broke"),
        lease_seen: None,
    };
    bench.table.node_update(second, &retry).await?;
    bench.settles(vec![first.clone()], || queued(Millis(29))).await?;
    bench.settles(vec![first.clone(), second.clone()], || queued(Millis(30))).await
}

/// The documents of `query`, read page by page, as numbers
async fn numbers(
    bench: &Bench<'_>,
    query: &Query,
    limit: usize,
) -> Result<Vec<u64>, Box<dyn std::error::Error + Send + Sync>> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = bench.table.query(query, after.as_deref(), limit).await?;
        assert!(page.records.len() <= limit);
        found.extend(page.records.iter().filter_map(|record| record.doc.as_u64()));
        after = page.next;
        if after.is_none() {
            return Ok(found);
        }
    }
}

fn shard_of(partition: &str) -> Result<u8, &'static str> {
    (0..WAKE_SHARDS).find(|shard| wake_partition(*shard) == partition).ok_or("no such shard")
}
