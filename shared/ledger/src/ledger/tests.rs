//! The ledger on a bucket in memory

use super::*;
use crate::memory::MemoryObjects;
use proptest::prelude::*;
use weir_domain::{
    id::{EvidenceId, Id, OperationId},
    time::Millis,
};

fn ledger() -> (Ledger, Arc<MemoryObjects>) {
    let objects = Arc::new(MemoryObjects::new());
    (Ledger::new(objects.clone(), "harbor".parse().unwrap()), objects)
}

fn request(id: &str, mode: LockMode) -> LockRequest {
    LockRequest {
        id: id.to_owned(),
        owner: format!("owner of {id}"),
        operation: None,
        mode,
        lease: Millis(100),
    }
}

async fn acquire(ledger: &Ledger, id: &str, mode: LockMode, now: i64) -> Result<Lock, String> {
    match ledger.lock_acquire(&request(id, mode), Millis(now)).await.unwrap() {
        Acquire::Held(lock) => Ok(lock),
        Acquire::Busy(other) => Err(other.id),
    }
}

async fn written(
    ledger: &Ledger,
    base: Option<&StateObject>,
    revision: u64,
    text: &str,
) -> Option<StateObject> {
    match ledger.state_write(base, revision, text.to_owned()).await.unwrap() {
        StateWrite::Written(state) => Some(state),
        StateWrite::Lost => None,
    }
}

#[tokio::test]
async fn what_is_named_by_a_digest_is_checked_when_it_is_read() {
    let (ledger, objects) = ledger();
    let bundle = ledger.definition_put("bundle").await.unwrap();
    assert_eq!(ledger.definition_get(&bundle).await.unwrap().unwrap(), "bundle");
    objects.overwrite(&format!("harbor/definitions/{}", bundle.hex()), Bytes::from_static(b"other"));
    assert!(matches!(ledger.definition_get(&bundle).await, Err(LedgerError::Mismatch { .. })));
    ledger.definition_put("bundle").await.unwrap();
    assert_eq!(
        ledger.definition_get(&bundle).await.unwrap().unwrap(),
        "bundle",
        "and is put right by who has it"
    );
}

#[tokio::test]
async fn a_plan_is_what_its_hash_says() {
    let (ledger, _) = ledger();
    let hash = Digest::of_bytes(b"graph");
    assert_eq!(ledger.plan_get(&hash, |_| None).await.unwrap(), None);
    ledger.plan_put(&hash, "snapshot").await.unwrap();
    ledger.plan_put(&hash, "another snapshot").await.unwrap();
    assert_eq!(
        ledger.plan_get(&hash, |_| Some(Digest::of_bytes(b"graph"))).await.unwrap().unwrap(),
        "snapshot"
    );
    assert!(matches!(ledger.plan_get(&hash, |_| None).await, Err(LedgerError::Mismatch { .. })));
}

#[tokio::test]
async fn an_artifact_is_verified_before_it_is_used() {
    let (ledger, objects) = ledger();
    let digest = Digest::of_bytes(b"artifact");
    assert_eq!(ledger.artifact_verify(&digest, 100).await.unwrap(), Artifact::Absent);
    let upload = ledger.artifact_upload(&digest, 8, Duration::from_secs(60)).await.unwrap();
    assert!(!objects.upload(&upload, Bytes::from_static(b"artifice")), "other bytes of the same size");
    assert!(objects.upload(&upload, Bytes::from_static(b"artifact")));
    assert_eq!(ledger.artifact_verify(&digest, 100).await.unwrap(), Artifact::Verified { size: 8 });
    assert!(ledger.artifact_verify(&digest, 7).await.is_err(), "larger than the caller takes");
    let download = ledger.artifact_download(&digest, "web.tar.gz", Duration::from_secs(60)).await.unwrap();
    assert_eq!(objects.download(&download).unwrap(), "artifact");
    objects.overwrite(&format!("harbor/artifacts/sha256/{}", digest.hex()), Bytes::from_static(b"artifice"));
    assert_eq!(ledger.artifact_verify(&digest, 100).await.unwrap(), Artifact::Mismatch);
}

#[tokio::test]
async fn evidence_and_approvals_are_written_once() {
    let (ledger, _) = ledger();
    let (operation, evidence) = (OperationId::new(1, 1), EvidenceId::new(1, 2));
    let put = |packet: &'static str| ledger.evidence_put(operation, evidence, packet, Millis(1));
    assert!(matches!(put("{}").await.unwrap(), Put::Created(_)));
    assert!(matches!(put("{}").await.unwrap(), Put::Created(_)), "repeated");
    assert_eq!(put("{\"other\":1}").await.unwrap(), Put::Existed);
    assert_eq!(ledger.evidence_get(operation, evidence).await.unwrap().unwrap(), "{}");
    assert!(matches!(ledger.approval_put("gat_1", "{}").await.unwrap(), Put::Created(_)));
    assert_eq!(ledger.approval_put("gat_1", "[]").await.unwrap(), Put::Existed);
    assert_eq!(ledger.approval_get("gat_1").await.unwrap().unwrap(), "{}");
    assert!(ledger.approval_put("../state", "{}").await.is_err());
}

