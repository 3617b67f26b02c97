//! Attempts: their time limits, signs of life, and answers that got lost

use crate::{
    rig::{Rig, job},
    table::Point,
};
use std::time::Duration;
use weir_domain::{
    engine::{CLOCKS, LEASE, NodeUpdate},
    failure::FailureSummary,
    operation::ReconcilePass,
    plan::{Executor, Graph, JobContract, NodeStatus, NodeType, OnFailure, PlanNode},
    time::Millis,
};
use weir_orchestration::{Clock as _, Outcome, Reported, Started, jobs::JobEnd};
use weir_store::{Entity as _, Key, Table};

fn alone(node: PlanNode) -> Graph {
    Graph::new(vec![node]).unwrap()
}

#[tokio::test]
async fn no_attempt_begins_when_the_time_of_its_node_is_over() {
    let mut node = job("a", &[]);
    node.job_contract = node.job_contract.map(|it| JobContract { deadline_s: Some(90), ..it });
    let rig = Rig::begin(&alone(node)).await;
    rig.pass(Millis::from_secs(90));
    assert_eq!(rig.start("a").await, Started::No);
    rig.reconcile().await;
    assert_eq!(rig.status("a").await, NodeStatus::Ready, "whose clock is behind may have begun it");
    rig.pass(Millis::from_secs(60));
    rig.reconcile().await;
    assert_eq!(rig.node("a").await.error.unwrap().code, "deadline_passed");
}

#[tokio::test]
async fn nobody_works_longer_than_his_attempt_may_however_often_he_shows_that_he_lives() {
    let rig = Rig::begin(&alone(job("a", &[]))).await;
    let Started::Yes(begun) = rig.start("a").await else { panic!("nobody else has it") };
    let (key, end) = (rig.key("a").await, begun.deadline.unwrap());
    let mut lease = begun.lease_until.unwrap();
    while rig.clock.now() + LEASE < end + CLOCKS {
        rig.pass(Millis(LEASE.0 / 2 + 100));
        lease = rig.engine.heartbeat(&key, 1).await.unwrap().unwrap().lease_until.unwrap();
    }
    assert_eq!(lease, end + CLOCKS, "he stops at its end by his own clock");
    rig.pass(lease - rig.clock.now());
    rig.reconcile().await;
    let node = rig.node("a").await;
    assert_eq!((node.attempt, node.past[0].error.code.as_str()), (2, "attempt_timed_out"));
    assert_eq!(rig.engine.heartbeat(&key, 1).await.unwrap(), None, "and is told so");
}

#[tokio::test(start_paused = true)]
async fn whoever_hears_too_late_that_an_attempt_is_his_leaves_it() {
    let rig = Rig::begin(&alone(job("a", &[]))).await;
    let late = |point: Point<'_>| matches!(point, Point::Node(NodeUpdate::Start { .. }));
    let lease = Duration::from_millis(LEASE.0.unsigned_abs());
    let worker = rig.overtaken(late, tokio::time::sleep(lease));
    let job = rig.cloud.told(|told| told.jobs.remove(0));
    assert_eq!(worker.run_job(&job, "worker").await.unwrap(), JobEnd::Dropped);
    let node = rig.node("a").await;
    assert_eq!((node.status, node.attempt), (NodeStatus::Running, 1), "its lease passes");
}

#[tokio::test]
async fn a_sign_of_life_counts_although_somebody_has_just_seen_the_lease_expired() {
    let rig = Rig::begin(&alone(job("a", &[]))).await;
    let Started::Yes(seen) = rig.start("a").await else { panic!("nobody else has it") };
    rig.pass(LEASE);
    rig.engine.heartbeat(&rig.key("a").await, 1).await.unwrap().unwrap();
    rig.engine.drive_from(rig.key("a").await, *seen).await.unwrap();
    let node = rig.node("a").await;
    assert_eq!((node.status, node.attempt), (NodeStatus::Running, 1));
    // One that comes too late does not.
    rig.pass(LEASE);
    rig.reconcile().await;
    assert_eq!(rig.node("a").await.past[0].error.code, "lease_expired");
}

#[tokio::test]
async fn whoever_meets_his_own_write_goes_on_as_its_winner() {
    let rig = Rig::create(&Graph::new(vec![job("a", &[]), job("b", &["a"])]).unwrap()).await;
    let engine = rig.hard_of_hearing();
    engine.begin(&rig.scope, rig.id, "root".to_owned()).await.unwrap();
    for (name, dispatched) in [("a", 1), ("b", 2)] {
        assert_eq!(
            rig.cloud.told(|told| told.jobs.len()),
            dispatched,
            "{name} is handed out by who claimed it"
        );
        let key = rig.key(name).await;
        assert!(matches!(rig.start(name).await, Started::Yes(_)));
        let report = engine.report(&key, 1, Outcome::Succeeded, format!("{name}/1")).await.unwrap();
        assert!(matches!(report, Reported::Accepted(_)), "{report:?}");
        assert!(rig.node(name).await.closed);
    }
}

