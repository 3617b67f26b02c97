//! A server that jobs call: it remembers by which path and under which key

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, Uri},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

type Calls = Arc<Mutex<BTreeMap<String, Vec<String>>>>;

/// The server
pub struct Server {
    pub url: String,
    calls: Calls,
}

impl Server {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let calls = Calls::default();
        let router = Router::new().fallback(answer).with_state(calls.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, calls }
    }

    /// The idempotency keys of the calls that came, by path
    pub fn calls(&self) -> BTreeMap<String, Vec<String>> {
        self.calls.lock().unwrap().clone()
    }
}

async fn answer(State(calls): State<Calls>, uri: Uri, headers: HeaderMap) -> &'static str {
    let key = headers.get("idempotency-key").unwrap().to_str().unwrap().to_owned();
    calls.lock().unwrap().entry(uri.path().to_owned()).or_default().push(key);
    "done"
}
