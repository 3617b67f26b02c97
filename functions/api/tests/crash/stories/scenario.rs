//! A scenario that waits for people and services: it is held, changed, taken up, cancelled, and run again

use super::Shape;
use crate::region::Region;
use serde_json::{Value, json};
use weir_domain::{id::OperationId, operation::OperationStatus};
use weir_testkit::life::Death;

pub async fn tell(region: &mut Region, shape: Shape) {
    region.applied(shape.targets()).await;
    let nodes = nodes(region, shape);
    region.scenario("check", &nodes).await;
    region.thought_better().await;

    // The first job is put aside before anybody has run it.
    region.throttled = true;
    let operation = region.run("check").await;
    region.asked(operation).await;
    let path = |what: &str| format!("/v1/operations/{operation}/{what}");
    region.post("bob", &path("pause"), &json!({ "reason": "lunch" })).await.expect(200);
    region.answer(operation).await;
    let added = json!({
        "node_id": "smoke", "type": "verification", "title": "smoke test", "runs": "job",
        "depends_on": ["look.stg-1"],
        "job_contract": { "capability": "verify.http", "timeout_s": 30, "attempts": 3,
            "inputs": { "target": "target.staging.stg-1", "path": "/" } },
    });
    let changes = json!({ "added": [added], "rewired": [{ "node_id": "unplug", "wait_for": ["smoke"] }] });
    region
        .post("bob", &path("patches"), &json!({ "reason": "look first", "changes": changes }))
        .await
        .expect(201);
    // Whoever ends the next job does not live to tell those who wait for it.
    region.api.life.dies_next("job_run", "Complete", Death::After);
    region.post("bob", &path("resume"), &json!({})).await.expect(200);
    region.help(shape).await;
    assert_eq!(region.end_of(operation).await, OperationStatus::Succeeded);

    let operation = region.run("check").await;
    region.asked(operation).await;
    let path = |what: &str| format!("/v1/operations/{operation}/{what}");
    region.post("bob", &path("cancel"), &json!({ "reason": "not today" })).await.expect(202);
    assert_eq!(region.end_of(operation).await, OperationStatus::Cancelled);
    let again = region.started("alice", &path("retry"), &json!({ "reason": "today" })).await;
    region.answer(again).await;
    region.help(shape).await;
    assert_eq!(region.end_of(again).await, OperationStatus::Succeeded);
}

fn nodes(region: &Region, shape: Shape) -> Value {
    let call = |path: &str| region.outside.url(path);
    let mut nodes = vec![
        json!({ "id": "build", "type": "job", "capability": "http.call", "timeout_s": 20_000, "attempts": 3,
            "with": { "url": call("/later"), "answers": "later" } }),
        json!({ "id": "look", "type": "job", "capability": "http.call", "for_each": "target", "attempts": 3,
            "with": { "url": call("/work") }, "depends_on": ["build"] }),
        json!({ "id": "unplug", "type": "intervention", "title": "unplug", "depends_on": ["look"] }),
        json!({ "id": "after", "type": "verification", "capability": "verify.http", "for_each": "target",
            "attempts": 3, "with": { "path": "/up" }, "depends_on": ["unplug"] }),
    ];
    if shape == Shape::Failing {
        nodes.push(
            json!({ "id": "flaky", "type": "job", "capability": "http.call", "on_failure": "pause", "attempts": 3,
                "with": { "url": call("/work"), "expect_status": 418 }, "depends_on": ["after"] }),
        );
        nodes.push(json!({ "id": "recheck", "type": "verification", "capability": "verify.http",
            "for_each": "target", "attempts": 3, "with": { "path": "/up" }, "depends_on": ["flaky"] }));
    }
    json!(nodes)
}

impl Region {
    /// Alice wants it, has it planned once more, and takes it back before anything runs
    async fn thought_better(&mut self) {
        let wanted = json!({ "action": "check", "target_resource_id": "environment.staging" });
        let intent = self.post("alice", "/v1/intents", &wanted).await.expect(201);
        let path = |what: &str| format!("/v1/intents/{}/{what}", intent["id"].as_str().unwrap());
        self.post("alice", &path("plan"), &json!({})).await.expect(200);
        self.post("alice", &path("cancel"), &json!({ "reason": "not needed" })).await.expect(200);
    }

    /// Waits until the service has been asked by `operation`
    async fn asked(&mut self, operation: OperationId) {
        let name = operation.to_string();
        let asked = self.until("the service to be asked", |region| {
            region.outside.seen().calls.keys().any(|key| key.starts_with(&name)).then_some(())
        });
        asked.await;
    }

    /// The service calls back whoever has asked it, until that has been heard
    async fn answer(&mut self, operation: OperationId) {
        let mut answered = 0;
        loop {
            let found = self.until("somebody to call back", |region| {
                let nodes = region.api.table.snapshot().nodes;
                let first = nodes.iter().find(|(key, _)| key.operation == operation);
                let is_done = first.is_some_and(|(_, node)| node.status.is_terminal());
                let asked = region.outside.seen().callbacks.get(answered).cloned();
                (is_done || asked.is_some()).then_some((is_done, asked))
            });
            let (is_done, Some(path)) = found.await else { return };
            let body = json!({ "status": "succeeded", "result": {} });
            let reply = self.ask(|api| api.post(&path).json(&body)).await;
            assert!(matches!(reply.short().as_str(), "200" | "409 attempt-superseded"), "{reply:?}");
            answered += 1;
            if is_done && self.outside.seen().callbacks.len() == answered {
                return;
            }
        }
    }

    /// Bob does what people are asked for
    async fn help(&mut self, shape: Shape) {
        for _ in 0..if shape == Shape::Failing { 2 } else { 1 } {
            let asked = self.record("intervention", "open").await;
            let path = format!("/v1/interventions/{}/decisions", asked["intervention_id"].as_str().unwrap());
            // Asked before the node waits, by somebody who died then: it waits when it has been driven again.
            while self.post("bob", &path, &json!({ "action": "mark_done" })).await.status != 201 {
                self.pass(weir_domain::time::Millis::from_secs(60)).await;
            }
        }
    }
}
