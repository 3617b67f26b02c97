//! Evidence and audit

use crate::{rig::weir, server::Server, state};
use std::fs;

const PACKET: &str = "evd_01ARZ3NDEKTSV4RRFFQ69G5FAV";

#[tokio::test]
async fn a_kept_packet_verifies_without_a_server() {
    let server = Server::start().await;
    let kept = weir(&server, "alice", &["evidence", "show", PACKET, "--json"]).await;
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (file, key, envelope) = (path("packet.json"), path("key.pem"), path("envelope.json"));
    fs::write(&file, &kept.out).unwrap();
    fs::write(&key, state::public_key()).unwrap();
    fs::write(&envelope, kept.json()[0]["envelope"].to_string()).unwrap();
    server.with(|state| state.requests.clear());

    let own = weir(&server, "alice", &["evidence", "verify", &file]).await;
    assert_eq!((own.code, own.err.contains("the key came with the packet")), (0, true), "{own:?}");
    assert!(own.out.contains("✔ verified") && own.out.contains(PACKET), "{own:?}");
    let given = weir(&server, "alice", &["evidence", "verify", &envelope, "--key", &key]).await;
    assert_eq!((given.code, given.err.as_str()), (0, ""), "{given:?}");
    assert_eq!(weir(&server, "alice", &["evidence", "verify", &envelope]).await.code, 2);

    let forged = kept.out.replace("\"payload\":\"", "\"payload\":\"AAAA");
    fs::write(&file, forged).unwrap();
    let forged = weir(&server, "alice", &["evidence", "verify", &file, "--json"]).await;
    assert_eq!((forged.code, forged.json()[0]["verified"].as_bool()), (1, Some(false)), "{forged:?}");
    fs::write(&file, "{}").unwrap();
    assert_eq!(weir(&server, "alice", &["evidence", "verify", &file]).await.code, 1);
    assert!(server.with(|state| state.requests.is_empty()), "offline means offline");
}

#[tokio::test]
async fn a_packet_is_shown_and_verified_by_its_id() {
    let server = Server::start().await;
    let shown = weir(&server, "alice", &["evidence", "show", PACKET]).await;
    assert!(
        shown.out.contains("environment.staging") && shown.err.contains("weir evidence verify"),
        "{shown:?}"
    );
    assert_eq!(weir(&server, "alice", &["evidence", "verify", PACKET]).await.code, 0);
}

#[tokio::test]
async fn the_latest_audit_events_come_in_their_order() {
    let server = Server::start().await;
    server.with(|state| (1..=5).for_each(|n| state.tell("alice", "thing.do", &format!("thing-{n}"))));
    let tail = weir(&server, "alice", &["audit", "tail", "-n", "3"]).await;
    let subjects: Vec<&str> = tail.out.split_whitespace().filter(|word| word.starts_with("thing-")).collect();
    assert_eq!(subjects, ["thing-3", "thing-4", "thing-5"]);
    let json = weir(&server, "alice", &["audit", "tail", "--json"]).await.json();
    assert_eq!((json.len(), json[0]["action"].as_str()), (5, Some("thing.do")));
}
