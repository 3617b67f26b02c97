use crate::fixture::Shop;
use serde_json::{Value, json};
use weir_domain::{
    id::OperationId,
    plan::{Graph, NodeStatus, PlanPatch, patch::PatchRecord, patch::replay},
};
use weir_edge::wire::{
    intent::IntentView, operation::OperationView, operation::Timeline, patch::Patches, plan::PlanView,
};

fn smoke(name: &str, needs: &str) -> Value {
    json!({
        "node_id": name, "type": "verification", "title": "smoke test", "runs": "job", "depends_on": [needs],
        "job_contract": { "capability": "verify.http", "timeout_s": 30, "attempts": 2 },
    })
}

struct Patching {
    shop: Shop,
    operation: OperationId,
}

impl Patching {
    async fn open() -> Self {
        let shop = Shop::open().await;
        let operation = shop.promote(shop.release, "environment.staging").await.promotion.workflow_run_id;
        Self { shop, operation }
    }

    async fn ask(&self, by: &'static str, reason: &str, changes: Value) -> weir_testkit::api::Reply {
        let path = format!("/v1/operations/{}/patches", self.operation);
        let body = json!({ "reason": reason, "changes": changes });
        self.shop.api.post(&path).by(by).json(&body).send().await
    }

    async fn list(&self) -> Patches {
        let path = format!("/v1/operations/{}/patches", self.operation);
        self.shop.api.get(&path).by("viewer").send().await.read(200)
    }
}

#[tokio::test]
async fn a_patch_is_made_listed_told_and_audited() {
    let patching = Patching::open().await;
    let none = patching.list().await;
    assert_eq!((none.items.len(), &none.effective_hash), (0, &none.graph_hash));
    let changes = json!({ "added": [smoke("smoke", "deploy.stg-1")], "rewired": [
        { "node_id": "deploy.stg-2", "wait_for": ["smoke"] },
    ] });
    let made: PatchRecord = patching.ask("bob", "look before going on", changes).await.read(201);
    assert_eq!((made.sequence, made.actor.id.as_str()), (1, "bob"));
    assert_eq!(
        (made.rewired.iter().map(|it| it.as_str()).collect::<Vec<_>>(), made.changed.len()),
        (vec!["deploy.stg-2"], 0)
    );
    let list = patching.list().await;
    assert_eq!(
        (list.items.as_slice(), &list.effective_hash),
        (std::slice::from_ref(&made), &made.effective_hash)
    );
    let nodes = patching.shop.nodes(patching.operation).await;
    assert_eq!(nodes["smoke"], NodeStatus::Pending);
    assert!(patching.shop.audited().await.contains(&"bob operation.patch".to_owned()));
    let path = format!("/v1/operations/{}/timeline", patching.operation);
    let story: Timeline = patching.shop.api.get(&path).by("viewer").send().await.read(200);
    assert!(story.events.iter().any(|event| event.message == "bob changed the plan: look before going on"));
    // Anyone can replay it from the plan.
    let path = format!("/v1/operations/{}/patches/{}", patching.operation, made.patch_id);
    let whole: PlanPatch = patching.shop.api.get(&path).by("viewer").send().await.read(200);
    let plan: PlanView =
        patching.shop.api.get(&format!("/v1/plans/{}", made.plan_id)).by("viewer").send().await.read(200);
    let base = Graph::new(plan.graph).unwrap();
    assert_eq!(replay(&base, &[whole]).unwrap().1, made.effective_hash);
    // It runs as it says now.
    patching.shop.deploy("stg-1").await;
    patching.shop.job(patching.operation, "smoke", true).await;
    let view: OperationView = patching.shop.operation(patching.operation).await;
    let smoke = view.nodes.iter().find(|node| node.node_id.as_str() == "smoke").unwrap();
    assert_eq!((smoke.status, smoke.ordinal % 40), (NodeStatus::Succeeded, 1));
}

#[tokio::test]
async fn what_a_patch_may_not_do_is_refused_by_meaning() {
    let patching = Patching::open().await;
    let only = async |changes: Value| patching.ask("bob", "why", changes).await.short();
    assert_eq!(only(json!({})).await, "422 patch-refused");
    assert_eq!(only(json!({ "removed": ["nowhere"] })).await, "422 patch-refused");
    assert_eq!(
        only(json!({ "rewired": [{ "node_id": "deploy.stg-1", "wait_for": ["verify.stg-1"] }] })).await,
        "422 patch-refused"
    );
    assert_eq!(only(json!({ "removed": ["freeze"] })).await, "422 patch-refused");
    assert_eq!(only(json!({ "remove": ["freeze"] })).await, "400 invalid-body");
    assert_eq!(
        patching.ask("bob", "", json!({ "removed": ["verify.stg-2"] })).await.short(),
        "422 patch-refused"
    );
    patching.shop.claim("stg-1").await;
    assert_eq!(only(json!({ "removed": ["deploy.stg-1"] })).await, "409 node-started");
    let add = || json!({ "added": [smoke("smoke", "deploy.stg-1")] });
    for (by, answer) in [("developer", "403 forbidden"), ("stranger", "404 not-found")] {
        assert_eq!(patching.ask(by, "why", add()).await.short(), answer);
    }
    let path = format!("/v1/operations/{}/cancel", patching.operation);
    patching.shop.api.post(&path).by("bob").json(&json!({})).send().await.expect(202);
    assert_eq!(only(add()).await, "409 not-allowed-now");
    assert!(patching.list().await.items.is_empty());
}

