//! Who the agent is, and when it refuses to be anybody

use crate::{deploys::LEASE, rig::Rig};
use std::fs;

async fn beat(rig: &Rig) {
    rig.server.with(|state| state.heartbeats.clear());
    rig.server.until("a heartbeat", |state| state.heartbeats.first().map(|_| ())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_spent_once_and_the_answer_is_kept() {
    let mut rig = Rig::start(LEASE).await;
    beat(&rig).await;
    rig.kill_agent();
    // Neither the spent token nor a missing one asks for a registration.
    rig.start_agent(&[]);
    beat(&rig).await;
    rig.kill_agent();
    fs::remove_file(rig.folder.path().join("token")).unwrap();
    rig.start_agent(&[]);
    beat(&rig).await;
    let posts = rig.server.with(|state| state.posts.iter().filter(|(path, _)| path == "/v1/agents").count());
    assert_eq!(posts, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_killed_before_it_stored_the_answer_is_given_it_again() {
    let mut rig = Rig::start(LEASE).await;
    beat(&rig).await;
    rig.kill_agent();
    fs::remove_file(rig.path("agent.json")).unwrap();
    rig.start_agent(&[]);
    beat(&rig).await;
    assert_eq!(rig.server.with(|state| state.registrations), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn registration_waits_for_a_server_that_is_away() {
    let mut rig = Rig::idle(LEASE).await;
    rig.server.with(|state| state.down.insert("agents"));
    rig.start_agent(&[]);
    rig.server.until("two tries", |state| (state.posts.len() >= 2).then_some(())).await;
    rig.server.with(|state| state.down.clear());
    beat(&rig).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_a_shared_folder_and_a_disowned_agent_end_with_a_reason() {
    let mut rig = Rig::idle(LEASE).await;
    fs::write(rig.folder.path().join("token"), "wrong").unwrap();
    rig.start_agent(&[]);
    assert_eq!(rig.wait_agent().code(), Some(1));
    assert!(rig.log().contains("could not be registered: No (403 W0403)"), "{}", rig.log());

    fs::write(rig.folder.path().join("token"), crate::server::TOKEN).unwrap();
    rig.start_agent(&[]);
    beat(&rig).await;
    assert_eq!(rig.command().status().unwrap().code(), Some(1));
    assert!(rig.log().contains("another agent works in this folder"));

    rig.server.with(|state| state.disowned = true);
    assert_eq!(rig.wait_agent().code(), Some(1));
    assert!(rig.log().contains("does not accept this agent's credential"));

    let output = rig.command().args(["--poll", "soon"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}
