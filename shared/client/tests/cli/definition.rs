//! `weir validate`, `weir plan`, `weir apply`

use crate::{
    rig::{Somebody, weir, weir_of},
    server::Server,
};
use std::fs;

/// A folder with a definition of two environments
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let text =
        "version: 1\nworkspace: harbor\nfiles: [env/*.yaml]\nenvironment:\n  staging: {order_index: 1}\n";
    fs::write(dir.path().join("weir.yaml"), text).unwrap();
    fs::create_dir(dir.path().join("env")).unwrap();
    let more = "environment:\n  production: {order_index: 2}\n";
    fs::write(dir.path().join("env/production.yaml"), more).unwrap();
    dir
}

fn path(dir: &tempfile::TempDir) -> &str {
    dir.path().to_str().unwrap()
}

#[tokio::test]
async fn a_definition_is_planned_and_applied_and_then_nothing_changes() {
    let (server, dir) = (Server::start().await, folder());
    let plan = weir(&server, "alice", &["plan", "--config", path(&dir), "--detailed-exitcode"]).await;
    assert_eq!(plan.code, 2, "{plan:?}");
    assert!(
        plan.out.contains("+ environment.production") && plan.out.contains("weir apply --plan pln_"),
        "{plan:?}"
    );
    let applied = weir(&server, "alice", &["apply", "--plan", &plan.id("pln_")]).await;
    assert_eq!(applied.code, 0, "{applied:?}");
    assert!(applied.err.contains("change.group-1: succeeded"), "{applied:?}");
    assert!(applied.out.starts_with("harbor: 2 changes succeeded"), "{applied:?}");
    let again = weir(&server, "alice", &["plan", "--config", path(&dir), "--detailed-exitcode"]).await;
    assert_eq!((again.code, again.out.contains("nothing changes: 2 resources")), (0, true), "{again:?}");
    let sent = server.with(|state| state.requests.iter().filter(|line| line.contains("tenant=")).count());
    assert_eq!(sent, 0);
}

#[tokio::test]
async fn the_definition_is_the_workspaces_whatever_tenant_is_set() {
    let (server, dir) = (Server::start().await, folder());
    let plan = weir(&server, "alice", &["plan", "--config", path(&dir), "--tenant", "acme"]).await;
    assert_eq!(plan.code, 0, "{plan:?}");
}

#[tokio::test]
async fn a_plan_as_json_is_one_value() {
    let (server, dir) = (Server::start().await, folder());
    let plan = weir(&server, "alice", &["plan", "--config", path(&dir), "--json"]).await;
    let values = plan.json();
    assert_eq!((plan.code, values.len()), (0, 1));
    assert_eq!(values[0]["changes"]["changes"].as_array().unwrap().len(), 2);
    assert_eq!(plan.err, "");
}

#[tokio::test]
async fn a_mistake_is_shown_where_it_stands_and_nothing_is_sent() {
    let (server, dir) = (Server::start().await, folder());
    fs::write(dir.path().join("env/production.yaml"), "environment:\n  production:\n    order_index: soon\n")
        .unwrap();
    for command in ["validate", "plan", "apply"] {
        let wrong = weir(&server, "alice", &[command, "--config", path(&dir)]).await;
        assert_eq!((wrong.code, wrong.out.as_str()), (1, ""), "{wrong:?}");
        assert!(wrong.err.contains("env/production.yaml:3:18") && wrong.err.contains("W0202"), "{wrong:?}");
    }
    assert!(server.with(|state| state.requests.is_empty()));
    let json = weir(&server, "alice", &["validate", "--json", "--config", path(&dir)]).await;
    let found = &json.json()[0][0];
    assert_eq!(
        (found["code"].as_str(), found["line"].as_u64(), found["column"].as_u64()),
        (Some("W0202"), Some(3), Some(18))
    );
}

#[tokio::test]
async fn a_right_definition_is_said_to_be() {
    let (server, dir) = (Server::start().await, folder());
    let right = weir(&server, "alice", &["validate", "--config", path(&dir)]).await;
    assert_eq!(
        (right.code, right.out.as_str()),
        (0, "workspace harbor: 2 resources in 2 files are right\n"),
        "{right:?}"
    );
}

#[tokio::test]
async fn apply_asks_whoever_sits_there_and_nobody_else() {
    let (server, dir) = (Server::start().await, folder());
    let line = ["apply", "--config", path(&dir)];
    let nobody = weir(&server, "alice", &line).await;
    assert_eq!(nobody.code, 2, "{nobody:?}");
    assert!(nobody.err.contains("nobody is there to be asked: `weir apply --plan pln_"), "{nobody:?}");
    let said = |answer| Somebody { terminal: true, answer: Some(answer) };
    let no = weir_of(said("y\n"), &server, "alice", &line).await;
    assert_eq!((no.code, no.err.contains("nothing was applied")), (1, true), "{no:?}");
    assert_eq!(server.with(|state| state.revision), 0);
    let yes = weir_of(said("yes\n"), &server, "alice", &line).await;
    assert_eq!((yes.code, server.with(|state| state.revision)), (0, 1), "{yes:?}");
}

#[tokio::test]
async fn a_stale_plan_is_refused_and_says_what_to_do() {
    let (server, dir) = (Server::start().await, folder());
    let stale = weir(&server, "alice", &["plan", "--config", path(&dir)]).await.id("pln_");
    let applied = weir(&server, "bob", &["apply", "--config", path(&dir), "--auto-approve"]).await;
    assert_eq!(applied.code, 0, "{applied:?}");
    let refused = weir(&server, "alice", &["apply", "--plan", &stale]).await;
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("error[W0417]") && refused.err.contains("`weir plan` again"), "{refused:?}");
}
