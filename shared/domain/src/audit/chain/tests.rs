//! The chain against whoever changes it

use super::*;
use crate::id::Id as _;
use proptest::prelude::*;
use serde_json::json;

const NOON: i64 = 1_772_366_400_000;

fn entry(n: u32, text: &str) -> AuditEntry {
    let id = AuditId::derived(NOON, &n.to_string());
    AuditEntry::new(&json!({"id": id, "ts": "2026-03-01T12:00:00Z", "action": text, "metadata": {"n": n}}))
        .unwrap()
}

fn genesis() -> AuditHead {
    AuditHead::genesis(&"harbor".parse().unwrap())
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

#[test]
fn an_object_is_these_bytes() {
    let (bytes, head) = seal(&genesis(), [&entry(1, "release.create")], date(2026, 3, 1));
    // What public tools verify may not change.
    crate::golden::check("audit-object.jsonl", std::str::from_utf8(&bytes).unwrap());
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
}
