//! What the adapters' tests have in common: a server that remembers what it was asked

use crate::{Adapters, Call, Secrets};
use axum::{Json, Router, body::Bytes, extract::Request, http::StatusCode, response::Response};
use serde_json::{Map, Value};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::net::TcpListener;

/// An attempt without inputs
pub fn call() -> Call {
    Call {
        attempt_id: "op_1/3/2".to_owned(),
        inputs: Map::new(),
        secrets: vec!["HOOK".to_owned(), "TOKEN".to_owned()],
        base_url: None,
        time_limit: Duration::from_secs(60),
        now_s: 1_767_225_600,
        callback: None,
    }
}

/// What a deployment's jobs are told in confidence; one of it is none of [`call`]'s business
pub fn secrets() -> Secrets {
    Secrets::from_json(r#"{"HOOK": "hook-key", "TOKEN": "t0ken", "OTHER": "0ther"}"#).unwrap()
}

/// A request as the server got it
#[derive(Debug, Clone)]
pub struct Got {
    /// With its query
    pub path: String,
    /// In small letters
    pub headers: BTreeMap<String, String>,
    /// As it came
    pub body: Vec<u8>,
}

impl Got {
    /// A header that has to be there
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no header `{name}`"))
    }
}

/// All that a server was asked
#[derive(Debug, Clone, Default)]
pub struct Seen(Arc<Mutex<Vec<Got>>>);

impl Seen {
    /// All of it
    pub fn all(&self) -> Vec<Got> {
        self.0.lock().unwrap().clone()
    }

    /// The one request that there has to be
    #[track_caller]
    pub fn only(&self) -> Got {
        let all = self.all();
        assert_eq!(all.len(), 1);
        all[0].clone()
    }
}

/// What a server answers
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, &'static str)>,
    pub body: String,
}

/// A server on loopback that answers its `n`th request, from 0, with what `answer` says; its URL
pub async fn server_raw(
    seen: Seen,
    answer: impl Fn(usize) -> Answer + Clone + Send + Sync + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let handle = move |request: Request| {
        let (seen, answer) = (seen.clone(), answer.clone());
        async move {
            let (parts, body) = request.into_parts();
            let body: Bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            let headers = parts.headers.iter().map(|(k, v)| (k.to_string(), v.to_str().unwrap().to_owned()));
            let got = Got { path: parts.uri.to_string(), headers: headers.collect(), body: body.to_vec() };
            let number = {
                let mut all = seen.0.lock().unwrap();
                all.push(got);
                all.len() - 1
            };
            let answer = answer(number);
            let mut response = Response::builder().status(answer.status);
            for (name, value) in answer.headers {
                response = response.header(name, value);
            }
            response.body(axum::body::Body::from(answer.body)).unwrap()
        }
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handle)).await.unwrap() });
    url
}

/// The same, answering JSON
pub async fn server(
    seen: Seen,
    answer: impl Fn(usize) -> (StatusCode, Json<Value>) + Clone + Send + Sync + 'static,
) -> String {
    server_raw(seen, move |n| {
        let (status, Json(body)) = answer(n);
        Answer {
            status: status.as_u16(),
            headers: vec![("content-type", "application/json")],
            body: body.to_string(),
        }
    })
    .await
}

#[test]
fn each_capability_has_one_adapter() {
    let adapters = Adapters::default();
    let names: Vec<_> = adapters.capabilities().collect();
    assert_eq!(names, ["http.call", "lambda.invoke", "verify.http", "verify.metric", "verify.tcp"]);
    assert!(names.iter().all(|name| adapters.get(name).is_some_and(|a| a.capability() == *name)));
    assert!(adapters.get("deploy.moon").is_none());
}
