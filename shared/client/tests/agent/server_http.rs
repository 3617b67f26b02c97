//! The server's endpoints

use crate::server::{AGENT, CREDENTIAL, Server, State, TARGET, TOKEN};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Request, State as Shared},
    http::{HeaderMap, StatusCode},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::sync::watch;
use weir_client::clock;
use weir_domain::id::TaskId;
use weir_edge::wire::{
    agent::{AgentRegister, Heartbeat},
    task::{Claim, Report},
};

/// A server on a free port of this machine, whose leases are `lease` long
pub async fn serve(lease: Duration) -> Server {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server {
        state: Arc::new(Mutex::new(State { lease, deadline_ms: 60_000, ..State::default() })),
        changed: Arc::new(watch::channel(()).0),
        url: format!("http://{}", listener.local_addr().unwrap()),
    };
    let router = Router::new()
        .route("/v1/agents", post(register))
        .route("/v1/agents/{id}/heartbeat", post(heartbeat))
        .route("/v1/agents/{id}/claims", post(claim))
        .route("/v1/tasks/{task}/reports", post(report))
        .layer(from_fn_with_state(server.clone(), gate))
        .route("/blobs/{name}", get(blob))
        .with_state(server.clone());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    server
}

fn problem(status: StatusCode, code: &str) -> Response {
    let body = json!({"type": "about:blank", "title": "No", "status": status.as_u16(), "code": code});
    (status, Json(body)).into_response()
}

fn header(request: &Request, name: &str) -> Option<String> {
    request.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
}

/// What every request meets first: outages, authentication, and answers given before
async fn gate(Shared(server): Shared<Server>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let bearer = header(&request, "authorization");
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let request = Request::from_parts(head, body.clone().into());
    let (is_down, known) = server.with(|state| {
        state.posts.push((path.clone(), body.to_vec()));
        let known = path == "/v1/agents" || bearer == Some(format!("Bearer {CREDENTIAL}"));
        (state.down.iter().any(|part| path.contains(part)), known && !state.disowned)
    });
    match (is_down, known) {
        (true, _) => problem(StatusCode::SERVICE_UNAVAILABLE, "W0901"),
        (false, false) => problem(StatusCode::UNAUTHORIZED, "W0401"),
        (false, true) => next.run(request).await,
    }
}

async fn register(
    Shared(server): Shared<Server>,
    headers: HeaderMap,
    Json(body): Json<AgentRegister>,
) -> Response {
    let key = headers["idempotency-key"].to_str().unwrap().to_owned();
    let asked = serde_json::to_value(&body).unwrap();
    server.with(|state| {
        if let Some((first, answer)) = state.answers.get(&key) {
            let same = *first == asked;
            return if same {
                Json(answer.clone()).into_response()
            } else {
                problem(StatusCode::CONFLICT, "W0409")
            };
        }
        if body.token.expose() != TOKEN || state.registrations > 0 {
            return problem(StatusCode::FORBIDDEN, "W0403");
        }
        assert_eq!(body.targets[0].target.as_str(), TARGET);
        state.registrations += 1;
        let agent = json!({
            "id": AGENT, "name": body.name, "version": body.version, "capabilities": body.capabilities,
            "targets": body.targets, "status": "online", "created_at": clock::now(),
        });
        let answer = json!({"agent": agent, "credential": CREDENTIAL});
        state.answers.insert(key, (asked, answer.clone()));
        Json(answer).into_response()
    })
}

async fn heartbeat(Shared(server): Shared<Server>, Json(body): Json<Heartbeat>) -> Json<Value> {
    server.with(|state| {
        state.expire();
        let lease = state.lease;
        let (mut cancel, mut leases) = (vec![], vec![]);
        for held in &body.tasks {
            let node = state.nodes.get_mut(&held.task).unwrap();
            let current = node.attempt == held.attempt && node.lease.is_some() && node.report.is_none();
            if node.cancel || !current {
                cancel.push(json!(held));
                continue;
            }
            node.lease = Some(Instant::now() + lease);
            leases.push(json!({
                "task": held.task, "attempt": held.attempt,
                "lease_until": clock::now(), "lease_remaining_ms": lease.as_millis() as u64,
            }));
        }
        state.heartbeats.push(body);
        Json(json!({"cancel": cancel, "leases": leases}))
    })
}

async fn claim(Shared(server): Shared<Server>, Json(_): Json<Claim>) -> Json<Value> {
    let held = server.with(|state| state.holds_claims);
    tokio::time::sleep(held).await;
    let tasks: Vec<_> = server.with(State::claim).into_iter().collect();
    Json(json!({"tasks": tasks, "waited_ms": held.as_millis() as u64}))
}

async fn report(
    Shared(server): Shared<Server>,
    Path(task): Path<TaskId>,
    Json(body): Json<Report>,
) -> Response {
    if server.with(|state| state.report(task, body)) {
        Json(json!({"accepted": true})).into_response()
    } else {
        problem(StatusCode::CONFLICT, "W0410")
    }
}

async fn blob(Shared(server): Shared<Server>, Path(name): Path<String>) -> Result<Bytes, StatusCode> {
    server.with(|state| {
        state.fetched.push(name.clone());
        state.blobs.get(&name).cloned().map(Bytes::from).ok_or(StatusCode::NOT_FOUND)
    })
}
