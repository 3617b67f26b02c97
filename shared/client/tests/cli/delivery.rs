//! From a file to a promotion that ended

use crate::{
    rig::{Somebody, weir, weir_of},
    server::Server,
};
use std::fs;

/// A release of the service `shop`, made from a file
pub async fn release(server: &Server, version: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("web.tar.gz");
    fs::write(&file, format!("bytes of {version}")).unwrap();
    let digest = weir(server, "alice", &["artifact", "push", file.to_str().unwrap()]).await.id("sha256:");
    let made = weir(
        server,
        "alice",
        &["version", "create", "--component", "web", "--tag", version, "--digest", &digest],
    )
    .await;
    assert_eq!(made.code, 0, "{made:?}");
    let part = format!("web={}", made.id("ver_"));
    let made = weir(
        server,
        "alice",
        &["release", "create", "--service", "shop", "--version", version, "--component", &part],
    )
    .await;
    assert_eq!(made.code, 0, "{made:?}");
    made.id("rel_")
}

#[tokio::test]
async fn bytes_that_are_there_are_not_sent_again() {
    let server = Server::start().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("web.tar.gz");
    fs::write(&file, vec![1; 600_000]).unwrap();
    let line = ["artifact", "push", file.to_str().unwrap()];
    let first = weir(&server, "alice", &line).await;
    assert_eq!((first.code, first.err.contains("sent 600000 bytes")), (0, true), "{first:?}");
    let second = weir(&server, "alice", &line).await;
    assert_eq!((second.code, second.err.contains("there already")), (0, true), "{second:?}");
    assert_eq!(first.out, second.out);
    let json = weir(&server, "alice", &["artifact", "push", "--json", file.to_str().unwrap()]).await;
    assert_eq!(json.json()[0].get("upload"), None, "an address is a secret");
}

#[tokio::test]
async fn a_promotion_is_watched_to_its_end() {
    let server = Server::start().await;
    let release = release(&server, "1.0.0").await;
    let promoted = weir(&server, "alice", &["promote", &release, "staging"]).await;
    assert_eq!(promoted.code, 0, "{promoted:?}");
    assert!(
        promoted.err.contains("deploy.stg-1: running") && promoted.err.contains("verify.stg-1: succeeded"),
        "{promoted:?}"
    );
    assert!(promoted.out.starts_with("shop 1.0.0 → staging succeeded after 0.0 s\n"), "{promoted:?}");
    assert!(promoted.out.contains("weir evidence show evd_"), "{promoted:?}");
}

#[tokio::test]
async fn a_failed_promotion_is_watched_until_it_is_taken_back() {
    let server = Server::start().await;
    let release = release(&server, "bad").await;
    let failed = weir(&server, "alice", &["promote", &release, "staging"]).await;
    assert_eq!(failed.code, 1, "{failed:?}");
    assert!(failed.err.contains("is rolled back by op_"), "{failed:?}");
    assert_eq!(failed.err.matches("deploy.stg-1: succeeded").count(), 2, "the rollback, too: {failed:?}");
    assert!(failed.out.contains("failed after 0.0 s: verify.stg-1 did not"), "{failed:?}");
    assert!(failed.err.contains("weir operation timeline op_"), "{failed:?}");
}

#[tokio::test]
async fn with_json_a_promotion_is_one_value_and_a_watch_one_a_line() {
    let server = Server::start().await;
    let release = release(&server, "1.0.0").await;
    let promoted = weir(&server, "alice", &["promote", &release, "staging", "--json"]).await;
    let values = promoted.json();
    assert_eq!(
        (promoted.code, values.len(), values[0]["status"].as_str()),
        (0, 1, Some("succeeded")),
        "{promoted:?}"
    );
    let id = values[0]["operation_id"].as_str().unwrap();
    let watched = weir(&server, "alice", &["operation", "watch", id, "--json"]).await;
    assert_eq!(watched.code, 0);
    assert!(watched.json().iter().all(|event| event["kind"] == "node_status_changed"), "{watched:?}");
}

#[tokio::test]
async fn on_a_terminal_the_tree_stays_in_place_and_is_left_behind() {
    let server = Server::start().await;
    let release = release(&server, "1.0.0").await;
    let there = Somebody { terminal: true, answer: None };
    let promoted = weir_of(there, &server, "alice", &["promote", &release, "staging"]).await;
    assert_eq!(promoted.code, 0, "{promoted:?}");
    assert!(promoted.err.contains("\u{1b}[3F\u{1b}[J"), "{promoted:?}");
    assert!(promoted.out.contains("\u{1b}[32m✔\u{1b}[0m"), "{promoted:?}");
    let uncoloured = weir_of(
        Somebody { terminal: true, answer: None },
        &server,
        "alice",
        &["promote", &release, "staging", "--color", "never"],
    )
    .await;
    assert!(uncoloured.out.contains("└─ stg-1  ✔ deploy ─ ✔ verify\n"), "{uncoloured:?}");
}

#[tokio::test]
async fn lists_are_read_page_after_page() {
    let server = Server::start().await;
    for version in ["1.0.0", "1.1.0", "1.2.0"] {
        release(&server, version).await;
    }
    let all = weir(&server, "alice", &["release", "list"]).await;
    assert_eq!((all.code, all.out.lines().count()), (0, 4), "{all:?}");
    let some = weir(&server, "alice", &["version", "list", "--limit", "2"]).await;
    assert_eq!((some.out.lines().count(), some.err.trim()), (3, "there are more: --cursor 2"));
    let json = weir(&server, "alice", &["release", "list", "--json", "--limit", "1"]).await.json();
    assert_eq!(json[0]["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_does_not_fit_together_is_refused() {
    let server = Server::start().await;
    let none = "ver_01ARZ3NDEKTSV4RRFFQ69G5FAV";
    let part = format!("web={none}");
    let line = ["release", "create", "--service", "shop", "--version", "1", "--component", &part];
    let unknown = weir(&server, "alice", &line).await;
    assert_eq!((unknown.code, unknown.err.contains("error[W0422]")), (1, true), "{unknown:?}");
    let twice = [&line[..], &["--component", &part]].concat();
    assert_eq!(weir(&server, "alice", &twice).await.code, 2);
    let missing = weir(&server, "alice", &["artifact", "push", "/nowhere/a"]).await;
    assert_eq!((missing.code, missing.err.contains("`/nowhere/a`")), (1, true), "{missing:?}");
}
