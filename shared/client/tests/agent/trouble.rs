//! Kills, cancellations, lost leases and servers that are away

use crate::{
    archive,
    deploys::{LEASE, deploy},
    rig::Rig,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};
use weir_client::clock;
use weir_domain::id::TaskId;
use weir_edge::wire::task::ReportStatus;

/// Short enough to pass during a test, long enough for a slow machine's heartbeats
const SHORT: Duration = Duration::from_secs(3);

/// A service that never answers
fn hanging() -> Vec<u8> {
    archive::script("import time\ntime.sleep(600)\n")
}

fn patient(input: &mut Value) {
    input["run"]["health"]["ready_within_seconds"] = json!(600);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_outlives_its_agent_and_is_adopted_or_started_again() {
    let mut rig = Rig::start(LEASE).await;
    let digest = rig.server.upload(archive::web("1"));
    deploy(&rig, &digest, |_| {}).await;
    let service = rig.service();
    rig.kill_agent();
    assert_eq!(rig.answer().await.as_deref(), Some("1"));

    rig.start_agent(&[]);
    rig.until("the adoption", async |rig| rig.log().contains("runs already and is kept").then_some(())).await;
    assert_eq!(rig.service(), service);
    assert!(rig.end_agent().success());
    assert_eq!(rig.answer().await.as_deref(), Some("1"));

    rig.kill_service();
    rig.start_agent(&[]);
    rig.until("the service", async |rig| rig.answer().await).await;
    assert_ne!(rig.service(), service);
    assert_eq!(rig.server.with(|state| state.registrations), 1);

    // What the second agent only found, a third stops.
    rig.kill_agent();
    rig.start_agent(&["--stop-service-on-exit"]);
    rig.until("the third agent", async |rig| (rig.log().matches("kept").count() == 2).then_some(())).await;
    assert!(rig.end_agent().success());
    assert_eq!(rig.answer().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_killed_after_the_switch_loses_nothing() {
    let mut rig = Rig::start(SHORT).await;
    let (one, two) = (rig.server.upload(archive::web("1")), rig.server.upload(hanging()));
    deploy(&rig, &one, |_| {}).await;
    let task = rig.server.deploy(&two, patient);
    rig.until("the switch", async |rig| (rig.current().as_ref() == Some(&two)).then_some(())).await;
    rig.kill_agent();
    // The next attempt has better luck: the same release, with a command that answers.
    let command = json!(["python3", "-m", "http.server", "--bind", "127.0.0.1", rig.port.to_string()]);
    rig.server.with(|state| state.nodes.get_mut(&task).unwrap().input["run"]["command"] = command);
    rig.start_agent(&[]);
    let report = rig.server.ended(task).await;
    // A slow machine may lose a lease more.
    assert!(report.attempt >= 2 && report.status == ReportStatus::Succeeded, "{}", report.logs);
    assert_eq!(report.previous_digest, Some(one), "not what the killed attempt had put there");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_killed_at_any_moment_ends_with_the_release_that_was_asked_for() {
    let mut rig = Rig::start(SHORT).await;
    let digests = [rig.server.upload(archive::web("1")), rig.server.upload(archive::web("2"))];
    deploy(&rig, &digests[1], |_| {}).await;
    for round in 0..8u64 {
        let digest = &digests[usize::try_from(round % 2).unwrap()];
        let task = rig.server.deploy(digest, |_| {});
        rig.server.started(task).await;
        // Spread over a deployment's length: which step it hits is the machine's choice.
        tokio::time::sleep(Duration::from_millis(round * 45)).await;
        rig.kill_agent();
        rig.start_agent(&[]);
        let report = rig.server.ended(task).await;
        assert_eq!(report.status, ReportStatus::Succeeded, "round {round}: {}", report.logs);
        let (answer, current) = (rig.answer().await, rig.current());
        assert_eq!(
            (answer, current.as_ref()),
            (Some((round % 2 + 1).to_string()), Some(digest)),
            "round {round}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_task_is_stopped_and_says_so_and_the_next_one_is_done() {
    let rig = Rig::start(LEASE).await;
    let (hanging, web) = (rig.server.upload(hanging()), rig.server.upload(archive::web("1")));
    let task = rig.server.deploy(&hanging, patient);
    rig.until("the switch", async |rig| rig.current()).await;
    rig.server.with(|state| state.nodes.get_mut(&task).unwrap().cancel = true);
    let report = deploy(&rig, &web, |_| {}).await;
    assert_eq!((report.status, report.previous_digest), (ReportStatus::Succeeded, Some(hanging)));
    assert_eq!(rig.answer().await.as_deref(), Some("1"));
    let stopped = rig.server.ended(task).await;
    assert_eq!(
        stopped.error.map(|error| (error.code, error.retryable)),
        Some(("cancelled".to_owned(), false))
    );
    assert_eq!(rig.server.with(|state| state.refused_reports), 0);
    assert!(rig.log().contains("the control plane cancelled the task"));
}

#[tokio::test(flavor = "multi_thread")]
async fn work_stops_before_a_lease_that_cannot_be_renewed() {
    let rig = Rig::start(SHORT * 2).await;
    let digest = rig.server.upload(hanging());
    let task = rig.server.deploy(&digest, patient);
    rig.server.started(task).await;
    rig.server.with(|state| state.down.insert("heartbeat"));
    // The agent says itself when it stopped: how late this test sees it is the machine's choice.
    let stopped = rig.until("the stop", async |rig| {
        let log = rig.log();
        let line = log.lines().find(|line| line.contains("the lease could not be renewed"))?;
        line.split_whitespace().next()?.parse::<jiff::Timestamp>().ok()
    });
    let stopped = stopped.await;
    let (passes, reported) = rig.server.with(|state| {
        let node = &state.nodes[&task];
        let left = node.lease.unwrap().saturating_duration_since(Instant::now());
        let late = Instant::now().saturating_duration_since(node.lease.unwrap());
        (clock::now() + left - late, node.report.is_some())
    });
    assert!(!reported && stopped < passes, "it stopped at {stopped}, and the lease passed at {passes}");
    assert_eq!(rig.server.with(|state| state.refused_reports), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_claim_brings_that_was_held_for_longer_than_a_lease_is_done_at_the_first_attempt() {
    let mut rig = Rig::idle(SHORT * 2).await;
    rig.server.with(|state| state.holds_claims = SHORT * 3);
    let digest = rig.server.upload(archive::web("1"));
    let task = rig.server.deploy(&digest, |_| {});
    rig.start_agent(&[]);
    let report = rig.server.ended(task).await;
    assert_eq!((report.attempt, report.status), (1, ReportStatus::Succeeded));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_waits_for_the_server_and_stays_the_same_to_the_last_byte() {
    let rig = Rig::start(LEASE).await;
    rig.server.with(|state| state.down.insert("reports"));
    let digest = rig.server.upload(archive::web("1"));
    let task = rig.server.deploy(&digest, |_| {});
    let said = |state: &mut crate::server::State| -> Vec<_> {
        let reports = state.posts.iter().filter(|(path, _)| path.ends_with("reports"));
        reports.map(|(_, body)| body.clone()).collect()
    };
    rig.server.until("three tries", |state| (said(state).len() >= 3).then_some(())).await;
    rig.server.with(|state| state.down.clear());
    assert_eq!(rig.server.ended(task).await.status, ReportStatus::Succeeded);
    // It is known by that: the server tells a repeat from another report by nothing else.
    let distinct: BTreeSet<_> = rig.server.with(said).into_iter().collect();
    assert_eq!(distinct.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_report_is_refused_and_dropped_and_the_new_attempt_is_done() {
    let rig = Rig::start(LEASE).await;
    rig.server.with(|state| state.down.insert("reports"));
    let digest = rig.server.upload(archive::web("1"));
    let task: TaskId = rig.server.deploy(&digest, |_| {});
    let tried = |state: &mut crate::server::State| {
        state.posts.iter().any(|(path, _)| path.ends_with("reports")).then_some(())
    };
    rig.server.until("a try", tried).await;
    rig.server.with(|state| {
        let node = state.nodes.get_mut(&task).unwrap();
        (node.attempt, node.lease) = (2, None);
        state.down.clear();
    });
    let report = rig.server.ended(task).await;
    assert_eq!((report.attempt, report.status), (2, ReportStatus::Succeeded));
    assert_eq!(rig.server.with(|state| state.refused_reports), 1);
    assert!(rig.log().contains("was dropped"));
}
