//! What `weir` shows of plans, intents and queues, against the real router

use crate::cli_tests::Server;
use serde_json::{Value, json};
use std::fs;
use weir_domain::id::OperationId;
use weir_edge::wire::{intent::IntentView, operation::OperationView};

async fn planned(server: &Server, body: &Value) -> IntentView {
    server.shop.api.post("/v1/intents").by("alice").json(body).send().await.read(201)
}

async fn read(server: &Server, path: &str) -> Value {
    server.shop.api.get(path).by("viewer").send().await.expect(200)
}

/// A promotion to staging that bob has patched once
async fn patched(server: &Server) -> (OperationId, String) {
    let shop = &server.shop;
    let promotion = shop.promote(shop.release, "environment.staging").await.promotion;
    let smoke = json!({
        "node_id": "smoke", "type": "verification", "title": "smoke test", "runs": "job", "depends_on": ["deploy.stg-1"],
        "job_contract": { "capability": "verify.http", "timeout_s": 30, "attempts": 2 },
    });
    let path = format!("/v1/operations/{}/patches", promotion.workflow_run_id);
    let body = json!({ "reason": "look first", "changes": { "added": [smoke] } });
    shop.api.post(&path).by("bob").json(&body).send().await.expect(201);
    (promotion.workflow_run_id, promotion.plan_id.to_string())
}

#[tokio::test]
async fn a_plan_says_who_runs_it_and_counts_its_patches() {
    let server = Server::start().await;
    let (operation, plan) = patched(&server).await;
    let one = read(&server, &format!("/v1/plans/{plan}")).await;
    assert_eq!((&one["effective_version"], &one["operation_id"]), (&json!(2), &json!(operation)));
    let asked = json!({ "action": "look", "target_resource_id": "environment.staging" });
    let waiting = planned(&server, &asked).await.plan_id.unwrap();
    let all = read(&server, "/v1/plans").await;
    let told = |all: &Value| -> Vec<(String, u64, bool)> {
        let items = all["items"].as_array().unwrap().iter();
        items
            .map(|it| {
                let id = it["plan_id"].as_str().unwrap().to_owned();
                (id, it["effective_version"].as_u64().unwrap(), it.get("operation_id").is_some())
            })
            .collect()
    };
    let expected = [(waiting.to_string(), 1, false), (plan.clone(), 2, true)];
    let mut found = told(&all);
    found.sort_by_key(|(_, version, _)| *version);
    assert_eq!(found, expected);
    assert_eq!(told(&read(&server, "/v1/plans?status=ready").await), expected[..1]);
    assert!(all["items"][0].get("graph").is_none());
    let theirs = server.shop.api.get("/v1/plans").by("stranger").send().await.expect(200);
    assert_eq!(theirs["items"], json!([]));
    let listed = server.weir("viewer", &["plan", "list", "--status", "active"]).await;
    assert!(listed.code == 0 && listed.out.contains(&plan), "{listed:?}");
}

#[tokio::test]
async fn a_patched_run_is_verified_by_its_plans_id_to_its_last_patch() {
    let server = Server::start().await;
    let (operation, plan) = patched(&server).await;
    let dir = std::env::temp_dir().join(format!("weir-chain-{operation}"));
    let path = dir.to_str().unwrap();
    let verified = server.weir("viewer", &["plan", "verify", &plan, "--save", path]).await;
    assert!(verified.code == 0 && verified.out.contains("patch 1"), "{verified:?}");
    assert!(verified.out.contains("bob: look first"), "{verified:?}");
    assert_eq!(server.weir("viewer", &["plan", "verify", "--dir", path]).await.code, 0);
    fs::remove_file(dir.join("patch-001.json")).unwrap();
    let cut = server.weir("viewer", &["plan", "verify", "--dir", path]).await;
    fs::remove_dir_all(&dir).unwrap();
    assert!(cut.code == 1 && cut.out.contains("the chain does not hold"), "{cut:?}");
}

