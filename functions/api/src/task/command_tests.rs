use crate::fixture::{Shop, succeeded};
use serde_json::{Value, json};
use weir_domain::plan::NodeStatus;
use weir_edge::wire::task::{CommandInput, TaskWork};

fn template() -> Value {
    json!({ "version": 2, "nodes": [
        { "id": "deploy", "type": "job", "capability": "deploy.host", "for_each": "target" },
        { "id": "smoke", "type": "verification", "capability": "verify.command", "for_each": "target",
          "with": { "command": "smoke", "args": ["--fast"], "attempts": 3 }, "depends_on": ["deploy"] },
    ]})
}

#[tokio::test]
async fn a_command_is_given_to_an_agent_from_when_it_says_that_it_runs_some() {
    let shop = Shop::open().await;
    shop.api.resource(&shop.scope, "template.deploy-host", template()).await;
    let operation = shop.promote(shop.release, "environment.staging").await.promotion.workflow_run_id;
    let deploy = shop.claim("stg-1").await.remove(0);
    shop.report("stg-1", &deploy, &succeeded(&deploy)).await.expect(200);
    assert_eq!(shop.claim("stg-1").await, [], "it has not said that it runs commands");

    let path = format!("/v1/agents/{}/heartbeat", shop.agent("stg-1"));
    let beat = |capabilities: Value| {
        let body = json!({ "status": "online", "tasks": [], "targets": [], "capabilities": capabilities });
        shop.api.post(&path).bearer(shop.credential("stg-1")).json(&body)
    };
    assert_eq!(beat(json!([""])).send().await.short(), "400 invalid-body");
    beat(json!(["deploy.host", "verify.command"])).send().await.expect(200);
    let task = shop.claim("stg-1").await.remove(0);
    let TaskWork::VerifyCommand(input) = &task.work else { panic!("{task:?}") };
    let expected = json!({ "command": "smoke", "args": ["--fast"], "attempts": 3, "interval_s": 2 });
    assert_eq!(*input, serde_json::from_value::<CommandInput>(expected).unwrap());
    assert_eq!(task.target.as_str(), "target.staging.stg-1");

    // Nothing was put on the target, and nothing has to be said of what is on it.
    let report = json!({
        "attempt": task.attempt, "status": "succeeded", "logs": "token=abc123",
        "started_at": "2026-11-21T08:00:00Z", "finished_at": "2026-11-21T08:00:02Z",
    });
    shop.report("stg-1", &task, &report).await.expect(200);
    assert_eq!(shop.nodes(operation).await["smoke.stg-1"], NodeStatus::Succeeded);
    let log = shop.api.cx.ledger().log_get(operation, task.task.ordinal, 1).await.unwrap().unwrap();
    assert_eq!(log, "token=[redacted]");
}
