//! Secrets, from the text of a definition to the request that whoever is called gets

use crate::fixture::{Shop, example};
use axum::{Json, Router, extract::Request, routing::post};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use weir_domain::{
    definition::{codes::Code, document::read},
    id::OperationId,
    plan::NodeStatus,
};
use weir_edge::{
    authn::callback::sign,
    wire::{intent::IntentView, operation::OperationView},
};
use weir_orchestration::jobs::JobEnd;

const KEY: &str = "hook-key-of-the-tests";

/// A scenario and a delivery whose first step is the same shared job
const RECIPES: &str = r#"
job:
  hook:
    capability: http.call
    attempts: 4
    with:
      url: HOOK_URL
      sign_with: ${HOOK}
      headers: {authorization: "Bearer ${HOOK}"}
      body: {key: "${HOOK}", on: "${target}", from: "${target.environment}"}
scenario:
  tell: {version: 1, target_resource_type: environment, actions: [tell], risk_metadata: {level: low}, template: tell}
  deploy: {version: 1, target_resource_type: environment, actions: [deploy, promote, rollback], template: deploy-host}
template:
  tell:
    version: 1
    inputs: {note: {}}
    nodes:
    - {id: tell, type: job, job: hook, for_each: target, with: {headers: {authorization: "Bearer ${HOOK}", x-note: "${inputs.note}"}}}
  deploy-host:
    version: 1
    inputs: {release: {required: true}}
    nodes:
    - {id: tell, type: job, job: hook, for_each: target}
    - {id: deploy, type: job, capability: deploy.host, for_each: target, depends_on: [tell]}
"#;

#[derive(Debug, Clone)]
struct Seen {
    timestamp: i64,
    signature: String,
    authorization: String,
    note: String,
    body: String,
}

type Calls = Arc<Mutex<Vec<Seen>>>;

async fn listen() -> (String, Calls) {
    let calls = Calls::default();
    let kept = calls.clone();
    let take = async move |request: Request| {
        let (parts, body) = request.into_parts();
        let header =
            |name: &str| parts.headers.get(name).map_or(String::new(), |it| it.to_str().unwrap().to_owned());
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        kept.lock().unwrap().push(Seen {
            timestamp: header("weir-timestamp").parse().unwrap_or_default(),
            signature: header("weir-signature"),
            authorization: header("authorization"),
            note: header("x-note"),
            body: String::from_utf8(body.to_vec()).unwrap(),
        });
        Json(json!({}))
    };
    let router = Router::new().route("/hook", post(take));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, calls)
}

/// The shop with `recipes` in place of the example's
async fn shop(recipes: &str) -> Shop {
    let shop = Shop::open().await;
    let mut bundle = example();
    bundle.files.insert("scenarios/deploy.yaml".to_owned(), recipes.to_owned());
    let reading = read(&bundle, None).unwrap();
    let definition = reading.definition.unwrap_or_else(|| panic!("{:?}", reading.diagnostics));
    for (address, resource) in definition.resources {
        if ["job.", "scenario.", "template."].iter().any(|kind| address.as_str().starts_with(kind)) {
            shop.api.resource(&shop.scope, address.as_str(), resource.spec).await;
        }
    }
    shop
}

async fn operation(shop: &Shop, body: &Value) -> OperationId {
    let intent: IntentView = shop.api.post("/v1/intents").by("developer").json(body).send().await.read(201);
    let path = format!("/v1/plans/{}/operations", intent.plan_id.unwrap());
    let operation: OperationView = shop.api.post(&path).by("alice").send().await.read(201);
    shop.begin(operation.operation_id).await;
    operation.operation_id
}

/// Runs the jobs that were sent
async fn work(shop: &Shop) {
    let jobs = std::mem::take(&mut shop.api.cloud.told().jobs);
    for (job, _) in jobs {
        assert_eq!(shop.api.cx.engine().run_job(&job, "worker").await.unwrap(), JobEnd::Run);
    }
}

fn is_told(call: &Seen, target: &str) {
    assert_eq!(call.authorization, format!("Bearer {KEY}"));
    let expected = json!({ "from": "environment.staging", "key": KEY, "on": target });
    assert_eq!(serde_json::from_str::<Value>(&call.body).unwrap(), expected);
    assert_eq!(call.signature, sign(KEY, call.timestamp, "/hook", call.body.as_bytes()));
}

#[tokio::test]
async fn a_scenario_signs_what_its_definition_says_that_it_signs() {
    let (url, calls) = listen().await;
    let shop = shop(&RECIPES.replace("HOOK_URL", &url)).await;
    let body = json!({
        "action": "tell", "target_resource_id": "environment.staging", "inputs": { "note": "about $ {HOOK}" },
    });
    let id = operation(&shop, &body).await;
    work(&shop).await;
    let calls = calls.lock().unwrap().clone();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0].note, "about $ {HOOK}");
    is_told(&calls[0], "target.staging.stg-1");
    assert_eq!(shop.nodes(id).await["tell.stg-1"], NodeStatus::Succeeded);
    let stored = format!("{:?}", shop.api.table.snapshot());
    assert!(!stored.contains(KEY), "the secret itself is nowhere");
}

#[tokio::test]
async fn a_delivery_signs_as_a_scenario_does_and_knows_its_target() {
    let (url, calls) = listen().await;
    let shop = shop(&RECIPES.replace("HOOK_URL", &url)).await;
    let id = shop.promote(shop.release, "environment.staging").await.promotion.workflow_run_id;
    work(&shop).await;
    let calls = calls.lock().unwrap().clone();
    is_told(&calls[0], "target.staging.stg-1");
    let view = shop.operation(id).await;
    let node = view.nodes.iter().find(|node| node.node_id.as_str() == "tell.stg-1").unwrap();
    assert_eq!((node.status, node.attempts_max), (NodeStatus::Succeeded, 4), "as its shared job says");
}

#[tokio::test]
async fn whoever_gives_inputs_chooses_no_secret() {
    let (url, calls) = listen().await;
    let recipes = RECIPES.replace("HOOK_URL", &url).replace("Bearer ${HOOK}", "none");
    let recipes =
        recipes.replace("sign_with: ${HOOK}", "method: post").replace("key: \"${HOOK}\"", "key: none");
    let shop = shop(&recipes).await;
    let body = json!({
        "action": "tell", "target_resource_id": "environment.staging", "inputs": { "note": "${HOOK}" },
    });
    let id = operation(&shop, &body).await;
    work(&shop).await;
    assert_eq!(shop.nodes(id).await["tell.stg-1"], NodeStatus::Failed);
    assert!(calls.lock().unwrap().is_empty());
}

#[test]
fn a_secret_that_would_be_sent_as_its_name_is_refused_where_it_is_written() {
    for (from, to, code) in [
        ("url: HOOK_URL", "url: \"https://x.example.org/?key=${HOOK}\"", Code::SecretMisplaced),
        ("sign_with: ${HOOK}", "sign_with: \"x${HOOK}\"", Code::SecretLiteral),
        ("capability: http.call", "capability: lambda.invoke", Code::SecretMisplaced),
    ] {
        let mut bundle = example();
        bundle.files.insert("scenarios/deploy.yaml".to_owned(), RECIPES.replace(from, to));
        let codes: Vec<Code> = read(&bundle, None).unwrap().diagnostics.iter().map(|it| it.code).collect();
        assert!(codes.contains(&code), "{to}: {codes:?}");
    }
}
