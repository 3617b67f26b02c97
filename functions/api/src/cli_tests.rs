//! `weir` against the real router: what a person types, and what the whole API makes of it

use crate::fixture::Shop;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderName, Method, StatusCode, Uri},
    response::AppendHeaders,
};
use serde_json::{Value, json};
use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};
use weir_client::cli::{
    self,
    host::{Host, Terminal},
};
use weir_domain::{
    id::OperationId,
    time::{Millis, Time},
};
use weir_ledger::Presigned;

/// A shop behind HTTP
pub struct Server {
    pub shop: Arc<Shop>,
    url: String,
}

/// What Lambda lets a function answer
const ANSWER_MAX: usize = 6 * 1024 * 1024;

/// Where the bucket's objects are served
const OBJECTS: &str = "/objects/";

async fn answer(
    State(shop): State<Arc<Shop>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, AppendHeaders<Vec<(HeaderName, String)>>, String) {
    let path = uri.path_and_query().unwrap().as_str();
    if let Some(key) = path.strip_prefix(OBJECTS) {
        assert!(!headers.contains_key("authorization"), "a credential was sent to the bucket");
        let signed = Presigned { method: "GET", url: format!("memory://{key}"), headers: Vec::new() };
        let object = shop.api.objects.download(&signed).unwrap();
        return (StatusCode::OK, AppendHeaders(Vec::new()), String::from_utf8(object.to_vec()).unwrap());
    }
    let request = if method == Method::GET { shop.api.get(path) } else { shop.api.post(path) };
    let mut request = request.without("idempotency-key");
    for (name, value) in &headers {
        request = request.header(name.as_str(), value.to_str().unwrap());
    }
    let reply = request.raw(body.to_vec()).send().await;
    let kind = reply.headers.get("content-type").cloned().unwrap_or_default();
    let body = if reply.body.is_null() { String::new() } else { reply.body.to_string() };
    let sent = json!({ "statusCode": reply.status, "headers": &reply.headers, "body": &body }).to_string();
    assert!(sent.len() < ANSWER_MAX, "{uri}: {} bytes", sent.len());
    let mut told = vec![(HeaderName::from_static("content-type"), kind)];
    let place = reply.headers.get("location").and_then(|place| place.strip_prefix("memory://"));
    let host = headers["host"].to_str().unwrap();
    told.extend(
        place.map(|key| (HeaderName::from_static("location"), format!("http://{host}{OBJECTS}{key}"))),
    );
    (StatusCode::from_u16(reply.status).unwrap(), AppendHeaders(told), body)
}

