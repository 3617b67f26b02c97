//! From bytes to production: agents are registered, a release is made, brought to staging, agreed to, brought to production

use super::Shape;
use crate::region::Region;
use serde_json::{Value, json};
use weir_domain::{canonical::Digest, delivery::Release, id::OperationId, operation::OperationStatus};
use weir_edge::wire::{
    agent::{AgentRegistered, AgentToken},
    artifact::UploadTicket,
    promotion::PromotionView,
    task::{Claimed, Task, TaskWork},
};

/// An agent that serves one target
struct Agent {
    id: String,
    credential: String,
}

pub async fn tell(region: &mut Region, shape: Shape) {
    region.applied(shape.targets()).await;
    let names = |short: &str| (1..=shape.targets()).map(|n| format!("{short}-{n}")).collect::<Vec<_>>();
    let mut staging = Vec::new();
    for name in names("stg") {
        staging.push(register(region, "staging", &name).await);
    }
    let mut production = Vec::new();
    for name in names("prd") {
        production.push(register(region, "production", &name).await);
    }
    let release = release(region, "1.0.0").await;
    let operation = promote(region, &release, "environment.staging").await;
    // This agent forgets what it was given.
    let forgotten = region.claim(&staging[0]).await;
    assert!(forgotten.len() <= 1);
    for agent in &staging {
        region.deploy(agent, true).await;
    }
    assert_eq!(region.end_of(operation).await, OperationStatus::Succeeded);

    let operation = promote(region, &release, "environment.production").await;
    let gate = region.record("gate", "open").await;
    let path = format!("/v1/gates/{}/decisions", gate["gate_id"].as_str().unwrap());
    region.post("bob", &path, &json!({ "action": "approved" })).await.expect(201);
    let (last, others) = production.split_last().unwrap();
    for agent in others {
        region.deploy(agent, true).await;
    }
    region.deploy(last, shape != Shape::Failing).await;
    let expected = if shape == Shape::Failing { OperationStatus::Failed } else { OperationStatus::Succeeded };
    assert_eq!(region.end_of(operation).await, expected);
}

async fn register(region: &mut Region, environment: &str, name: &str) -> Agent {
    let target = format!("target.{environment}.{name}");
    let wanted = json!({ "targets": [target] });
    let token = loop {
        let reply = region.post("operator", "/v1/agents/tokens", &wanted).await;
        // The answer was lost: a token that nobody knows is worth nothing, so another one is asked for.
        if reply.short() != "409 secret-shown-once" {
            break reply.read::<AgentToken>(201).token;
        }
    };
    let introduction = json!({
        "token": token.expose(), "name": name, "version": "0.1.0", "capabilities": ["deploy.host"],
        "targets": [{ "target": target, "base_url": region.outside.url("") }],
    });
    let registered: AgentRegistered =
        region.ask(|api| api.post("/v1/agents").json(&introduction)).await.read(201);
    let agent =
        Agent { id: registered.agent.id.to_string(), credential: registered.credential.expose().to_owned() };
    region.beat(&agent, &[]).await;
    agent
}

async fn release(region: &mut Region, version: &str) -> Release {
    let bytes = format!("the bytes of {version}").into_bytes();
    let digest = Digest::of_bytes(&bytes);
    let announced = json!({ "digest": digest, "size": bytes.len() });
    let ticket = region.post("developer", "/v1/artifacts", &announced).await;
    let ticket: UploadTicket = serde_json::from_value(ticket.body).unwrap();
    region.api.upload(&ticket.upload.unwrap(), &bytes);
    let wanted = json!({ "component_id": "component.web", "tag": version, "digest": digest });
    let reply = region.post("developer", "/v1/versions", &wanted).await;
    assert!(matches!(reply.status, 200 | 201), "{reply:?}");
    let components = json!({ "component.web": reply.body["id"] });
    let wanted = json!({ "service_id": "service.shop", "version": version, "components": components });
    region.post("developer", "/v1/releases", &wanted).await.read(201)
}

async fn promote(region: &mut Region, release: &Release, environment: &str) -> OperationId {
    let wanted = json!({ "release_id": release.id, "target_environment_id": environment });
    let reply = region.post("alice", "/v1/promotions", &wanted).await;
    assert!(matches!(reply.status, 200 | 201), "{reply:?}");
    serde_json::from_value::<PromotionView>(reply.body).unwrap().promotion.workflow_run_id
}

impl Region {
    async fn claim(&mut self, agent: &Agent) -> Vec<Task> {
        let path = format!("/v1/agents/{}/claims", agent.id);
        let reply =
            self.ask(|api| api.post(&path).bearer(&agent.credential).json(&json!({ "max": 3 }))).await;
        reply.read::<Claimed>(200).tasks
    }

    async fn beat(&mut self, agent: &Agent, tasks: &[Value]) {
        let path = format!("/v1/agents/{}/heartbeat", agent.id);
        let body = json!({ "status": "online", "tasks": tasks, "targets": [] });
        self.ask(|api| api.post(&path).bearer(&agent.credential).json(&body)).await.expect(200);
    }

    /// Has the agent do its next task, with a sign of life while it does; what it lost is given to it again
    async fn deploy(&mut self, agent: &Agent, well: bool) {
        for _ in 0..30 {
            for task in self.claim(agent).await {
                self.beat(agent, &[json!({ "task": task.task, "attempt": task.attempt })]).await;
                let path = format!("/v1/tasks/{}/reports", task.task);
                let report = if well { succeeded(&task) } else { failed(&task) };
                let reply = self.ask(|api| api.post(&path).bearer(&agent.credential).json(&report)).await;
                if reply.status == 200 {
                    return;
                }
                // It was given to somebody again while the report was lost.
                assert_eq!(reply.short(), "409 attempt-superseded");
            }
            self.pass(weir_domain::time::Millis::from_secs(20)).await;
        }
        panic!("the agent has nothing to do: {}", crate::ended::left(self).join("\n"));
    }
}

fn succeeded(task: &Task) -> Value {
    let TaskWork::DeployHost(input) = &task.work else { panic!("no deployment: {task:?}") };
    json!({
        "attempt": task.attempt, "status": "succeeded", "logs": "started", "current_digest": input.digest,
        "sticker": {
            "content": input.sticker, "content_hash": Digest::of(&input.sticker).unwrap(),
            "written_at": "2026-11-21T08:00:01Z",
        },
        "started_at": "2026-11-21T08:00:00Z", "finished_at": "2026-11-21T08:00:02Z",
    })
}

fn failed(task: &Task) -> Value {
    json!({
        "attempt": task.attempt, "status": "failed", "logs": "no space",
        "error": { "code": "disk_full", "message": "no space left", "retryable": false },
        "started_at": "2026-11-21T08:00:00Z", "finished_at": "2026-11-21T08:00:02Z",
    })
}