#[tokio::test]
async fn the_last_log_of_an_attempt_stays() {
    let (ledger, _) = ledger();
    let operation = OperationId::new(1, 1);
    ledger.log_put(operation, 3, 1, "one\n").await.unwrap();
    ledger.log_put(operation, 3, 1, &"line\n".repeat(20_000)).await.unwrap();
    let log = ledger.log_get(operation, 3, 1).await.unwrap().unwrap();
    assert!(log.len() <= LOG_MAX && log.len() > LOG_MAX - 5 && log.starts_with("line\n"));
    assert_eq!(ledger.log_get(operation, 3, 2).await.unwrap(), None);
}

#[tokio::test]
async fn a_revision_is_decided_on_the_one_before_it() {
    let (ledger, _) = ledger();
    assert_eq!(ledger.state_read().await.unwrap(), None);
    let first = written(&ledger, None, 1, "revision 1").await.unwrap();
    assert_eq!(written(&ledger, None, 1, "another 1").await, None, "not the first");
    assert_eq!(written(&ledger, None, 1, "revision 1").await, Some(first.clone()), "its answer was lost");
    let second = written(&ledger, Some(&first), 2, "revision 2").await.unwrap();
    assert_eq!(written(&ledger, Some(&first), 2, "another 2").await, None, "decided on what is gone");
    assert_eq!(
        written(&ledger, Some(&first), 2, "revision 2").await,
        Some(second.clone()),
        "its answer was lost"
    );
    assert_eq!(ledger.state_read().await.unwrap(), Some(second));
    assert_eq!(ledger.state_revision(1).await.unwrap().unwrap(), "revision 1");
    assert_eq!(ledger.state_revision(2).await.unwrap().unwrap(), "revision 2");
}

#[tokio::test]
async fn a_copy_that_a_crash_left_out_is_made_by_the_next_writer() {
    let (ledger, objects) = ledger();
    objects.overwrite("harbor/state/state.json", Bytes::from_static(b"revision 1"));
    let base = ledger.state_read().await.unwrap().unwrap();
    written(&ledger, Some(&base), 2, "revision 2").await.unwrap();
    assert_eq!(ledger.state_revision(1).await.unwrap().unwrap(), "revision 1");
}

#[tokio::test]
async fn recoveries_are_pending_until_they_are_struck_out() {
    let (ledger, _) = ledger();
    assert!(matches!(ledger.recovery_put("op_1.2", "two").await.unwrap(), Put::Created(_)));
    assert!(matches!(ledger.recovery_put("op_1.1", "one").await.unwrap(), Put::Created(_)));
    let pending = |list: Vec<(String, Bytes)>| list.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
    assert_eq!(pending(ledger.recoveries().await.unwrap()), ["op_1.1", "op_1.2"]);
    ledger.recovery_remove("op_1.1").await.unwrap();
    ledger.recovery_remove("op_1.1").await.unwrap();
    assert_eq!(pending(ledger.recoveries().await.unwrap()), ["op_1.2"]);
}

#[tokio::test]
async fn the_lock_keeps_others_out_until_it_ends() {
    let (ledger, _) = ledger();
    let anna = acquire(&ledger, "anna", LockMode::Exclusive, 0).await.unwrap();
    assert_eq!(acquire(&ledger, "bob", LockMode::Exclusive, 99).await.unwrap_err(), "anna");
    assert_eq!(acquire(&ledger, "bob", LockMode::Shared, 99).await.unwrap_err(), "anna");
    assert_eq!(
        acquire(&ledger, "anna", LockMode::Exclusive, 50).await.unwrap().fencing,
        anna.fencing,
        "again"
    );
    assert!(ledger.lock_release(&anna, Millis(60)).await.unwrap());
    assert!(ledger.lock_release(&anna, Millis(60)).await.unwrap(), "may be repeated");
    let bob = acquire(&ledger, "bob", LockMode::Exclusive, 61).await.unwrap();
    assert!(bob.fencing > anna.fencing);
    let carol = acquire(&ledger, "carol", LockMode::Exclusive, 161).await.unwrap();
    assert!(carol.fencing > bob.fencing, "the lease had run out");
    assert_eq!(ledger.lock_renew(&bob, Millis(100), Millis(162)).await.unwrap(), Renew::Lost);
    assert!(!ledger.lock_release(&bob, Millis(162)).await.unwrap(), "and takes nothing from the new holder");
    assert!(matches!(ledger.lock_renew(&carol, Millis(100), Millis(200)).await.unwrap(), Renew::Held(_)));
    assert_eq!(acquire(&ledger, "bob", LockMode::Exclusive, 299).await.unwrap_err(), "carol");
}