impl Server {
    pub async fn start() -> Self {
        let shop = Arc::new(Shop::open().await);
        let template = json!({
            "version": 1,
            "inputs": { "path": { "type": "string", "default": "/" } },
            "nodes": [{ "id": "look", "type": "job", "capability": "http.call", "with": {
                "url": "https://x.example.org${inputs.path}", "outputs": { "version": "/version" } } }],
            "outputs": { "version": "look.version" },
            "editable_points": ["look.timeout_s"],
        });
        shop.api.resource(&shop.scope.outer(), "template.look", template).await;
        let scenario = json!({
            "version": 1, "target_resource_type": "environment", "actions": ["look"], "template": "template.look",
            "risk_metadata": { "level": "low" },
        });
        shop.api.resource(&shop.scope.outer(), "scenario.look", scenario).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(shop.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { shop, url }
    }

    pub async fn weir(&self, who: &str, line: &[&str]) -> Ran {
        let (out, err) = (Caught::default(), Caught::default());
        let host = Host {
            out: Box::new(out.clone()),
            err: Box::new(err.clone()),
            answers: None,
            terminal: Terminal { width: 100, height: 30, ..Terminal::default() },
            no_color: true,
            config_dir: None,
            now: || Time::from(Millis(1_763_700_060_000)),
            pause: Arc::new(|_| Box::pin(tokio::task::yield_now())),
        };
        let token = format!("{who}-token");
        let common = ["weir", "--server", &self.url, "--token", &token];
        let exit = cli::run(common.iter().chain(line).map(Into::into), host, std::future::pending()).await;
        Ran { code: exit.code(), out: out.text(), err: err.text() }
    }

    /// The operation that is started while somebody waits for that
    async fn started(&self) -> OperationId {
        loop {
            if let Some(told) = self.shop.api.cloud.told().operations.first() {
                return told.operation;
            }
            tokio::task::yield_now().await;
        }
    }
}

#[derive(Debug)]
pub struct Ran {
    pub code: u8,
    pub out: String,
    pub err: String,
}

#[derive(Clone, Default)]
struct Caught(Arc<Mutex<Vec<u8>>>);

impl Write for Caught {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Caught {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[tokio::test]
async fn weir_run_plans_runs_and_shows_what_came_of_it() {
    let server = Server::start().await;
    let shop = &server.shop;
    let line = ["run", "look", "environment.staging", "--input", "path=/up", "--set", "look.timeout_s=7"];
    let work = async {
        let id = server.started().await;
        shop.begin(id).await;
        let view = shop.operation(id).await;
        let plan = shop.api.get(&format!("/v1/plans/{}", view.plan_id)).by("viewer").send().await.expect(200);
        let outputs = serde_json::to_vec(&json!({ "version": "1.2.3" })).unwrap();
        shop.api.cx.ledger().outputs_put(id, 1, 1, outputs).await.unwrap();
        shop.job(id, "look", true).await;
        shop.end(id).await;
        plan["graph"][0]["job_contract"].clone()
    };
    let (ran, contract) = tokio::join!(server.weir("alice", &line), work);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("look environment.staging") && ran.out.contains("succeeded"), "{ran:?}");
    assert!(ran.out.contains("gave version = \"1.2.3\""), "{ran:?}");
    assert_eq!(
        (&contract["timeout_s"], &contract["inputs"]["url"]),
        (&json!(7), &json!("https://x.example.org/up"))
    );
}

#[tokio::test]
async fn weir_run_says_what_would_be_and_why_not() {
    let server = Server::start().await;
    let before = (server.shop.api.table.writes(), server.shop.api.objects.keys());
    let dry = server.weir("developer", &["run", "look", "environment.staging", "--dry-run"]).await;
    assert_eq!(dry.code, 0, "{dry:?}");
    for word in ["scenario.look", "1 node", "irreversible", "nothing"] {
        assert!(dry.out.contains(word), "{word}: {dry:?}");
    }
    for (line, told) in [
        (vec!["run", "fly", "environment.staging"], "no scenario does `fly`"),
        (vec!["run", "look", "environment.staging", "--input", "paht=/"], "did you mean `path`?"),
        (vec!["run", "look", "environment.staging", "--set", "look.attempts=2"], "what may: look.timeout_s"),
    ] {
        let refused = server.weir("alice", &[&line[..], &["--dry-run"]].concat()).await;
        assert!(refused.code == 1 && refused.err.contains(told), "{refused:?}");
    }
    assert_eq!((server.shop.api.table.writes(), server.shop.api.objects.keys()), before);
}

#[tokio::test]
async fn weir_promote_dry_run_shows_the_plan_with_its_edits() {
    let server = Server::start().await;
    let release = server.shop.release.to_string();
    let line = ["promote", &release, "staging", "--dry-run", "--set", "deploy.timeout_s=300"];
    let dry = server.weir("developer", &line).await;
    assert_eq!(dry.code, 0, "{dry:?}");
    for word in ["scenario.deploy", "2 targets", "deploy.timeout_s", "300", "nothing"] {
        assert!(dry.out.contains(word), "{word}: {dry:?}");
    }
    let json = server.weir("developer", &[&["--json"], &line[..]].concat()).await;
    let told: Value = serde_json::from_str(&json.out).unwrap();
    let deploys: Vec<_> = told["plan"]["graph"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|node| node["node_id"].as_str().unwrap().starts_with("deploy."))
        .map(|node| node["job_contract"]["timeout_s"].clone())
        .collect();
    assert_eq!(deploys, [json!(300), json!(300)]);
    let refused = server
        .weir("developer", &["promote", &release, "staging", "--dry-run", "--set", "deploy.attempts=9"])
        .await;
    assert!(refused.code == 1 && refused.err.contains("`deploy.attempts` may not be changed"), "{refused:?}");
    assert!(server.shop.api.cloud.told().operations.is_empty());
}
