use crate::fixture::{Shop, input, succeeded};
use serde_json::{Value, json};
use weir_domain::{
    canonical::Digest,
    delivery::{Promotion, TargetState, VersionSticker},
    engine::{CANCEL_GRACE, LEASE},
    plan::NodeStatus,
    time::Millis,
};
use weir_edge::wire::task::Task;
use weir_orchestration::Clock as _;
use weir_store::{Entity as _, Key, NodeKey};

fn failed(task: &Task, retryable: bool) -> Value {
    json!({
        "attempt": task.attempt, "status": "failed", "logs": "",
        "error": { "code": "disk_full", "message": "no space; token=abc123", "retryable": retryable },
        "started_at": "2026-11-21T08:00:00Z", "finished_at": "2026-11-21T08:00:02Z",
    })
}

/// The version that is said to be on the first target
async fn installed(shop: &Shop) -> Option<String> {
    let key = Key::entity(&shop.scope, TargetState::KIND, "target.staging.stg-1");
    let found = shop.api.cx.table().read::<TargetState>(&key).await.unwrap();
    found.map(|(state, _)| state.current.version)
}

#[tokio::test]
async fn an_agent_is_given_what_its_target_waits_for_once() {
    let shop = Shop::open().await;
    assert_eq!(shop.claim("stg-1").await, []);
    let promotion = shop.promote(shop.release, "environment.staging").await.promotion;
    assert_eq!(shop.claim("stg-2").await, [], "its batch is not there yet");
    let tasks = shop.claim("stg-1").await;
    let [task] = tasks.as_slice() else { panic!("{} tasks", tasks.len()) };
    let asked = input(task);
    assert_eq!((asked.release, asked.digest.clone()), (shop.release, Digest::of_bytes(b"1.0.0")));
    assert!(asked.artifact.url.expose().contains(asked.digest.hex()));
    assert_eq!((asked.run.command.len(), asked.run.health.path.as_deref()), (2, Some("/healthz")));
    assert_eq!(asked.sticker["environment"], "environment.staging");
    assert_eq!(asked.sticker["deployed_by"], "alice");
    assert_eq!(i64::try_from(task.lease_remaining_ms).unwrap(), LEASE.0);
    assert_eq!(shop.claim("stg-1").await, [], "it is claimed");
    let key = Key::entity(&shop.scope, Promotion::KIND, promotion.id);
    let (after, _) = shop.api.cx.table().read::<Promotion>(&key).await.unwrap().unwrap();
    assert_eq!(after.status.as_str(), "deploying");
}

#[tokio::test]
async fn only_agents_claim_and_only_for_themselves() {
    let shop = Shop::open().await;
    shop.promote(shop.release, "environment.staging").await;
    let path = format!("/v1/agents/{}/claims", shop.agent("stg-1"));
    let post = || shop.api.post(&path).json(&json!({ "max": 1 }));
    assert_eq!(post().bearer(shop.credential("stg-2")).send().await.short(), "403 forbidden");
    assert_eq!(post().by("admin").send().await.short(), "401 unauthenticated");
    assert_eq!(post().bearer("wea_agt_1_x").send().await.short(), "401 unauthenticated");
    for body in [
        json!({ "max": 0 }),
        json!({ "max": 1, "wait_seconds": 21 }),
        json!({ "max": 1, "all": true }),
        json!({}),
    ] {
        let reply = post().json(&body).bearer(shop.credential("stg-1")).send().await;
        assert_eq!(reply.short(), "400 invalid-body", "{body}");
    }
    assert_eq!(shop.claim("stg-1").await.len(), 1);
}

#[tokio::test]
async fn a_report_says_what_is_on_the_target_and_may_come_twice() {
    let shop = Shop::open().await;
    let operation = shop.promote(shop.release, "environment.staging").await.promotion.workflow_run_id;
    let task = shop.claim("stg-1").await.remove(0);
    let report = succeeded(&task);
    assert_eq!(shop.report("stg-1", &task, &report).await.expect(200), json!({ "accepted": true }));
    let target = "target.staging.stg-1";
    let key = Key::entity(&shop.scope, TargetState::KIND, target);
    let (state, _) = shop.api.cx.table().read::<TargetState>(&key).await.unwrap().unwrap();
    assert_eq!((state.current.version.as_str(), state.current.operation_id), ("1.0.0", operation));
    let key = Key::entity(&shop.scope, VersionSticker::KIND, target);
    let (sticker, _) = shop.api.cx.table().read::<VersionSticker>(&key).await.unwrap().unwrap();
    assert_eq!(sticker.content_hash, Digest::of(&input(&task).sticker).unwrap());
    assert_eq!(shop.nodes(operation).await["verify.stg-1"], NodeStatus::Ready);
    assert_eq!(shop.report("stg-1", &task, &report).await.expect(200), json!({ "accepted": true }));
    let other = shop.report("stg-1", &task, &failed(&task, false)).await;
    assert_eq!(other.short(), "409 attempt-superseded");
}

