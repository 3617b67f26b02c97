use crate::fixture::Shop;
use serde_json::{Value, json};
use weir_domain::time::Millis;
use weir_edge::wire::agent::{AgentRegistered, AgentStatus, AgentToken, HeartbeatAck};
use weir_testkit::{TestApi, api::Reply};

const TARGET: &str = "target.staging.stg-1";

async fn api() -> TestApi {
    let api = TestApi::new(crate::ENDPOINTS).await;
    for target in [TARGET, "target.staging.stg-2"] {
        api.resource(&api.scope(), target, json!({})).await;
    }
    api
}

async fn token(api: &TestApi) -> String {
    let token =
        api.post("/v1/agents/tokens").by("operator").json(&json!({ "targets": [TARGET] })).send().await;
    token.read::<AgentToken>(201).token.expose().to_owned()
}

fn introduction(token: &str) -> Value {
    json!({
        "token": token, "name": "stg-1", "version": "0.1.0", "capabilities": ["deploy.host"],
        "targets": [{ "target": TARGET, "base_url": "http://127.0.0.1:1" }],
    })
}

async fn register(api: &TestApi, token: &str, key: &str) -> Reply {
    api.clock.advance(Millis(1));
    api.post("/v1/agents").key(key).json(&introduction(token)).send().await
}

async fn beat(api: &TestApi, agent: &AgentRegistered, status: &str, sticker: &str) -> Reply {
    let target = json!({ "target": TARGET, "sticker": sticker, "service": "running" });
    let body = json!({ "status": status, "tasks": [], "targets": [target] });
    let path = format!("/v1/agents/{}/heartbeat", agent.agent.id);
    api.post(&path).bearer(agent.credential.expose()).json(&body).send().await
}

