use crate::fixture::{Shop, succeeded};
use serde_json::{Value, json};
use weir_domain::{intervention::Intervention, plan::NodeStatus};
use weir_edge::wire::{
    page::Page,
    task::{CommandInput, TaskWork},
};

fn template() -> Value {
    json!({ "version": 2, "nodes": [
        { "id": "deploy", "type": "job", "capability": "deploy.host", "for_each": "target" },
        { "id": "smoke", "type": "verification", "capability": "verify.command", "for_each": "target",
          "with": { "command": "smoke", "args": ["--fast"], "attempts": 3 }, "depends_on": ["deploy"] },
    ]})
}

#[tokio::test]
async fn a_command_is_given_to_an_agent_while_it_says_that_it_runs_some() {
    let shop = Shop::open().await;
    shop.api.resource(&shop.scope, "template.deploy-host", template()).await;
    let refused = shop.ask("alice", shop.release, "environment.staging").await;
    assert_eq!(refused.short(), "409 not-allowed-now", "nobody has said so when it is planned");
    let beat = |agent: &str, capabilities: Value| {
        let path = format!("/v1/agents/{}/heartbeat", shop.agent(agent));
        let body = json!({ "status": "online", "tasks": [], "targets": [], "capabilities": capabilities });
        shop.api.post(&path).bearer(shop.credential(agent)).json(&body)
    };
    for agent in ["stg-1", "stg-2"] {
        beat(agent, json!(["deploy.host", "verify.command"])).send().await.expect(200);
    }
    let operation = shop.promote(shop.release, "environment.staging").await.promotion.workflow_run_id;
    let deploy = shop.claim("stg-1").await.remove(0);
    shop.report("stg-1", &deploy, &succeeded(&deploy)).await.expect(200);
    beat("stg-1", json!(["deploy.host"])).send().await.expect(200);
    assert_eq!(shop.claim("stg-1").await, [], "it says no more that it runs commands");
    assert_eq!(beat("stg-1", json!([""])).send().await.short(), "400 invalid-body");
    beat("stg-1", json!(["deploy.host", "verify.command"])).send().await.expect(200);
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

#[tokio::test]
async fn the_command_that_a_person_put_in_place_of_the_planned_one_is_what_the_agent_runs() {
    let shop = Shop::open().await;
    let mut paused = template();
    paused["nodes"][1]["on_failure"] = json!("pause");
    let look = json!({
        "id": "look", "type": "verification", "capability": "verify.http", "for_each": "target", "depends_on": ["smoke"],
    });
    paused["nodes"].as_array_mut().unwrap().push(look);
    shop.api.resource(&shop.scope, "template.deploy-host", paused).await;
    for agent in ["stg-1", "stg-2"] {
        let path = format!("/v1/agents/{}/heartbeat", shop.agent(agent));
        let can = json!(["deploy.host", "verify.command"]);
        let body = json!({ "status": "online", "tasks": [], "targets": [], "capabilities": can });
        shop.api.post(&path).bearer(shop.credential(agent)).json(&body).send().await.expect(200);
    }
    shop.promote(shop.release, "environment.staging").await;
    shop.deploy("stg-1").await;
    let task = shop.claim("stg-1").await.remove(0);
    let report = json!({
        "attempt": 1, "status": "failed", "logs": "",
        "error": { "code": "exit", "message": "it ended with 1", "retryable": false },
        "started_at": "2026-11-21T08:00:00Z", "finished_at": "2026-11-21T08:00:02Z",
    });
    shop.report("stg-1", &task, &report).await.expect(200);
    let asked: Page<Intervention> = shop.api.get("/v1/interventions").by("viewer").send().await.read(200);
    let path = format!("/v1/interventions/{}/decisions", asked.items[0].intervention_id);
    let other = json!({ "action": "replace_inputs", "inputs": { "args": ["--slow"] } });
    shop.api.post(&path).by("bob").json(&other).send().await.expect(201);
    let again = shop.claim("stg-1").await.remove(0);
    let TaskWork::VerifyCommand(input) = &again.work else { panic!("{again:?}") };
    assert_eq!((again.attempt, input.command.as_str()), (2, "smoke"));
    assert_eq!(input.args, ["--slow"]);
}
