//! Records, and writes that are carried out together or not at all

use super::{Bench, Outcome};
use crate::{Applied, Key, Record, StoreError, TransactError, WRITES_MAX, Write, limits::ITEM_BYTES_MAX};
use futures::future::{join_all, try_join_all};
use serde_json::{Value, json};
use weir_domain::{engine::OperationUpdate, id::ReleaseId, plan::NodeStatus, time::Millis};

/// How many race for one thing
const RACERS: usize = 8;

pub(super) async fn run(bench: &mut Bench<'_>) -> Outcome {
    documents_keep_their_shape(bench).await?;
    a_record_moves_by_its_version(bench).await?;
    conditions_are_told_by_their_place(bench).await?;
    a_refused_transaction_changes_nothing(bench).await?;
    engine_moves_join_transactions(bench).await?;
    what_the_table_cannot_hold_is_refused(bench).await?;
    racing_increments_are_all_counted(bench).await?;
    one_of_many_creates_wins(bench).await
}

impl Bench<'_> {
    /// A record that stands in no list
    pub(super) fn record(&mut self, doc: Value) -> Record {
        let key = Key::entity(&self.scope, "release", self.dice.id::<ReleaseId>());
        Record { key, version: 1, doc, list: None, expires_at: None }
    }
}

async fn documents_keep_their_shape(bench: &mut Bench<'_>) -> Outcome {
    let doc = json!({
        "": "an empty name", "empty": {"text": "", "list": [], "map": {}}, "null": null, "yes": true, "no": false,
        "numbers": [0, -1, 0.1, 1.5e-7, u64::MAX, i64::MIN, 1_700_000_000_123_u64],
        "text": "ünï↯ \u{0} \"quoted\"\n", "nested": [[{"a": [null, {"b": "c"}]}]], "list": "a reserved word",
    });
    let list = Some((Key::list(&bench.scope, "shape", "any"), "1".to_owned()));
    let record = Record { list, expires_at: Some(Millis(1_700_000_000_001)), ..bench.record(doc) };
    bench.table.transact(&[Write::Create(record.clone())]).await?;
    let found = bench.table.get(&record.key).await?;
    // Whole seconds, and never too early.
    assert_eq!(found, Some(Record { expires_at: Some(Millis(1_700_000_001_000)), ..record }));
    Ok(())
}

async fn a_record_moves_by_its_version(bench: &mut Bench<'_>) -> Outcome {
    let first = bench.record(json!({"n": 1}));
    let key = first.key.clone();
    assert_eq!(bench.table.get(&key).await?, None);
    let create = [Write::Create(first.clone())];
    bench.table.transact(&create).await?;
    assert_conflict(bench.table.transact(&create).await, &[0]);
    let second = Record { doc: json!({"n": 2}), ..first.clone() };
    let replace = [Write::Replace { expected: 1, record: second.clone() }];
    bench.table.transact(&replace).await?;
    assert_conflict(bench.table.transact(&replace).await, &[0]);
    assert_eq!(bench.table.get(&key).await?, Some(Record { version: 2, ..second }));
    let upserted = Record { version: 7, doc: json!({"n": 7}), ..first };
    bench.table.transact(&[Write::Upsert(upserted.clone())]).await?;
    assert_eq!(bench.table.get(&key).await?, Some(upserted));
    assert_conflict(bench.table.transact(&[Write::Delete { key: key.clone(), expected: 2 }]).await, &[0]);
    bench.table.transact(&[Write::Check { key: key.clone(), expected: 7 }]).await?;
    bench.table.transact(&[Write::Delete { key: key.clone(), expected: 7 }]).await?;
    assert_eq!(bench.table.get(&key).await?, None);
    for write in [Write::Delete { key: key.clone(), expected: 7 }, Write::Check { key, expected: 7 }] {
        assert_conflict(bench.table.transact(&[write]).await, &[0]);
    }
    bench.table.transact(&[]).await?;
    Ok(())
}

async fn conditions_are_told_by_their_place(bench: &mut Bench<'_>) -> Outcome {
    let there = bench.record(json!({}));
    bench.table.transact(&[Write::Create(there.clone())]).await?;
    let missing = bench.record(json!({})).key;
    let operation = bench.operation();
    let node = bench.node_key();
    let writes = [
        Write::Create(bench.record(json!({}))),
        Write::Replace { expected: 2, record: there },
        Write::Upsert(bench.record(json!({}))),
        Write::Check { key: missing, expected: 1 },
        Write::Operation {
            scope: bench.scope.clone(),
            operation: operation.info.operation_id,
            update: OperationUpdate::Pause { by: "bob".to_owned(), now: weir_domain::time::Millis(1) },
        },
        Write::CreateNode { key: bench.node_key(), node: Box::new(bench.dice.node(NodeStatus::Pending)) },
        Write::Node { key: node, update: weir_domain::engine::NodeUpdate::Tell { from: 1 } },
    ];
    assert_conflict(bench.table.transact(&writes).await, &[1, 3, 4, 6]);
    for write in writes.iter().take(1).chain(writes.iter().skip(2).take(1)) {
        assert_eq!(bench.table.get(&write.key()).await?, None);
    }
    Ok(())
}