/// What the audit tells, the newest first
async fn audit(api: &TestApi) -> Vec<String> {
    let page = api.get("/v1/audit").by("viewer").send().await.expect(200);
    page["items"].as_array().unwrap().iter().map(|it| it["action"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_token_registers_one_agent_once() {
    let api = api().await;
    let token = token(&api).await;
    let agent: AgentRegistered = register(&api, &token, "a").await.read(201);
    assert_eq!((agent.agent.status, agent.agent.targets[0].target.as_str()), (AgentStatus::Online, TARGET));
    beat(&api, &agent, "online", "absent").await.expect(200);
    assert_eq!(register(&api, &token, "another").await.short(), "401 unauthenticated");
    let list = api.get("/v1/agents").by("viewer").send().await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(audit(&api).await, ["agent.create", "agent.token_create"]);
    assert_eq!(api.get("/v1/agents").by("stranger").send().await.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn neither_token_nor_credential_is_kept_anywhere() {
    let api = api().await;
    let token = token(&api).await;
    let agent: AgentRegistered = register(&api, &token, "a").await.read(201);
    let stored = format!("{:?}", api.table.snapshot());
    assert!(!stored.contains(&token) && !stored.contains(agent.credential.expose()));
}

#[tokio::test]
async fn an_agent_that_lost_the_answer_gets_another_credential_until_it_was_heard_of() {
    let api = api().await;
    let token = token(&api).await;
    let lost: AgentRegistered = register(&api, &token, "a").await.read(201);
    api.clock.advance(Millis::from_secs(5));
    let kept: AgentRegistered = register(&api, &token, "a").await.read(201);
    assert_eq!(kept.agent.id, lost.agent.id);
    assert_eq!(beat(&api, &lost, "online", "absent").await.short(), "401 unauthenticated");
    beat(&api, &kept, "online", "absent").await.expect(200);
    assert_eq!(register(&api, &token, "a").await.short(), "409 secret-shown-once");
}

#[tokio::test]
async fn a_token_is_shown_once_and_expires() {
    let api = api().await;
    let body = json!({ "targets": [TARGET] });
    let send = || api.post("/v1/agents/tokens").by("operator").key("t").json(&body).send();
    let token: AgentToken = send().await.read(201);
    assert_eq!(send().await.short(), "409 secret-shown-once");
    api.clock.advance(Millis::from_secs(3600));
    assert_eq!(register(&api, token.token.expose(), "a").await.short(), "401 unauthenticated");
}

#[tokio::test]
async fn a_token_is_for_targets_that_exist_and_an_agent_for_those_of_its_token() {
    let api = api().await;
    for (who, targets, expected) in [
        ("operator", json!([]), "422 limit-exceeded"),
        ("operator", json!(["target.staging.nope"]), "422 invalid-reference"),
        ("operator", json!(["tenant.acme"]), "422 invalid-reference"),
        ("operator", json!(["stg-1"]), "400 invalid-body"),
        ("stranger", json!([TARGET]), "422 invalid-reference"),
        ("root", json!([TARGET]), "400 tenant-required"),
    ] {
        let reply = api.post("/v1/agents/tokens").by(who).json(&json!({ "targets": targets })).send().await;
        assert_eq!(reply.short(), expected, "{who} {targets}");
    }
    let token = token(&api).await;
    for (field, value, expected) in [
        ("targets", json!([{ "target": "target.staging.stg-2" }]), "403 forbidden"),
        ("targets", json!([]), "400 invalid-body"),
        ("targets", json!([{ "target": TARGET, "base_url": "file:///etc/passwd" }]), "400 invalid-body"),
        ("name", json!(""), "400 invalid-body"),
        ("more", json!(1), "400 invalid-body"),
    ] {
        let mut body = introduction(&token);
        body[field] = value.clone();
        let reply = api.post("/v1/agents").json(&body).send().await;
        assert_eq!(reply.short(), expected, "{field} {value}");
    }
    register(&api, &token, "a").await.expect(201);
}

#[tokio::test]
async fn a_credential_that_was_given_anew_counts_at_once_and_the_one_before_for_a_minute() {
    let api = api().await;
    let token = token(&api).await;
    let claim = async |agent: &AgentRegistered| {
        let path = format!("/v1/agents/{}/claims", agent.agent.id);
        api.post(&path).bearer(agent.credential.expose()).json(&json!({ "max": 1 })).send().await.short()
    };
    let first: AgentRegistered = register(&api, &token, "a").await.read(201);
    assert_eq!(claim(&first).await, "200");
    let second: AgentRegistered = register(&api, &token, "a").await.read(201);
    assert_ne!(first.credential.expose(), second.credential.expose());
    api.clock.advance(Millis::from_secs(59));
    assert_eq!(claim(&first).await, "200", "this process remembers it");
    api.clock.advance(Millis::from_secs(1));
    assert_eq!(claim(&first).await, "401 unauthenticated");
    assert_eq!(claim(&second).await, "200");
    let third: AgentRegistered = register(&api, &token, "a").await.read(201);
    assert_eq!(claim(&third).await, "200", "it is not the one that is remembered");
    assert_eq!(claim(&second).await, "401 unauthenticated");
}

#[tokio::test]
async fn an_agent_falls_silent_and_what_it_finds_is_told_once() {
    let api = api().await;
    let agent: AgentRegistered = register(&api, &token(&api).await, "a").await.read(201);
    let status = async || {
        let list = api.get("/v1/agents").by("viewer").send().await.expect(200);
        list["items"][0]["status"].as_str().unwrap().to_owned()
    };
    for _ in 0..3 {
        beat(&api, &agent, "online", "ok").await.expect(200);
        api.clock.advance(Millis::from_secs(5));
    }
    beat(&api, &agent, "degraded", "drift").await.expect(200);
    beat(&api, &agent, "degraded", "drift").await.expect(200);
    assert_eq!(status().await, "degraded");
    assert_eq!(audit(&api).await, ["agent.change", "agent.create", "agent.token_create"]);
    beat(&api, &agent, "online", "ok").await.expect(200);
    assert_eq!(status().await, "online");
    api.clock.advance(Millis::from_secs(61));
    assert_eq!(status().await, "offline");
}

#[tokio::test]
async fn an_agent_speaks_for_itself_and_is_told_to_stop_what_is_not_its_own() {
    let api = api().await;
    let agent: AgentRegistered = register(&api, &token(&api).await, "a").await.read(201);
    let other = "/v1/agents/agt_01ARZ3NDEKTSV4RRFFQ69G5FAV/heartbeat";
    let body = json!({ "status": "online", "tasks": [], "targets": [] });
    let reply = api.post(other).bearer(agent.credential.expose()).json(&body).send().await;
    assert_eq!(reply.short(), "403 forbidden");
    let attempt = json!({ "task": "op_01ARZ3NDEKTSV4RRFFQ69G5FAV.1", "attempt": 1 });
    let body = json!({ "status": "online", "tasks": [attempt], "targets": [] });
    let path = format!("/v1/agents/{}/heartbeat", agent.agent.id);
    let ack = api.post(&path).bearer(agent.credential.expose()).json(&body).send().await.expect(200);
    assert_eq!((&ack["cancel"], &ack["leases"]), (&json!([attempt]), &json!([])));
    assert_eq!(
        api.get("/v1/releases").bearer(agent.credential.expose()).send().await.short(),
        "403 forbidden"
    );
}

#[tokio::test]
async fn a_heartbeat_renews_the_leases_of_its_own_attempts_until_they_are_to_stop() {
    let shop = Shop::open().await;
    let operation = shop.promote(shop.release, "environment.staging").await.promotion.workflow_run_id;
    let task = shop.claim("stg-1").await.remove(0);
    let beat = async |who: &str, attempt: u32| -> HeartbeatAck {
        let attempts = json!([{ "task": task.task, "attempt": attempt }]);
        let body = json!({ "status": "online", "tasks": attempts, "targets": [] });
        let path = format!("/v1/agents/{}/heartbeat", shop.agent(who));
        shop.api.post(&path).bearer(shop.credential(who)).json(&body).send().await.read(200)
    };
    shop.api.clock.advance(Millis::from_secs(5));
    let ack = beat("stg-1", task.attempt).await;
    assert_eq!((ack.cancel.len(), ack.leases[0].lease_remaining_ms), (0, task.lease_remaining_ms));
    assert_eq!(beat("stg-1", task.attempt + 1).await.cancel.len(), 1, "no such attempt");
    assert_eq!(beat("stg-2", task.attempt).await.cancel.len(), 1, "another agent's");
    let cancel = shop.api.post(&format!("/v1/operations/{operation}/cancel")).by("alice").json(&json!({}));
    cancel.send().await;
    assert_eq!(beat("stg-1", task.attempt).await.cancel.len(), 1, "asked to stop");
}