/// A scenario that needs what another one gives, which needs what a third one gives
async fn nest(server: &Server) {
    let outer = server.shop.scope.outer();
    let put = async |name: &str, more: Value, node: Value| {
        let mut scenario = json!({
            "version": 3, "target_resource_type": "environment", "actions": [name], "template": format!("template.{name}"),
            "risk_metadata": { "level": "low" },
        });
        scenario.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server.shop.api.resource(&outer, &format!("scenario.{name}"), scenario).await;
        let template = json!({ "version": 2, "nodes": [node] });
        server.shop.api.resource(&outer, &format!("template.{name}"), template).await;
    };
    let call = json!({ "id": "call", "type": "job", "capability": "http.call", "with": { "url": "https://x.example.org" } });
    put("inner", json!({ "provides": ["stone"] }), call).await;
    put(
        "middle",
        json!({ "provides": ["bridge"] }),
        json!({ "id": "get", "type": "job", "capability": "stone" }),
    )
    .await;
    put("cross", json!({}), json!({ "id": "get", "type": "job", "capability": "bridge" })).await;
}

/// The scenarios of a plan and of the plans inside it: `cross(middle(inner()))`
fn nesting(plan: &Value) -> String {
    let inside: Vec<String> = plan["sub_operations"].as_array().into_iter().flatten().map(nesting).collect();
    let name = plan["scenario_ref"]["scenario"].as_str().unwrap().trim_start_matches("scenario.");
    assert_eq!(plan["scenario_ref"]["version"], json!(3));
    format!("{name}({})", inside.join(","))
}

#[tokio::test]
async fn plans_inside_plans_are_nested_before_and_after_they_are_recorded() {
    let server = Server::start().await;
    nest(&server).await;
    let asked = json!({ "action": "cross", "target_resource_id": "environment.staging" });
    let dry =
        server.shop.api.post("/v1/intents?dry_run=true").by("alice").json(&asked).send().await.expect(200);
    assert_eq!(nesting(&dry["plan"]), "cross(middle(inner()))");
    let plan = planned(&server, &asked).await.plan_id.unwrap().to_string();
    assert_eq!(nesting(&read(&server, &format!("/v1/plans/{plan}")).await), "cross(middle(inner()))");
    for line in [vec!["run", "cross", "environment.staging", "--dry-run"], vec!["plan", "show", &plan]] {
        let shown = server.weir("alice", &line).await;
        let place = |text: &str| {
            shown
                .out
                .lines()
                .find(|line| line.contains(text))
                .map(|line| line.len() - line.trim_start().len())
        };
        let (middle, inner) = (place("scenario.middle · "), place("scenario.inner · "));
        assert!(shown.code == 0 && middle.is_some() && middle < inner, "{}", shown.out);
    }
}

#[tokio::test]
async fn a_plan_is_shown_with_where_it_stands_and_what_is_missing() {
    let server = Server::start().await;
    let unbound = json!({ "environment": "environment.staging", "target_type": "host" });
    server.shop.api.resource(&server.shop.scope, "target.staging.stg-3", unbound).await;
    let asked = json!({
        "action": "promote", "target_resource_id": "environment.staging",
        "desired_result": { "release_id": server.shop.release }, "customizations": { "deploy.timeout_s": 300 },
    });
    let intent = planned(&server, &asked).await;
    let plan = intent.plan_id.unwrap().to_string();
    let shown = server.weir("viewer", &["plan", "show", &plan]).await;
    for word in [
        "unbound",
        "scenario.deploy 1 · ",
        "missing",
        "no agent serves it",
        "deploy.timeout_s = 300",
        "agent stg-1 1.0.0",
        "undo",
        "gate",
        "deploy.stg-3",
    ] {
        assert!(shown.out.contains(word), "{word}: {}", shown.out);
    }
    let dot = server.weir("viewer", &["plan", "show", &plan, "--dot"]).await;
    assert!(dot.out.starts_with("digraph plan {"), "{dot:?}");

    let id = intent.id.to_string();
    let one = read(&server, &format!("/v1/intents/{id}")).await;
    assert_eq!(
        (&one["actor_id"], &one["actor"]["id"], &one["constraints"]),
        (&json!("alice"), &json!("alice"), &json!({}))
    );
    let listed = server.weir("viewer", &["intent", "list", "--status", "planned"]).await;
    assert!(listed.out.contains(&id) && listed.out.contains("alice"), "{listed:?}");
    let told = server.weir("viewer", &["intent", "show", &id]).await;
    assert!(told.code == 0 && told.out.contains("promote environment.staging"), "{told:?}");
    assert!(told.err.contains(&format!("weir plan show {plan}")), "{told:?}");
    let theirs = server.shop.api.get(&format!("/v1/intents/{id}")).by("stranger").send().await;
    assert_eq!(theirs.short(), "404 not-found");
}

