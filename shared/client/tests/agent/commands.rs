//! Commands: what the machine's owner allowed, killed when it has to be, several at a time

use crate::{archive, deploys::LEASE, rig::Rig};
use rustix::process::{Pid, test_kill_process};
use serde_json::{Value, json};
use std::{fs, time::Duration};
use weir_domain::id::TaskId;
use weir_edge::wire::task::{Report, ReportStatus};

/// A script in the rig's folder; its path
fn script(rig: &Rig, name: &str, text: &str) -> String {
    let path = rig.folder.path().join(name);
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// A rig whose agent may run the script `text` as `job`, with arguments and the variable COLOUR
async fn rig(text: &str, lease: Duration, more: &[&str]) -> Rig {
    let mut rig = Rig::idle(lease).await;
    let path = script(&rig, "job.sh", text);
    let allowed = format!("job=/bin/sh {path} ...");
    let mut args = vec!["--allow-command", &allowed, "--allow-env", "COLOUR"];
    args.extend(more);
    rig.start_agent(&args);
    rig
}

async fn run(rig: &Rig, kind: &'static str, input: Value) -> Report {
    let task = rig.server.ask(kind, input);
    rig.server.ended(task).await
}

fn code(report: &Report) -> (&str, bool) {
    report.error.as_ref().map_or(("", false), |error| (error.code.as_str(), error.retryable))
}

/// The process that a script has written down
async fn process(rig: &Rig, name: &str) -> Pid {
    let path = rig.folder.path().join(name);
    rig.until("a process", async |_| Pid::from_raw(fs::read_to_string(&path).ok()?.trim().parse().ok()?))
        .await
}

async fn gone(rig: &Rig, id: Pid) {
    rig.until("the end of a process", async |_| test_kill_process(id).is_err().then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_told_what_the_task_says_and_its_output_is_reported_without_secrets() {
    let text = "echo \"$1 $COLOUR $WEIR_TARGET ${HOME:+home} ${WEIR_SERVER:-no server}\"; echo password=hunter2 >&2; pwd";
    let rig = rig(text, LEASE, &[]).await;
    let input = json!({ "command": "job", "args": ["a b"], "env": { "COLOUR": "green" } });
    let report = run(&rig, "command.run", input).await;
    assert_eq!((report.status, code(&report)), (ReportStatus::Succeeded, ("", false)), "{}", report.logs);
    assert!(report.logs.contains("a b green target.staging.stg-1 home no server"), "{}", report.logs);
    assert!(
        report.logs.contains("password=[redacted]") && !report.logs.contains("hunter2"),
        "{}",
        report.logs
    );
    let said = rig.server.with(|state| state.heartbeats.last().and_then(|beat| beat.capabilities.clone()));
    assert_eq!(said.unwrap(), ["deploy.host", "command.run", "verify.command"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_allowed_is_not_run() {
    let mut closed = Rig::start(LEASE).await;
    let report = run(&closed, "command.run", json!({ "command": "job" })).await;
    assert_eq!(code(&report), ("command_not_allowed", false), "an agent that was told nothing runs nothing");
    closed.end_agent();
    let rig = rig("touch ran", LEASE, &[]).await;
    for input in [
        json!({ "command": "/bin/sh", "args": ["-c", "true"] }),
        json!({ "command": "job", "env": { "LD_PRELOAD": "x" } }),
    ] {
        assert_eq!(code(&run(&rig, "command.run", input).await), ("command_not_allowed", false));
    }
    assert!(!rig.path("ran").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exit_code_says_how_it_ended_and_a_verification_may_look_again() {
    let rig = rig("echo x >> count; exit $1", LEASE, &[]).await;
    let exits = |code: &str, more: Value| {
        let mut input = json!({ "command": "job", "args": [code], "interval_s": 0 });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    assert_eq!(code(&run(&rig, "command.run", exits("3", json!({}))).await), ("command_failed", false));
    assert_eq!(code(&run(&rig, "command.run", exits("75", json!({}))).await), ("command_failed", true));
    assert_eq!(
        code(&run(&rig, "command.run", exits("3", json!({ "expect_exit": [0, 3] }))).await),
        ("", false)
    );
    fs::remove_file(rig.path("count")).unwrap();
    let report = run(&rig, "verify.command", exits("1", json!({ "attempts": 3 }))).await;
    assert_eq!(code(&report), ("command_failed", false));
    assert_eq!(fs::read_to_string(rig.path("count")).unwrap().lines().count(), 3);
}

/// Writes down itself and a child of it, and goes on for ever
const ENDLESS: &str = "sleep 1000 & echo $! > \"$1.child\"; echo $$ > \"$1\"; wait";

fn endless(rig: &Rig, name: &str) -> (TaskId, Value) {
    let path = rig.folder.path().join(name).display().to_string();
    let input = json!({ "command": "job", "args": [path] });
    (rig.server.ask("command.run", input.clone()), input)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_takes_too_long_or_is_cancelled_is_killed_with_all_that_it_started() {
    let rig = rig(ENDLESS, LEASE, &[]).await;
    rig.server.with(|state| state.deadline_ms = 1_500);
    let (task, _) = endless(&rig, "late");
    let (own, child) = (process(&rig, "late").await, process(&rig, "late.child").await);
    let report = rig.server.ended(task).await;
    assert_eq!(code(&report), ("deadline_passed", false));
    gone(&rig, own).await;
    gone(&rig, child).await;

    rig.server.with(|state| state.deadline_ms = 60_000);
    let (task, _) = endless(&rig, "cancelled");
    let (own, child) = (process(&rig, "cancelled").await, process(&rig, "cancelled.child").await);
    rig.server.with(|state| state.nodes.get_mut(&task).unwrap().cancel = true);
    gone(&rig, own).await;
    gone(&rig, child).await;
    assert_eq!(code(&rig.server.ended(task).await), ("cancelled", false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_agent_s_command_is_killed_by_the_next_one() {
    let mut rig = rig(ENDLESS, Duration::from_secs(2), &[]).await;
    let (task, _) = endless(&rig, "orphan");
    let own = process(&rig, "orphan").await;
    rig.kill_agent();
    assert!(test_kill_process(own).is_ok(), "it outlives the agent that was killed");
    let path = script(&rig, "quick.sh", "true");
    let allowed = format!("job=/bin/sh {path} ...");
    rig.start_agent(&["--allow-command", &allowed]);
    gone(&rig, own).await;
    let report = rig.server.ended(task).await;
    assert_eq!((report.attempt, report.status), (2, ReportStatus::Succeeded));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_works_on_several_tasks_at_a_time_if_it_is_told_to() {
    // Each waits for the other: one after the other they would wait for ever.
    let meet = "touch \"$1\"; while [ ! -e \"$2\" ]; do sleep 0.05; done";
    let rig = rig(meet, LEASE, &["--parallel", "3"]).await;
    let at = |name: &str| rig.folder.path().join(name).display().to_string();
    let ask = |own: &str, other: &str| {
        rig.server.ask("command.run", json!({ "command": "job", "args": [at(own), at(other)] }))
    };
    let (one, two) = (ask("one", "two"), ask("two", "one"));
    let digest = rig.server.upload(archive::web("1"));
    let (a, b) = (rig.server.deploy(&digest, |_| {}), rig.server.deploy(&digest, |_| {}));
    for task in [one, two, a, b] {
        let report = rig.server.ended(task).await;
        assert_eq!(report.status, ReportStatus::Succeeded, "{}", report.logs);
    }
    assert_eq!(rig.answer().await.as_deref(), Some("1"));
}
