//! What waits for a decision, and what comes of it

use crate::{delivery::release, rig::weir, server::Server};

/// A promotion to production that waits for somebody
async fn waiting(server: &Server) -> (String, String) {
    let release = release(server, "1.0.0").await;
    let promoted = weir(server, "alice", &["promote", &release, "production", "--no-wait"]).await;
    assert_eq!(promoted.code, 3, "{promoted:?}");
    assert!(promoted.out.contains("waits for approvals 0 of 1"), "{promoted:?}");
    assert!(promoted.out.contains("anyone of release-managers but alice"), "{promoted:?}");
    assert!(promoted.err.contains("watch it: weir operation watch op_"), "{promoted:?}");
    (promoted.id("gat_"), weir(server, "alice", &["operation", "list"]).await.id("op_"))
}

#[tokio::test]
async fn the_requester_is_refused_and_somebody_else_is_not() {
    let server = Server::start().await;
    let (gate, operation) = waiting(&server).await;
    let own = weir(&server, "alice", &["approve", &gate]).await;
    assert_eq!(own.code, 4, "{own:?}");
    assert!(own.err.contains("error[W0412]") && own.err.contains("req_01ARZ"), "{own:?}");
    let other = weir(&server, "bob", &["approve", &gate, "-m", "looks right"]).await;
    assert_eq!(other.code, 0, "{other:?}");
    assert!(other.out.contains("✔ approved by bob") && other.out.contains("“looks right”"), "{other:?}");
    let again = weir(&server, "bob", &["approve", &gate]).await;
    assert_eq!((again.code, again.err.contains("W04")), (1, true), "{again:?}");
    assert_eq!(weir(&server, "alice", &["watch", &operation]).await.code, 0);
}

#[tokio::test]
async fn a_rejection_ends_it_as_a_refusal() {
    let server = Server::start().await;
    let (gate, operation) = waiting(&server).await;
    let no = weir(&server, "bob", &["reject", &gate, "-m", "not today"]).await;
    assert_eq!((no.code, no.out.contains("denied")), (0, true), "{no:?}");
    let ended = weir(&server, "alice", &["operation", "watch", &operation]).await;
    assert_eq!(ended.code, 4, "{ended:?}");
}

#[tokio::test]
async fn what_waits_is_listed_and_explained() {
    let server = Server::start().await;
    let (gate, operation) = waiting(&server).await;
    let list = weir(&server, "bob", &["gate", "list"]).await;
    assert!(list.out.contains(&gate) && list.out.contains("release-managers but alice"), "{list:?}");
    assert!(list.err.contains(&format!("weir approve {gate}")), "{list:?}");
    let one = weir(&server, "bob", &["gate", "show", &gate]).await;
    for words in ["waits for  0 of 1 approvals", "who        anyone of group:release-managers but alice"] {
        assert!(one.out.contains(words), "{one:?}");
    }
    assert!(one.out.contains("earliest   when that has happened"), "{one:?}");
    let why = weir(&server, "bob", &["explain", &operation]).await;
    assert!(
        why.out.starts_with("waiting_gate") && why.out.contains(&format!("weir approve {gate}")),
        "{why:?}"
    );
    let shown = weir(&server, "bob", &["operation", "show", &operation]).await;
    assert!(shown.out.contains("├─ ◔ approval · waits for"), "{shown:?}");
    let dag = weir(&server, "bob", &["operation", "show", &operation, "--dag"]).await;
    assert!(dag.out.contains("◔  approval"), "{dag:?}");
    let none = weir(&server, "bob", &["gate", "list", "--status", "denied"]).await;
    assert_eq!((none.code, none.out.as_str()), (0, ""), "{none:?}");
}

#[tokio::test]
async fn a_watch_outlives_an_approval_and_a_short_outage() {
    let server = Server::start().await;
    let (gate, operation) = waiting(&server).await;
    server.with(|state| state.outages = 3);
    let line = ["operation", "watch", &operation];
    let (watched, approved) = tokio::join!(weir(&server, "alice", &line), async {
        weir(&server, "bob", &["approve", &gate]).await
    });
    assert_eq!((watched.code, approved.code), (0, 0), "{watched:?} {approved:?}");
    assert!(watched.out.contains("verify.stg-1: succeeded"), "{watched:?}");
}

#[tokio::test]
async fn an_operation_is_cancelled_once() {
    let server = Server::start().await;
    let (_, operation) = waiting(&server).await;
    let line = ["operation", "cancel", &operation, "-m", "never mind"];
    let cancelled = weir(&server, "alice", &line).await;
    assert_eq!((cancelled.code, cancelled.out.contains("asked to end")), (0, true), "{cancelled:?}");
    let again = weir(&server, "alice", &line).await;
    assert_eq!((again.code, again.err.contains("error[W0410]")), (1, true), "{again:?}");
    assert_eq!(weir(&server, "alice", &["watch", &operation]).await.code, 1);
}

#[tokio::test]
async fn an_operation_is_held_and_goes_on() {
    let server = Server::start().await;
    let (_, operation) = waiting(&server).await;
    let paused = weir(&server, "alice", &["operation", "pause", &operation, "-m", "lunch"]).await;
    assert_eq!((paused.code, paused.out.contains("nothing further is")), (0, true), "{paused:?}");
    assert!(paused.err.contains(&format!("weir operation resume {operation}")), "{paused:?}");
    let shown = weir(&server, "alice", &["operation", "show", &operation]).await;
    assert!(shown.out.contains("paused"), "{shown:?}");
    let resumed = weir(&server, "alice", &["operation", "resume", &operation]).await;
    assert_eq!((resumed.code, resumed.out.contains("goes on")), (0, true), "{resumed:?}");
    assert!(!weir(&server, "alice", &["operation", "show", &operation]).await.out.contains("paused"));
}
