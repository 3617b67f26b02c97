//! What the table in memory shows beside the contract: everything that it holds, what was written, what changed

#![expect(clippy::unwrap_used, reason = "a helper of tests that fails is a test that fails")]

use serde_json::json;
use weir_domain::{engine::NodeUpdate, id::Id as _, id::OperationId, plan::NodeStatus};
use weir_store::{
    Change, Image, Key, NodeKey, Record, Table as _, TransactError, Write, contract::Dice,
    memory::MemoryTable,
};

fn record(id: u32) -> Record {
    let key = Key::entity(&"harbor".parse().unwrap(), "release", id);
    Record { key, version: 1, doc: json!({"id": id}), list: None, expires_at: None }
}

#[tokio::test]
async fn every_change_is_told_in_order_and_once() {
    let table = MemoryTable::new();
    let first = record(1);
    let second = Record { version: 2, doc: json!({"id": "other"}), ..first.clone() };
    let key = first.key.clone();
    table.transact(&[Write::Create(first.clone())]).await.unwrap();
    let position = table.changes_since(0).len();
    table.transact(&[Write::Replace { expected: 1, record: second.clone() }]).await.unwrap();
    let refused = table.transact(&[Write::Delete { key: key.clone(), expected: 1 }]).await;
    assert!(matches!(refused, Err(TransactError::Conflict(_))));
    table
        .transact(&[Write::Upsert(second.clone()), Write::Check { key: record(1).key, expected: 2 }])
        .await
        .unwrap_err();
    table.transact(&[Write::Upsert(second.clone())]).await.unwrap();
    table.transact(&[Write::Delete { key: key.clone(), expected: 2 }]).await.unwrap();
    let image = |record: &Record| Some(Image::Record(record.clone()));
    let created = Change { key: key.clone(), old: None, new: image(&first) };
    let replaced = Change { key: key.clone(), old: image(&first), new: image(&second) };
    let deleted = Change { key, old: image(&second), new: None };
    assert_eq!(table.changes_since(0), [created, replaced.clone(), deleted.clone()]);
    assert_eq!(table.changes_since(position), [replaced, deleted]);
}

#[tokio::test]
async fn every_write_that_was_sent_is_counted() {
    let table = MemoryTable::new();
    let operation = OperationId::new(1, 1);
    let key = NodeKey { scope: "harbor".parse().unwrap(), operation, segment: 0, ordinal: 1 };
    let node = Dice::new(1).node(NodeStatus::Pending);
    table.node_put(&key, &node).await.unwrap();
    table.node_put(&key, &node).await.unwrap();
    table
        .node_update(&key, &NodeUpdate::Heartbeat { attempt: 1, lease_until: Default::default() })
        .await
        .unwrap();
    table.transact(&[Write::Create(record(1)), Write::Create(record(2))]).await.unwrap();
    table.get(&record(1).key).await.unwrap();
    assert_eq!(table.writes(), 5, "refused ones, too, and no reads");
    let snapshot = table.snapshot();
    assert_eq!(snapshot.nodes, [(key, node)]);
    assert_eq!(snapshot.records, [record(1), record(2)]);
    assert!(snapshot.operations.is_empty());
}
