//! What an agent does of its own accord: services that crash, releases that nobody needs

use crate::{
    archive,
    deploys::{LEASE, deploy},
    rig::Rig,
};
use std::{collections::BTreeSet, fs};
use weir_edge::wire::agent::{AgentStatus, ServiceState};

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_crashes_is_started_again_and_the_agent_says_that_it_is_shaky() {
    let mut rig = Rig::idle(LEASE).await;
    rig.start_agent(&["--restart-pause", "100ms"]);
    let digest = rig.server.upload(archive::web("1"));
    deploy(&rig, &digest, |_| {}).await;
    for _ in 0..2 {
        let crashed = rig.service();
        rig.kill_service();
        rig.until("another process", async |rig| rig.service().filter(|found| Some(*found) != crashed)).await;
        assert_eq!(rig.until("the service", async |rig| rig.answer().await).await, "1");
    }
    let is_shaky = |state: &mut crate::server::State| {
        let beat = state.heartbeats.last()?;
        let found = (beat.targets[0].service, beat.status);
        (found == (ServiceState::Running, AgentStatus::Degraded)).then_some(())
    };
    rig.server.until("a heartbeat that it runs again", is_shaky).await;

    let next = rig.server.upload(archive::web("2"));
    deploy(&rig, &next, |_| {}).await;
    let is_online = |state: &mut crate::server::State| {
        state.heartbeats.last().filter(|beat| beat.status == AgentStatus::Online).map(|_| ())
    };
    rig.server.until("a heartbeat that all is well", is_online).await;
    assert_eq!(rig.answer().await.as_deref(), Some("2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_never_started_is_left_alone() {
    let mut rig = Rig::idle(LEASE).await;
    rig.start_agent(&["--restart-pause", "100ms"]);
    let digest = rig.server.upload(archive::script("import sys\nsys.exit('no such table')\n"));
    deploy(&rig, &digest, |_| {}).await;
    let ended = rig.service();
    rig.server.with(|state| state.heartbeats.clear());
    rig.server.until("ten heartbeats", |state| (state.heartbeats.len() >= 10).then_some(())).await;
    assert_eq!(rig.service(), ended);
    assert!(!rig.log().contains("started again"), "{}", rig.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn releases_that_nobody_needs_are_removed_and_fetched_again_when_they_are_asked_for() {
    let mut rig = Rig::idle(LEASE).await;
    rig.start_agent(&["--keep-releases", "1"]);
    let digests: Vec<_> = ["1", "2", "3", "4"].map(|text| rig.server.upload(archive::web(text))).into();
    for digest in &digests {
        deploy(&rig, digest, |_| {}).await;
    }
    let there = |rig: &Rig| -> BTreeSet<String> {
        let names = fs::read_dir(rig.path("releases")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| !name.ends_with(".json")).collect()
    };
    assert_eq!(there(&rig), digests[1..].iter().map(|digest| digest.hex().to_owned()).collect());
    let report = deploy(&rig, &digests[0], |_| {}).await;
    assert_eq!(report.previous_digest.as_ref(), Some(&digests[3]), "{}", report.logs);
    assert_eq!(rig.answer().await.as_deref(), Some("1"));
    assert_eq!(rig.server.with(|state| state.fetched.len()), 5);
}