#[tokio::test]
async fn what_an_attempt_said_is_kept_with_each_report_that_counts() {
    let shop = Shop::open().await;
    shop.promote(shop.release, "environment.staging").await;
    let task = shop.claim("stg-1").await.remove(0);
    let (operation, ordinal) = (task.task.operation, task.task.ordinal);
    let ledger = shop.api.cx.ledger();
    let kept = async || ledger.log_get(operation, ordinal, 1).await.unwrap().unwrap();
    shop.report("stg-1", &task, &succeeded(&task)).await.expect(200);
    let said = kept().await;
    // As where the end was recorded and the log was not.
    ledger.log_put(operation, ordinal, 1, "lost").await.unwrap();
    shop.report("stg-1", &task, &failed(&task, false)).await.expect(409);
    assert!(kept().await.contains("lost"), "a report that is refused is not heard");
    shop.report("stg-1", &task, &succeeded(&task)).await.expect(200);
    assert_eq!(kept().await, said);
}

#[tokio::test]
async fn a_late_report_of_an_attempt_that_was_given_up_changes_nothing() {
    let shop = Shop::open().await;
    let operation = shop.promote(shop.release, "environment.staging").await.promotion.workflow_run_id;
    let first = shop.claim("stg-1").await.remove(0);
    shop.api.clock.advance(LEASE + Millis(1));
    shop.api.cx.engine().reconcile().await.unwrap();
    shop.api.clock.advance(Millis::from_secs(60));
    let second = shop.claim("stg-1").await.remove(0);
    assert_eq!((first.attempt, second.attempt), (1, 2));
    assert_eq!(shop.report("stg-1", &first, &succeeded(&first)).await.short(), "409 attempt-superseded");
    assert_eq!(shop.report("stg-1", &first, &failed(&first, true)).await.short(), "409 attempt-superseded");
    assert_eq!(shop.nodes(operation).await["deploy.stg-1"], NodeStatus::Running);
    assert_eq!(installed(&shop).await, None, "nor what is said to be on the target");
    shop.report("stg-1", &second, &succeeded(&second)).await.expect(200);
    let future = json!({ "attempt": 9, "status": "succeeded", "logs": "",
        "started_at": "2026-11-21T08:00:00Z", "finished_at": "2026-11-21T08:00:02Z" });
    assert_eq!(shop.report("stg-1", &second, &future).await.short(), "409 attempt-superseded");
}

#[tokio::test]
async fn a_report_of_what_has_been_given_up_for_good_changes_nothing() {
    let shop = Shop::open().await;
    let operation = shop.promote(shop.release, "environment.staging").await.promotion.workflow_run_id;
    let task = shop.claim("stg-1").await.remove(0);
    let path = format!("/v1/operations/{operation}/cancel");
    shop.api.post(&path).by("alice").json(&json!({})).send().await.expect(202);
    shop.api.clock.advance(CANCEL_GRACE);
    shop.api.cx.engine().reconcile().await.unwrap();
    assert_eq!(shop.nodes(operation).await["deploy.stg-1"], NodeStatus::Failed);
    let late = shop.report("stg-1", &task, &succeeded(&task)).await;
    assert_eq!(late.short(), "409 attempt-superseded");
    assert_eq!(installed(&shop).await, None);
    let key = NodeKey::new(&shop.scope, operation, task.task.ordinal);
    let node = shop.api.cx.table().node_get(&key).await.unwrap().unwrap();
    assert_eq!(node.error.unwrap().code, "cancelled");
}

#[tokio::test]
async fn an_attempt_is_reported_by_who_holds_it() {
    let mut shop = Shop::open().await;
    shop.register("stg-1b", "target.staging.stg-1").await;
    let operation = shop.promote(shop.release, "environment.staging").await.promotion.workflow_run_id;
    let task = shop.claim("stg-1").await.remove(0);
    let other = shop.report("stg-1b", &task, &succeeded(&task)).await;
    assert_eq!(other.short(), "409 attempt-superseded", "it serves the same target");
    assert_eq!(shop.nodes(operation).await["deploy.stg-1"], NodeStatus::Running);
    assert_eq!(installed(&shop).await, None);
    shop.report("stg-1", &task, &succeeded(&task)).await.expect(200);
    assert_eq!(installed(&shop).await.as_deref(), Some("1.0.0"));
}

#[tokio::test]
async fn a_failure_is_tried_again_while_that_may_help_and_tells_no_secret() {
    let shop = Shop::open().await;
    let operation = shop.promote(shop.release, "environment.staging").await.promotion.workflow_run_id;
    let first = shop.claim("stg-1").await.remove(0);
    shop.report("stg-1", &first, &failed(&first, true)).await.expect(200);
    shop.report("stg-1", &first, &failed(&first, true)).await.expect(200);
    let view = shop.operation(operation).await;
    let node = view.nodes.iter().find(|node| node.node_id.as_str() == "deploy.stg-1").unwrap();
    let error = node.error.as_ref().unwrap();
    assert_eq!((error.code.as_str(), error.message.as_str()), ("disk_full", "no space; token=[redacted]"));
    assert_eq!(shop.claim("stg-1").await, [], "its backoff has not passed");
    shop.api.clock.advance(Millis::from_secs(60));
    let second = shop.claim("stg-1").await.remove(0);
    shop.report("stg-1", &second, &failed(&second, false)).await.expect(200);
    shop.end(operation).await;
    assert_eq!(shop.operation(operation).await.status.as_str(), "failed");
}

