//! Deployments that succeed, and those that are refused for what they bring

use crate::{archive, rig::Rig};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt as _, time::Duration};
use weir_domain::canonical::Digest;
use weir_edge::wire::{
    agent::{AgentStatus, ServiceState, StickerState},
    task::{Report, ReportStatus},
};

pub const LEASE: Duration = Duration::from_secs(20);

/// What a test changes of a deployment's input
type Change = Box<dyn FnOnce(&mut Value)>;

/// Deploys `digest` and waits for the report
pub async fn deploy(rig: &Rig, digest: &Digest, change: impl FnOnce(&mut Value)) -> Report {
    let task = rig.server.deploy(digest, change);
    rig.server.ended(task).await
}

fn code(report: &Report) -> &str {
    report.error.as_ref().map_or("", |error| error.code.as_str())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_fetched_unpacked_started_labelled_and_reported() {
    let rig = Rig::start(LEASE).await;
    let digest = rig.server.upload(archive::web("1.0.0"));
    let report = deploy(&rig, &digest, |input| input["run"]["secret_env"] = json!({"KEY": "pa55"})).await;

    assert_eq!((report.status, report.error), (ReportStatus::Succeeded, None));
    assert_eq!((report.previous_digest, report.current_digest), (None, Some(digest.clone())));
    assert!(report.logs.contains("it answers 200 at /healthz"), "{}", report.logs);
    assert_eq!(rig.answer().await.as_deref(), Some("1.0.0"));
    assert_eq!(rig.current(), Some(digest.clone()));
    assert!(
        fs::read_to_string(rig.path("logs/service.log")).unwrap().contains("serving 1.0.0 of component.web")
    );
    assert_eq!(fs::read_dir(rig.path("tmp")).unwrap().count(), 0);

    let sticker: Value = serde_json::from_slice(&fs::read(rig.path("weir.version.json")).unwrap()).unwrap();
    assert_eq!(sticker["content"]["digest"], json!(digest));
    assert_eq!(sticker["content_hash"], json!(Digest::of(&sticker["content"]).unwrap()));
    assert_eq!(report.sticker, serde_json::from_value(sticker).unwrap());
    for name in ["agent.json", "deployment.json"] {
        assert_eq!(fs::metadata(rig.path(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    for secret in ["s3cr3t", "pa55", "one-time-token", "the-credential"] {
        assert!(!rig.log().contains(secret) && !report.logs.contains(secret), "{secret} is in a log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn going_back_takes_what_is_there_and_what_was_before_is_known() {
    let rig = Rig::start(LEASE).await;
    let (one, two) = (rig.server.upload(archive::web("1")), rig.server.upload(archive::unwell("2")));
    let mut before = None;
    for (digest, answer) in [(&one, "1"), (&two, "2"), (&one, "1")] {
        let report = deploy(&rig, digest, |_| {}).await;
        assert_eq!(report.status, ReportStatus::Succeeded, "{}", report.logs);
        assert_eq!(report.previous_digest, before);
        assert_eq!(rig.answer().await.as_deref(), Some(answer));
        before = Some(digest.clone());
    }
    assert_eq!(
        rig.server.with(|state| state.fetched.clone()),
        [one.hex(), two.hex()],
        "each is fetched once"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_is_not_what_it_should_be_changes_nothing() {
    let rig = Rig::start(LEASE).await;
    let good = rig.server.upload(archive::web("1"));
    deploy(&rig, &good, |_| {}).await;
    let service = rig.service();

    let other = rig.server.upload(archive::web("2"));
    let absent = Digest::of_bytes(b"nowhere");
    let mut cut = archive::web("3");
    cut.truncate(cut.len() / 2);
    let cut = rig.server.upload(cut);
    let outside = rig.server.upload(archive::tar_gz(&[("../../evil", "x")]));
    let absolute = rig.server.upload(archive::tar_gz(&[("/tmp/weir-agent-evil", "x")]));
    let url = format!("{}/blobs/{}", rig.server.url, other.hex());
    let cases: [(&Digest, Change, &str); 7] = [
        (&absent, Box::new(move |input| input["artifact"]["url"] = json!(url)), "size_mismatch"),
        (&other, Box::new(|input| input["digest"] = json!(Digest::of_bytes(b"else"))), "digest_mismatch"),
        (&cut, Box::new(|_| {}), "archive_broken"),
        (&outside, Box::new(|_| {}), "archive_refused"),
        (&absolute, Box::new(|_| {}), "archive_refused"),
        (&other, Box::new(|input| input["artifact"]["size"] = json!(1u64 << 40)), "archive_too_large"),
        (&other, Box::new(|input| input["run"]["command"] = json!([])), "no_command"),
    ];
    for (digest, change, expected) in cases {
        let report = deploy(&rig, digest, change).await;
        assert_eq!((report.status, code(&report)), (ReportStatus::Failed, expected), "{}", report.logs);
        assert_eq!(report.current_digest.as_ref(), Some(&good));
    }
    assert_eq!((rig.service(), rig.answer().await.as_deref()), (service, Some("1")));
    assert!(!rig.folder.path().join("evil").exists() && !rig.path("evil").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_does_not_start_is_a_clean_failure_with_its_last_words() {
    let rig = Rig::start(LEASE).await;
    let exits = rig.server.upload(archive::script("import sys\nsys.exit('no such table')\n"));
    let report = deploy(&rig, &exits, |_| {}).await;
    assert_eq!((report.status, code(&report)), (ReportStatus::Failed, "service_exited"));
    assert!(report.logs.contains("no such table"), "{}", report.logs);

    let hangs =
        rig.server.upload(archive::script("import time\nprint('thinking', flush=True)\ntime.sleep(600)\n"));
    let report =
        deploy(&rig, &hangs, |input| input["run"]["health"]["ready_within_seconds"] = json!(1)).await;
    assert_eq!((report.status, code(&report)), (ReportStatus::Failed, "service_not_ready"));
    assert!(report.logs.contains("thinking"), "{}", report.logs);
    assert_eq!((report.current_digest, report.previous_digest), (Some(hangs), Some(exits.clone())));
    assert_eq!(rig.service(), None, "it was stopped");

    let missing = |input: &mut Value| input["run"]["command"] = json!(["./no-such-program"]);
    assert_eq!(code(&deploy(&rig, &exits, missing).await), "service_exited");
    // One that was sent while a service was tried out may have come before.
    let absent = |state: &mut crate::server::State| {
        let beat = state.heartbeats.last()?;
        (beat.targets[0].service == ServiceState::Absent && beat.status == AgentStatus::Online).then_some(())
    };
    rig.server.until("a heartbeat without a service", absent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_somebody_else_has_is_said() {
    let rig = Rig::start(LEASE).await;
    let _taken = std::net::TcpListener::bind(("127.0.0.1", rig.port)).unwrap();
    let digest = rig.server.upload(archive::web("1"));
    assert_eq!(code(&deploy(&rig, &digest, |_| {}).await), "port_taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_shows_in_the_next_heartbeat_and_a_deployment_ends_it() {
    let mut rig = Rig::idle(LEASE).await;
    // The service that this test ends stays away.
    rig.start_agent(&["--restart-pause", "600s"]);
    let digest = rig.server.upload(archive::web("1"));
    let seen = async |wanted: (StickerState, ServiceState, AgentStatus)| {
        let is = |state: &mut crate::server::State| {
            let beat = state.heartbeats.last()?;
            let found = (beat.targets[0].sticker, beat.targets[0].service, beat.status);
            (found == wanted).then_some(())
        };
        rig.server.until(&format!("{wanted:?}"), is).await;
    };
    seen((StickerState::Absent, ServiceState::Absent, AgentStatus::Online)).await;
    deploy(&rig, &digest, |_| {}).await;
    seen((StickerState::Ok, ServiceState::Running, AgentStatus::Online)).await;
    fs::write(rig.path("current/serve.py"), "changed by hand").unwrap();
    seen((StickerState::Drift, ServiceState::Running, AgentStatus::Degraded)).await;
    deploy(&rig, &digest, |_| {}).await;
    seen((StickerState::Ok, ServiceState::Running, AgentStatus::Online)).await;
    rig.kill_service();
    seen((StickerState::Ok, ServiceState::Stopped, AgentStatus::Degraded)).await;
}