#[tokio::test]
async fn a_patch_goes_round_nobody_elses_gates() {
    let patching = Patching::open().await;
    let needs = |mut node: Value| {
        for (name, value) in
            [("node_id", json!("more")), ("title", json!("more")), ("depends_on", json!(["deploy.stg-1"]))]
        {
            node[name] = value;
        }
        json!({ "added": [node] })
    };
    let agent = |target: &str, contract: Value| {
        let runs = format!("agent:{target}");
        json!({ "type": "job", "runs": runs, "target": target, "job_contract": contract })
    };
    let contract = |capability: &str, inputs: Value| json!({ "capability": capability, "inputs": inputs, "timeout_s": 30, "attempts": 1 });
    let there = "target.production.prd-1";
    let deploys = contract("deploy.host", json!({ "target": there }));
    let applies = contract("definition.apply_group", json!({ "change_plan": "sha256:1", "group": 0 }));
    let asks = contract("http.call", json!({ "target": there, "path": "/" }));
    for (what, node) in [
        ("which is planned only", agent(there, deploys)),
        ("target.production.prd-1", agent(there, contract("command.run", json!({})))),
        ("target.production.prd-1", json!({ "type": "job", "runs": "job", "job_contract": asks })),
        ("which is planned only", json!({ "type": "job", "runs": "job", "job_contract": applies })),
        (
            "which is planned only",
            json!({ "type": "sub_operation", "runs": "decide", "job_contract": contract("other", json!({})) }),
        ),
        (
            "which nothing here does",
            json!({ "type": "job", "runs": "job", "job_contract": contract("other", json!({})) }),
        ),
    ] {
        let refused = patching.ask("bob", "why", needs(node.clone())).await.expect(422);
        assert_eq!(refused["code"], "W0450", "{refused}");
        assert!(refused["detail"].as_str().unwrap().contains(what), "{what}: {refused}");
    }
    assert!(patching.list().await.items.is_empty());
    assert!(patching.shop.claim("prd-1").await.is_empty(), "nothing is there for production's agents");
    // Within its own environment it may.
    let here = agent("target.staging.stg-2", contract("command.run", json!({ "command": "look" })));
    assert_eq!(patching.ask("bob", "look there", needs(here)).await.read::<PatchRecord>(201).sequence, 1);
}

#[tokio::test]
async fn a_patch_brings_nothing_to_a_scenario_that_waited_for_no_gate() {
    let shop = Shop::open().await;
    let url = "https://cloud.example.org";
    let nodes = json!([
        { "id": "look", "type": "job", "capability": "http.call", "with": { "method": "GET", "url": url } },
        { "id": "again", "type": "job", "capability": "http.call", "depends_on": ["look"],
          "with": { "method": "GET", "url": url } },
    ]);
    let scenario = json!({
        "version": 1, "target_resource_type": "environment", "actions": ["look"], "template": "template.look",
        "risk_metadata": { "level": "low" },
    });
    shop.api.resource(&shop.scope.outer(), "template.look", json!({ "version": 1, "nodes": nodes })).await;
    shop.api.resource(&shop.scope.outer(), "scenario.look", scenario).await;
    let body = json!({ "action": "look", "target_resource_id": "environment.production" });
    let intent: IntentView = shop.api.post("/v1/intents").by("alice").json(&body).send().await.read(201);
    let path = format!("/v1/plans/{}/operations", intent.plan_id.unwrap());
    let view: OperationView = shop.api.post(&path).by("alice").send().await.read(201);
    let patching = Patching { operation: view.operation_id, shop };
    patching.shop.begin(patching.operation).await;
    let there = "target.production.prd-1";
    let contract = |inputs: Value| json!({ "capability": "http.call", "inputs": inputs, "timeout_s": 30, "attempts": 2 });
    let command = json!({ "capability": "command.run", "inputs": { "command": "look" }, "timeout_s": 30, "attempts": 1 });
    let called = contract(json!({ "method": "POST", "url": url }));
    for changes in [
        json!({ "added": [{ "node_id": "x", "type": "job", "title": "x", "runs": format!("agent:{there}"),
            "target": there, "job_contract": command }] }),
        json!({ "added": [{ "node_id": "x", "type": "job", "title": "x", "runs": "job", "job_contract": called }] }),
        json!({ "changed": [{ "node_id": "again", "job_contract": called }] }),
    ] {
        let refused = patching.ask("bob", "why", changes).await.expect(422);
        assert_eq!(refused["code"], "W0450", "{refused}");
        assert!(refused["detail"].as_str().unwrap().contains("no gate of the plan is asked"), "{refused}");
    }
    // With other limits it is what it was.
    let mut patient = contract(json!({ "method": "GET", "url": url }));
    patient["idempotency"] = json!("attempt_key");
    let patient = json!({ "changed": [{ "node_id": "again", "job_contract": patient }] });
    assert_eq!(patching.ask("bob", "it is slow", patient).await.read::<PatchRecord>(201).sequence, 1);
    let less = json!({ "removed": ["again"] });
    assert_eq!(patching.ask("bob", "once is enough", less).await.read::<PatchRecord>(201).sequence, 2);
}