#[tokio::test]
async fn what_runs_is_given_to_nobody_not_even_to_who_has_it() {
    let rig = Rig::begin(&alone(job("a", &[]))).await;
    assert!(matches!(rig.start("a").await, Started::Yes(_)));
    // He asks for more, and the queue still shows what he was given a moment before.
    assert_eq!(rig.start("a").await, Started::No);
    assert_eq!((rig.node("a").await.attempt, rig.status("a").await), (1, NodeStatus::Running));
}

#[tokio::test]
async fn a_failure_that_is_reported_twice_takes_the_node_out_of_nobodys_hands() {
    let by_hand = PlanNode { on_failure: OnFailure::Pause, ..job("a", &[]) };
    let verified = PlanNode { node_type: NodeType::Verification, ..job("b", &["a"]) };
    let rig = Rig::begin(&Graph::new(vec![by_hand, verified]).unwrap()).await;
    let key = rig.key("a").await;
    rig.start("a").await;
    // The second time it would lead to another attempt: the time that is left counts, and chance.
    for retryable in [false, true] {
        let outcome = Outcome::Failed { error: FailureSummary::new("broke", "it broke"), retryable };
        let report = rig.engine.report(&key, 1, outcome, "a/1".to_owned()).await.unwrap();
        assert!(matches!(report, Reported::Accepted(_)), "{report:?}");
        let node = rig.node("a").await;
        assert!(node.awaits_person() && node.attempt == 1, "{node:?}");
    }
}

#[tokio::test]
async fn an_agent_that_is_away_for_a_while_is_waited_for_and_nothing_is_repaired() {
    let mut node = job("a", &[]);
    node.runs = Executor::Agent("target.e.t-1".parse().unwrap());
    node.job_contract = node.job_contract.map(|it| JobContract { deadline_s: Some(7_500), ..it });
    let rig = Rig::begin(&alone(node)).await;
    rig.reconcile().await;
    let mut kept = Vec::new();
    for minute in 0..120 {
        rig.pass(Millis::from_secs(60));
        if let Some(run) = rig.engine.reconcile().await.unwrap().run {
            let key = Key::entity(&rig.engine.workspace(), ReconcilePass::KIND, run);
            let table: &dyn Table = &*rig.memory;
            let (pass, _) = table.read::<ReconcilePass>(&key).await.unwrap().unwrap();
            assert!(minute >= 10, "somebody looked although nobody was expected: {:?}", pass.repairs);
            kept.extend(pass.forget_at.is_none().then_some(pass.repairs));
        }
    }
    assert!(kept.is_empty(), "{kept:?}");
    assert_eq!(rig.status("a").await, NodeStatus::Ready);
    rig.pass(Millis::from_secs(400));
    rig.reconcile().await;
    let ended = rig.node("a").await;
    assert_eq!(ended.error.unwrap().code, "deadline_passed", "the end of its time is noticed when it comes");
}

#[tokio::test]
async fn a_report_counts_once_and_for_its_own_attempt_only() {
    let rig = Rig::begin(&alone(job("a", &[]))).await;
    let key = rig.key("a").await;
    let broke = || Outcome::Failed { error: FailureSummary::new("broke", "it broke"), retryable: true };
    let counts = async |attempt: u32, outcome: Outcome, by: &str| {
        let report = rig.engine.report(&key, attempt, outcome, format!("{by}/{attempt}")).await.unwrap();
        matches!(report, Reported::Accepted(_))
    };
    rig.start("a").await;
    assert!(counts(1, broke(), "ann").await);
    assert!(counts(1, broke(), "ann").await, "told again: it has led to another attempt");
    rig.pass(Millis::from_secs(60));
    assert!(matches!(rig.start("a").await, Started::Yes(_)));
    rig.pass(LEASE);
    rig.reconcile().await;
    rig.pass(Millis::from_secs(60));
    assert!(matches!(rig.start("a").await, Started::Yes(_)));
    assert!(!counts(2, broke(), "ann").await, "it had been given up");
    assert!(!counts(2, Outcome::Succeeded, "ann").await);
    let node = rig.node("a").await;
    assert_eq!((node.status, node.attempt), (NodeStatus::Running, 3), "which is about another attempt");
    assert!(counts(3, Outcome::Succeeded, "bob").await);
    assert!(counts(3, Outcome::Succeeded, "bob").await, "told again: it has ended the node");
    assert!(!counts(3, Outcome::Succeeded, "ann").await, "somebody else's");
}

#[tokio::test]
async fn a_failure_that_has_ended_its_node_is_accepted_again_whatever_it_would_lead_to_now() {
    let rig = Rig::begin(&alone(job("a", &[]))).await;
    let key = rig.key("a").await;
    rig.start("a").await;
    for retryable in [false, true] {
        let outcome = Outcome::Failed { error: FailureSummary::new("broke", "it broke"), retryable };
        let report = rig.engine.report(&key, 1, outcome, "a/1".to_owned()).await.unwrap();
        assert!(matches!(report, Reported::Accepted(_)), "{report:?}");
        assert_eq!(rig.status("a").await, NodeStatus::Failed);
    }
}