async fn a_refused_transaction_changes_nothing(bench: &mut Bench<'_>) -> Outcome {
    let taken = bench.record(json!({"by": "somebody"}));
    bench.table.transact(&[Write::Create(taken.clone())]).await?;
    let operation = bench.operation();
    let created = bench.record(json!({"by": "me"}));
    let key = bench.node_key();
    let writes = [
        Write::Create(created.clone()),
        Write::CreateOperation(Box::new(operation.clone())),
        Write::CreateNode { key: key.clone(), node: Box::new(bench.dice.node(NodeStatus::Pending)) },
        Write::Create(Record { doc: json!({"by": "me"}), ..taken.clone() }),
    ];
    assert_conflict(bench.table.transact(&writes).await, &[3]);
    assert_eq!(bench.table.get(&created.key).await?, None);
    assert_eq!(bench.table.operation_get(&bench.scope, operation.info.operation_id).await?, None);
    assert_eq!(bench.table.node_get(&key).await?, None);
    assert_eq!(bench.table.get(&taken.key).await?, Some(taken));
    Ok(())
}

/// The lock and its operation: created together, and given up together
async fn engine_moves_join_transactions(bench: &mut Bench<'_>) -> Outcome {
    let operation = bench.operation();
    let id = operation.info.operation_id;
    let key = Key::active_run(&bench.scope, &operation.info.run_identity_hash);
    let lock = Record { key: key.clone(), ..bench.record(json!({"operation": id.to_string()})) };
    let writes = [Write::Create(lock), Write::CreateOperation(Box::new(operation.clone()))];
    bench.table.transact(&writes).await?;
    let update = OperationUpdate::Materialise { now: Millis(5) };
    let materialise = Write::Operation { scope: bench.scope.clone(), operation: id, update: update.clone() };
    let writes = [materialise, Write::Delete { key: key.clone(), expected: 1 }];
    bench.table.transact(&writes).await?;
    assert_eq!(bench.table.operation_get(&bench.scope, id).await?, update.apply(&operation).ok());
    assert_eq!(bench.table.get(&key).await?, None);
    assert_conflict(bench.table.transact(&writes).await, &[0, 1]);
    let again = bench.table.operation_update(&bench.scope, id, &update).await?;
    assert!(matches!(again, Applied::Refused(Some(_))));
    Ok(())
}

async fn what_the_table_cannot_hold_is_refused(bench: &mut Bench<'_>) -> Outcome {
    // Not the last byte: LocalStack counts in thousands.
    let largest = bench.record(json!({"text": "a".repeat(ITEM_BYTES_MAX - 10_000)}));
    bench.table.transact(&[Write::Create(largest.clone())]).await?;
    assert!(bench.table.get(&largest.key).await?.is_some());
    let fits: Vec<_> = (0..WRITES_MAX).map(|n| Write::Create(bench.record(json!({"n": n})))).collect();
    bench.table.transact(&fits).await?;
    let too_many: Vec<_> = (0..=WRITES_MAX).map(|n| Write::Create(bench.record(json!({"n": n})))).collect();
    let twice = Write::Create(bench.record(json!({})));
    let too_large = Write::Create(bench.record(json!({"text": "a".repeat(ITEM_BYTES_MAX)})));
    let too_deep = (0..40).fold(json!(1), |inner, _| json!([inner]));
    let too_deep = Write::Create(bench.record(too_deep));
    for writes in [too_many, vec![twice.clone(), twice], vec![too_large], vec![too_deep]] {
        let refused = bench.table.transact(&writes).await;
        assert!(matches!(refused, Err(TransactError::Store(StoreError::Rejected(_)))), "{refused:?}");
        assert_eq!(bench.table.get(&writes.first().ok_or("no write")?.key()).await?, None);
    }
    Ok(())
}

async fn racing_increments_are_all_counted(bench: &mut Bench<'_>) -> Outcome {
    let counter = bench.record(json!({"n": 0}));
    let table = bench.table;
    table.transact(&[Write::Create(counter.clone())]).await?;
    try_join_all((0..RACERS).map(|_| async {
        loop {
            let read = table.get(&counter.key).await?.ok_or("the counter is gone")?;
            let count = read.doc.get("n").and_then(Value::as_u64).unwrap_or_default();
            let write = Write::Replace {
                expected: read.version,
                record: Record { doc: json!({"n": count + 1}), ..read },
            };
            match table.transact(&[write]).await {
                Ok(()) => return Ok(()),
                Err(TransactError::Conflict(_)) => {}
                Err(TransactError::Store(error)) => {
                    return Err(Box::<dyn std::error::Error + Send + Sync>::from(error));
                }
            }
        }
    }))
    .await?;
    let read = bench.table.get(&counter.key).await?;
    let version = RACERS as u64 + 1;
    assert_eq!(read, Some(Record { version, doc: json!({"n": RACERS}), ..counter }));
    Ok(())
}

async fn one_of_many_creates_wins(bench: &mut Bench<'_>) -> Outcome {
    let record = bench.record(json!({}));
    let racer = |racer| [Write::Create(Record { doc: json!({"racer": racer}), ..record.clone() })];
    let racers: Vec<_> = (0..RACERS).map(racer).collect();
    let answers = join_all(racers.iter().map(|writes| bench.table.transact(writes))).await;
    let winners: Vec<_> = (0..RACERS).zip(&answers).filter(|(_, answer)| answer.is_ok()).collect();
    assert!(matches!(winners.as_slice(), [_]), "{answers:?}");
    let read = bench.table.get(&record.key).await?.map(|read| read.doc);
    assert_eq!(read, winners.first().map(|(racer, _)| json!({"racer": racer})));
    Ok(())
}

fn assert_conflict(answer: Result<(), TransactError>, wanted: &[usize]) {
    let found = match &answer {
        Err(TransactError::Conflict(found)) => found.as_slice(),
        Ok(()) | Err(TransactError::Store(_)) => &[],
    };
    assert_eq!(found, wanted, "{answer:?}");
}