#[tokio::test]
async fn weir_run_says_what_must_hold_of_whatever_does_it() {
    let server = Server::start().await;
    let line = ["run", "look", "environment.staging", "--dry-run"];
    let limits = ["--label", "zone=a", "--region", "eu", "--adapter", "moon", "--version", ">=9"];
    let dry = server.weir("alice", &[&["--json"], &line[..], &limits[..]].concat()).await;
    let told: Value = serde_json::from_str(&dry.out).unwrap();
    assert_eq!(
        told["constraints"],
        json!({ "labels": { "zone": "a" }, "region": "eu", "adapter": "moon", "version": ">=9" })
    );
    assert_eq!(
        (dry.code, &told["plan"]["status"]),
        (1, &json!("unbound")),
        "nothing built in is of that adapter"
    );
    assert_eq!(server.weir("alice", &[&line[..], &["--label", "zone"]].concat()).await.code, 2);
}

#[tokio::test]
async fn who_stands_in_a_queue_is_told_of_what_and_behind_whom() {
    let server = Server::start().await;
    let shop = &server.shop;
    let target = json!({ "environment": "environment.staging", "target_type": "host", "exclusive": true });
    shop.api.resource(&shop.scope, "target.staging.stg-1", target).await;
    let template = json!({ "version": 1, "nodes": [
        { "id": "call", "type": "job", "capability": "http.call", "for_each": "target", "with": { "url": "https://x.example.org" } },
    ] });
    shop.api.resource(&shop.scope.outer(), "template.alone", template).await;
    let mut started = Vec::new();
    for action in ["one", "two"] {
        let scenario = json!({
            "version": 1, "target_resource_type": "environment", "actions": [action], "template": "template.alone",
            "risk_metadata": { "level": "low" },
        });
        shop.api.resource(&shop.scope.outer(), &format!("scenario.{action}"), scenario).await;
        let asked = json!({ "action": action, "target_resource_id": "environment.staging" });
        let plan = planned(&server, &asked).await.plan_id.unwrap();
        let run = shop.api.post(&format!("/v1/plans/{plan}/operations")).by("alice").send().await;
        let operation = run.read::<OperationView>(201).operation_id;
        shop.begin(operation).await;
        started.push(operation.to_string());
    }
    let queued = format!("queued for target.staging.stg-1 behind {}, 1 before it", started[0]);
    for line in [["explain", &started[1]].as_slice(), &["operation", "show", &started[1]]] {
        let told = server.weir("viewer", line).await;
        assert!(told.code == 0 && told.out.contains(&queued), "{line:?}: {}", told.out);
    }
    let why = server.weir("viewer", &["explain", &started[1]]).await.out;
    let ahead = why.lines().find(|line| line.trim_start().starts_with(&started[0])).unwrap();
    assert!(ahead.contains(": could end not before 2026-11-21"), "{why}"); // the terminal's clock is a year behind
    let first = server.weir("viewer", &["operation", "show", &started[0]]).await;
    assert!(first.out.contains("│ at call"), "{}", first.out);
}
