//! The chain against whoever changes it, and the sequencer against crashes

use super::{chain::verify, *};
use crate::memory::MemoryObjects;
use jiff::civil::date;
use proptest::prelude::*;
use serde_json::json;
use std::sync::Arc;
use weir_domain::id::Id;

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

/// A chain of objects with these many events each, and its head
fn chain(sizes: &[usize]) -> (Vec<Vec<u8>>, AuditHead) {
    let (mut objects, mut head, mut n) = (Vec::new(), genesis(), 0);
    for size in sizes {
        let entries: Vec<_> = (0..*size)
            .map(|_| {
                n += 1;
                entry(n, "release.create")
            })
            .collect();
        let (bytes, next) = seal(&head, &entries, date(2026, 3, 1));
        objects.push(bytes);
        head = next;
    }
    (objects, head)
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

#[test]
fn an_object_is_these_bytes() {
    let (bytes, head) = seal(&genesis(), [&entry(1, "release.create")], date(2026, 3, 1));
    assert_eq!(
        String::from_utf8(bytes).unwrap(),
        include_str!("../../golden/audit-object.jsonl"),
        "what public tools verify may not change"
    );
    assert_eq!(head.seq, 1);
}

#[test]
fn what_was_done_to_a_chain_is_told() {
    let (objects, head) = chain(&[2, 3, 1]);
    let told = |objects: &[Vec<u8>]| verify(&genesis(), objects, Some(&head)).unwrap_err();
    let edited = |edit: &dyn Fn(&mut Vec<String>)| {
        let mut lines: Vec<String> =
            std::str::from_utf8(&objects[1]).unwrap().lines().map(str::to_owned).collect();
        edit(&mut lines);
        let changed = (lines.join("\n") + "\n").into_bytes();
        told(&[objects[0].clone(), changed, objects[2].clone()])
    };
    let at = |seq, reason| Break { seq, reason };
    assert_eq!(verify(&genesis(), &objects, Some(&head)).unwrap(), head);
    assert_eq!(
        edited(&|lines| lines[2] = lines[2].replace("create", "delete")),
        at(2, BreakReason::Changed(3))
    );
    assert_eq!(edited(&|lines| lines.swap(1, 2)), at(2, BreakReason::Changed(2)));
    assert_eq!(
        edited(&|lines| {
            lines.remove(3);
        }),
        at(2, BreakReason::Count { said: 3, found: 2 })
    );
    assert_eq!(
        edited(&|lines| lines.push(lines[1].clone())),
        at(2, BreakReason::Count { said: 3, found: 4 })
    );
    assert_eq!(edited(&|lines| lines[0] = "{}".to_owned()), at(2, BreakReason::Unreadable(1)));
    assert_eq!(told(&[objects[0].clone(), objects[2].clone()]), at(2, BreakReason::OtherSeq(3)));
    assert_eq!(told(&objects[..2]), at(3, BreakReason::Missing));
    assert_eq!(told(&[]), at(1, BreakReason::Missing));
}

#[test]
fn a_chain_that_was_made_anew_is_told_by_its_head_only() {
    let (_, head) = chain(&[2, 3]);
    let (forged, other) = chain(&[2, 2]);
    assert_eq!(verify(&genesis(), &forged, None).unwrap(), other);
    let told = verify(&genesis(), &forged, Some(&head)).unwrap_err();
    assert_eq!(told, Break { seq: 2, reason: BreakReason::Rewritten });
    let elsewhere = AuditHead::genesis(&"dock".parse().unwrap());
    assert_eq!(verify(&elsewhere, &forged, None).unwrap_err().reason, BreakReason::Unlinked);
}

#[test]
fn only_an_audit_event_is_sealed() {
    for value in [json!({}), json!({"id": "rel_00000000000000000000000001"}), json!("text"), json!({"id": 1})]
    {
        assert!(AuditEntry::new(&value).is_err(), "{value}");
    }
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

    #[test]
    fn no_byte_can_be_changed(sizes in prop::collection::vec(0usize..4, 1..5), at in any::<prop::sample::Index>(), to: u8) {
        let (mut objects, head) = chain(&sizes);
        let object = at.index(objects.len());
        let byte = at.index(objects[object].len());
        prop_assume!(objects[object][byte] != to);
        objects[object][byte] = to;
        prop_assert!(verify(&genesis(), &objects, Some(&head)).is_err());
    }

    #[test]
    fn no_object_can_be_removed_doubled_or_moved(sizes in prop::collection::vec(0usize..4, 2..6), a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>()) {
        let (objects, head) = chain(&sizes);
        let (a, b) = (a.index(objects.len()), b.index(objects.len()));
        let mut removed = objects.clone();
        removed.remove(a);
        prop_assert!(verify(&genesis(), &removed, Some(&head)).is_err());
        let mut doubled = objects.clone();
        doubled.insert(b, objects[a].clone());
        prop_assert!(verify(&genesis(), &doubled, Some(&head)).is_err());
        prop_assume!(a != b);
        let mut moved = objects;
        moved.swap(a, b);
        prop_assert!(verify(&genesis(), &moved, Some(&head)).is_err());
    }

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
