//! What lies outside: services that jobs call, a directory, Slack. It counts what reaches it

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    routing::{any, get, post},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};
use tokio::net::TcpListener;

/// What reached it
#[derive(Debug, Default)]
pub struct Seen {
    /// Calls by their idempotency key: an attempt's id
    pub calls: BTreeMap<String, u32>,
    /// Where those who are awaited call back, in the order in which they were asked
    pub callbacks: Vec<String>,
    /// What the directory has
    pub has: BTreeMap<String, Value>,
    /// What Slack was told, each thing once
    pub told: BTreeMap<String, u32>,
}

type Shared = Arc<Mutex<Seen>>;

/// A server for all of it
pub struct Outside {
    seen: Shared,
    base: String,
}

impl Outside {
    pub async fn open() -> Self {
        let seen = Shared::default();
        let router = Router::new()
            .route("/work", post(work))
            .route("/later", post(later))
            .route("/slack", post(slack))
            .route("/directory/assignments", get(page))
            .route("/directory/assignments/{id}", get(one).put(put))
            .fallback(any(async || StatusCode::OK))
            .with_state(seen.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { seen, base }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }
}

fn count(seen: &mut Seen, headers: &HeaderMap) {
    let key = headers["idempotency-key"].to_str().unwrap().to_owned();
    *seen.calls.entry(key).or_default() += 1;
}

async fn work(State(seen): State<Shared>, headers: HeaderMap) -> Json<Value> {
    count(&mut seen.lock().unwrap(), &headers);
    Json(json!({ "id": "w-1" }))
}

async fn later(State(seen): State<Shared>, headers: HeaderMap) -> StatusCode {
    let mut seen = seen.lock().unwrap();
    count(&mut seen, &headers);
    let url = headers["weir-callback"].to_str().unwrap();
    seen.callbacks.push(url.strip_prefix("http://weir.test").unwrap().to_owned());
    StatusCode::ACCEPTED
}

async fn slack(State(seen): State<Shared>, body: String) -> StatusCode {
    *seen.lock().unwrap().told.entry(body).or_default() += 1;
    StatusCode::OK
}

async fn page(State(seen): State<Shared>, Query(query): Query<BTreeMap<String, String>>) -> Json<Value> {
    let (limit, after): (usize, _) = (query["limit"].parse().unwrap(), query.get("cursor").cloned());
    let seen = seen.lock().unwrap();
    let rest = seen.has.iter().filter(|(id, _)| after.as_ref().is_none_or(|after| *id > after));
    let found: Vec<_> = rest.collect();
    let on_page: Vec<_> = found.iter().take(limit).map(|(_, it)| *it).collect();
    let next = (found.len() > limit).then(|| on_page.last().unwrap()["id"].clone());
    Json(json!({ "assignments": on_page, "next_cursor": next }))
}

async fn one(State(seen): State<Shared>, Path(id): Path<String>) -> (StatusCode, Json<Value>) {
    match seen.lock().unwrap().has.get(&id) {
        Some(found) => (StatusCode::OK, Json(found.clone())),
        None => (StatusCode::NOT_FOUND, Json(json!({}))),
    }
}

async fn put(State(seen): State<Shared>, Path(id): Path<String>, Json(body): Json<Value>) -> StatusCode {
    seen.lock().unwrap().has.insert(id, body);
    StatusCode::NO_CONTENT
}
