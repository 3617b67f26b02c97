//! The sequencer against crashes

use super::*;
use crate::memory::MemoryObjects;
use proptest::prelude::*;
use serde_json::json;
use std::sync::Arc;
use weir_domain::{audit::chain::verify, id::Id};

const NOON: Millis = Millis(1_772_366_400_000);
const DAY: Millis = Millis::from_secs(86_400);

fn entry(n: u32, text: &str) -> AuditEntry {
    let id = AuditId::derived(NOON.0, &n.to_string());
    AuditEntry::new(&json!({"id": id, "ts": "2026-03-01T12:00:00Z", "action": text, "metadata": {"n": n}}))
        .unwrap()
}

fn genesis() -> AuditHead {
    AuditHead::genesis(&"harbor".parse().unwrap())
}

fn ledger() -> (Ledger, Arc<MemoryObjects>) {
    let objects = Arc::new(MemoryObjects::new());
    (Ledger::new(objects.clone(), "harbor".parse().unwrap()), objects)
}

/// Every object from the genesis on, verified
async fn read_all(ledger: &Ledger) -> (Vec<Bytes>, Vec<AuditId>, AuditHead) {
    let (mut objects, mut ids, mut head) = (Vec::new(), Vec::new(), genesis());
    while let Some(found) = ledger.audit_read(&head).await.unwrap() {
        objects.push(found.bytes);
        ids.extend(found.ids);
        head = found.head;
    }
    (objects, ids, head)
}

#[tokio::test]
async fn events_lie_in_the_folder_of_their_day() {
    let (ledger, objects) = ledger();
    let first = ledger.audit_append(&genesis(), &[entry(1, "a")], NOON, NOON + DAY).await.unwrap();
    ledger.audit_append(&first.head, &[entry(2, "b")], NOON + DAY, NOON + DAY).await.unwrap();
    assert_eq!(
        objects.keys(),
        [
            "harbor/audit/1970-01-01/000000000001.jsonl",
            "harbor/audit/2026-03-01/000000000002.jsonl",
            "harbor/audit/2026-03-01/000000000003.jsonl",
            "harbor/audit/2026-03-02/000000000004.jsonl",
        ]
    );
    assert_eq!(first.sealed, [(entry(1, "a").id(), 2)]);
    assert_eq!(read_all(&ledger).await.1, [entry(1, "a").id(), entry(2, "b").id()]);
}

#[tokio::test]
async fn two_sequencers_on_two_sides_of_midnight_make_one_chain() {
    let (ledger, _) = ledger();
    let start = ledger.audit_append(&genesis(), &[entry(1, "a")], NOON, NOON).await.unwrap().head;
    let today = ledger.audit_append(&start, &[entry(2, "b")], NOON, NOON).await.unwrap();
    let tomorrow =
        ledger.audit_append(&start, &[entry(2, "b"), entry(3, "c")], NOON + DAY, NOON).await.unwrap();
    assert_eq!(tomorrow.sealed.first(), today.sealed.first(), "adopted, not sealed again");
    assert_eq!(read_all(&ledger).await.1, [1, 2, 3].map(|n| entry(n, "").id()));
}

#[tokio::test]
async fn a_long_queue_is_sealed_in_several_objects() {
    let (ledger, _) = ledger();
    let entries: Vec<_> = (0..200).map(|n| entry(n, "a")).collect();
    let done = ledger.audit_append(&genesis(), &entries, NOON, NOON).await.unwrap();
    assert_eq!((done.left, done.sealed.len(), done.head.seq), (0, 200, 4));
    assert_eq!(ledger.audit_append(&done.head, &[], NOON, NOON).await.unwrap().head, done.head);
}

#[tokio::test]
async fn a_changed_object_stops_the_sequencer() {
    let (ledger, objects) = ledger();
    ledger.audit_append(&genesis(), &[entry(1, "a")], NOON, NOON).await.unwrap();
    objects.overwrite("harbor/audit/2026-03-01/000000000002.jsonl", Bytes::from_static(b"{}\n"));
    let error = ledger.audit_append(&genesis(), &[entry(2, "b")], NOON, NOON).await.unwrap_err();
    assert!(matches!(error, LedgerError::Broken(Break { seq: 2, .. })), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Sequencers that know any former head, and any part of the queue, seal every event once
    #[test]
    fn every_event_is_sealed_once(steps in prop::collection::vec((any::<prop::sample::Index>(), 0i64..3, 1usize..6), 1..20)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (ledger, _) = ledger();
            let (mut heads, mut queued) = (vec![(genesis(), 0)], Vec::new());
            for (known, days, more) in steps {
                queued.extend((0..more).map(|_| entry(u32::try_from(heads.len() * 100).unwrap(), "x")).take(1));
                queued.extend((1..more).map(|n| entry(u32::try_from(heads.len() * 100 + n).unwrap(), "x")));
                // A crash forgets the newest heads, and with each head what was sealed up to it.
                let (head, done) = heads[known.index(heads.len())].clone();
                let now = NOON + Millis(DAY.0 * days);
                let appended = ledger.audit_append(&head, &queued[done..], now, now).await.unwrap();
                assert_eq!(appended.left, 0);
                heads.push((appended.head, queued.len()));
            }
            let (objects, mut ids, head) = read_all(&ledger).await;
            assert_eq!(verify(&genesis(), &objects, heads.last().map(|(head, _)| head)).unwrap(), head);
            ids.sort();
            let mut expected: Vec<_> = queued.iter().map(AuditEntry::id).collect();
            expected.sort();
            assert_eq!(ids, expected);
        });
    }
}