#[tokio::test]
async fn a_report_whose_parts_contradict_each_other_is_refused() {
    let shop = Shop::open().await;
    let operation = shop.promote(shop.release, "environment.staging").await.promotion.workflow_run_id;
    let task = shop.claim("stg-1").await.remove(0);
    let other = json!(Digest::of_bytes(b"other"));
    let error = json!({ "code": "x", "message": "", "retryable": false });
    for (pointer, value, expected) in [
        ("current_digest", other.clone(), "422 digest-mismatch"),
        (
            "sticker",
            json!({ "content": {}, "content_hash": other, "written_at": "2026-11-21T08:00:01Z" }),
            "422 digest-mismatch",
        ),
        ("error", error, "400 invalid-body"),
        ("status", json!("failed"), "400 invalid-body"),
        ("logs", json!("x".repeat(65_537)), "422 limit-exceeded"),
        ("finnished_at", json!(1), "400 invalid-body"),
    ] {
        let mut report = succeeded(&task);
        report[pointer] = value;
        assert_eq!(shop.report("stg-1", &task, &report).await.short(), expected, "{pointer}");
    }
    assert_eq!(
        shop.report("stg-2", &task, &succeeded(&task)).await.short(),
        "404 not-found",
        "not its target"
    );
    let path = format!("/v1/tasks/{operation}.99/reports");
    let missing = shop.api.post(&path).bearer(shop.credential("stg-1")).json(&succeeded(&task)).send().await;
    assert_eq!(missing.short(), "404 not-found");
    let path = format!("/v1/tasks/{operation}/reports");
    let wrong = shop.api.post(&path).bearer(shop.credential("stg-1")).json(&succeeded(&task)).send().await;
    assert_eq!(wrong.short(), "400 invalid-id");
    assert_eq!(shop.nodes(operation).await["deploy.stg-1"], NodeStatus::Running);
}

#[tokio::test]
async fn a_report_that_was_sent_again_for_long_says_what_was_there_before_and_not_what_is_there() {
    for later_first in [false, true] {
        let shop = Shop::open().await;
        let next = shop.ready("2.0.0").await;
        shop.promote(shop.release, "environment.staging").await;
        let first = shop.claim("stg-1").await.remove(0);
        shop.promote(next, "environment.staging").await;
        let second = shop.claim("stg-1").await.remove(0);
        let begun = shop.api.clock.now();
        let done = |task: &Task, after: i64| {
            let mut report = succeeded(task);
            report["finished_at"] = json!((begun + Millis::from_secs(after)).timestamp());
            report
        };
        shop.api.clock.advance(Millis::from_secs(9));
        // One agent does one after the other; which of its reports comes through first is chance.
        let mut reports = [(&first, done(&first, 3)), (&second, done(&second, 6))];
        if later_first {
            reports.reverse();
        }
        for (task, report) in &reports {
            shop.report("stg-1", task, report).await.expect(200);
            shop.api.clock.advance(Millis(500));
        }
        let key = Key::entity(&shop.scope, TargetState::KIND, "target.staging.stg-1");
        let (state, _) = shop.api.cx.table().read::<TargetState>(&key).await.unwrap().unwrap();
        assert_eq!(state.current.version, "2.0.0", "later first: {later_first}");
        let key = Key::entity(&shop.scope, VersionSticker::KIND, "target.staging.stg-1");
        let (sticker, _) = shop.api.cx.table().read::<VersionSticker>(&key).await.unwrap().unwrap();
        assert_eq!(sticker.content_hash, Digest::of(&input(&second).sticker).unwrap());
    }
}

#[tokio::test]
async fn a_target_whose_clock_is_wrong_is_believed_within_its_attempt_only() {
    for wrong in ["2001-01-01T00:00:00Z", "2099-01-01T00:00:00Z"] {
        let shop = Shop::open().await;
        shop.promote(shop.release, "environment.staging").await;
        let task = shop.claim("stg-1").await.remove(0);
        let begun = shop.api.clock.now();
        shop.api.clock.advance(Millis::from_secs(5));
        let mut report = succeeded(&task);
        report["finished_at"] = json!(wrong);
        shop.report("stg-1", &task, &report).await.expect(200);
        let key = Key::entity(&shop.scope, TargetState::KIND, "target.staging.stg-1");
        let (state, _) = shop.api.cx.table().read::<TargetState>(&key).await.unwrap().unwrap();
        let at = state.current.at.millis();
        assert!(begun <= at && at <= begun + Millis::from_secs(5), "{wrong}: {at:?}");
    }
}