#[tokio::test]
async fn who_plans_shares_the_lock() {
    let (ledger, _) = ledger();
    acquire(&ledger, "anna", LockMode::Shared, 0).await.unwrap();
    let bob = acquire(&ledger, "bob", LockMode::Shared, 0).await.unwrap();
    assert_eq!(ledger.locks(Millis(1)).await.unwrap().len(), 2);
    ledger.lock_release(&bob, Millis(1)).await.unwrap();
    assert_eq!(acquire(&ledger, "carol", LockMode::Exclusive, 1).await.unwrap_err(), "anna");
    acquire(&ledger, "carol", LockMode::Exclusive, 100).await.unwrap();
}

#[tokio::test]
async fn only_the_exact_id_forces_a_lock() {
    let (ledger, _) = ledger();
    let anna = acquire(&ledger, "anna", LockMode::Exclusive, 0).await.unwrap();
    assert_eq!(ledger.force_unlock("ann", Millis(1)).await.unwrap(), Unlock::NotHeld(vec![anna.clone()]));
    assert!(matches!(ledger.force_unlock("anna", Millis(1)).await.unwrap(), Unlock::Unlocked(_)));
    assert_eq!(ledger.force_unlock("anna", Millis(1)).await.unwrap(), Unlock::NotHeld(Vec::new()));
    assert_eq!(ledger.lock_renew(&anna, Millis(100), Millis(2)).await.unwrap(), Renew::Lost);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Writers that read whenever they like, in any order: every revision follows the one that it was decided on
    #[test]
    fn no_revision_is_lost(steps in prop::collection::vec((0usize..3, any::<bool>()), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (ledger, _) = ledger();
            let mut known: [Option<StateObject>; 3] = Default::default();
            let mut wins = 0u64;
            for (step, (writer, read)) in steps.into_iter().enumerate() {
                if read {
                    known[writer] = ledger.state_read().await.unwrap();
                    continue;
                }
                let history = known[writer].as_ref().map(|state| String::from_utf8(state.bytes.to_vec()).unwrap());
                let revision = history.as_ref().map_or(0, |text| text.lines().count() as u64) + 1;
                let text = format!("{}{writer} in step {step}\n", history.unwrap_or_default());
                if let Some(state) = written(&ledger, known[writer].as_ref(), revision, &text).await {
                    known[writer] = Some(state);
                    wins += 1;
                    assert_eq!(revision, wins);
                }
            }
            for revision in 1..=wins {
                let text = ledger.state_revision(revision).await.unwrap().unwrap();
                assert_eq!(text.split(|byte| *byte == b'\n').count() as u64, revision + 1);
            }
        });
    }

    /// Whoever asks, renews, releases or forces at whatever time: never two holders at once, never a fencing number twice
    #[test]
    fn nobody_shares_an_exclusive_lock(steps in prop::collection::vec((0usize..3, 0u8..4, 0i64..60), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (ledger, _) = ledger();
            let ids = ["anna", "bob", "carol"];
            let mut believed: [Option<Lock>; 3] = Default::default();
            let (mut now, mut newest) = (0, 0);
            for (who, what, later) in steps {
                now += later;
                match (what, believed[who].clone()) {
                    (0, _) | (_, None) => {
                        if let Ok(lock) = acquire(&ledger, ids[who], LockMode::Exclusive, now).await {
                            let same = believed[who].as_ref().is_some_and(|old| old.fencing == lock.fencing);
                            assert!(same || lock.fencing > newest, "a fencing number is given once");
                            newest = lock.fencing;
                            believed[who] = Some(lock);
                        }
                    }
                    (1, Some(lock)) => match ledger.lock_renew(&lock, Millis(100), Millis(now)).await.unwrap() {
                        Renew::Held(lock) => {
                            assert_eq!(lock.fencing, newest, "only the newest holder goes on");
                            believed[who] = Some(lock);
                        }
                        Renew::Lost => believed[who] = None,
                    },
                    (2, Some(lock)) => {
                        ledger.lock_release(&lock, Millis(now)).await.unwrap();
                        believed[who] = None;
                    }
                    (_, Some(_)) => drop(ledger.force_unlock(ids[who], Millis(now)).await.unwrap()),
                }
                assert!(ledger.locks(Millis(now)).await.unwrap().len() <= 1);
            }
        });
    }
}
