//! `http.call`: one signed request, and what its answer means
//!
//! Where `answers` is `later`, the request says where to call back (`weir-callback`, until `weir-callback-expires`), and an
//! answer of 202 means that somebody will. Any other answer ends the job as it would without.
//!
//! Every request carries the attempt's id as `Idempotency-Key` and the node's as `weir-task`, which all attempts share.

use crate::{
    Adapter, Call, Done, Failed, Secrets, inputs, line,
    net::{self, Net},
    outputs::{self, Wanted},
    sign::{SIGNATURE, Signed, TIMESTAMP},
};
use async_trait::async_trait;
use reqwest::{Method, Response, StatusCode, Url, header::HeaderMap};
use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// The longest that a `Retry-After` holds the next attempt back
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 3600);

/// How much of an answer that was not expected is logged, in characters
const EXCERPT: usize = 500;

/// Headers that are Weir's, or the connection's
const OWN_HEADERS: [&str; 6] =
    ["idempotency-key", "host", "content-length", "content-type", "transfer-encoding", "connection"];

/// Calls over HTTP
#[derive(Debug)]
pub struct HttpCall {
    net: Arc<Net>,
    secrets: Arc<Secrets>,
}

/// What to send, and what to expect
#[derive(Debug, Deserialize)]
struct Ask {
    #[serde(default = "post")]
    method: String,
    /// A URL, or a path at the target
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Sent as JSON, with the secrets that its texts name
    #[serde(default)]
    body: Option<Value>,
    /// Any status of success where it says nothing
    #[serde(default)]
    expect_status: Option<Expected>,
    /// `${NAME}` of the secret that the request is signed with
    #[serde(default)]
    sign_with: Option<String>,
    #[serde(default)]
    answers: Answers,
    #[serde(default)]
    outputs: Wanted,
    #[serde(default = "thirty")]
    timeout_s: u64,
}

/// When it is known how the job ended
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answers {
    /// With the answer
    #[default]
    Now,
    /// Whoever is called says so later
    Later,
}

/// One status, or any of several
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Expected {
    One(u16),
    Any(Vec<u16>),
}

impl Expected {
    fn has(&self, status: u16) -> bool {
        match self {
            Self::One(expected) => *expected == status,
            Self::Any(expected) => expected.contains(&status),
        }
    }
}

fn post() -> String {
    "POST".to_owned()
}
const fn thirty() -> u64 {
    30
}

impl HttpCall {
    /// An adapter that calls over `net` and signs with `secrets`
    pub const fn new(net: Arc<Net>, secrets: Arc<Secrets>) -> Self {
        Self { net, secrets }
    }

    async fn send(&self, call: &Call, ask: &Ask, method: Method, url: &Url) -> Result<Response, Failed> {
        let body = match &ask.body {
            Some(body) => self.secrets.fill_value(call, body)?.to_string(),
            None => String::new(),
        };
        let timeout = Duration::from_secs(ask.timeout_s.max(1)).min(call.time_limit);
        let mut request = self.net.request(method.clone(), url)?.timeout(timeout);
        for (name, value) in &ask.headers {
            if OWN_HEADERS.contains(&name.to_ascii_lowercase().as_str())
                || name.to_ascii_lowercase().starts_with("weir-")
            {
                return Err(Failed::terminal(
                    "bad_inputs",
                    format!("the header `{name}` is not the job's to say"),
                ));
            }
            request = request.header(name, self.secrets.fill(call, value)?);
        }
        let task = call.attempt_id.rsplit_once('/').map_or(call.attempt_id.as_str(), |(task, _)| task);
        request = request.header("idempotency-key", &call.attempt_id).header("weir-task", task);
        if let Some(callback) = call.callback.as_ref().filter(|_| ask.answers == Answers::Later) {
            request = request.header("weir-callback", &callback.url);
            request = request.header("weir-callback-expires", callback.expires_s);
        }
        if let Some(secret) = &ask.sign_with {
            let secret = self.secrets.fill(call, secret)?;
            let path = path_and_query(url);
            let signed =
                Signed { timestamp: call.now_s, method: method.as_str(), path: &path, body: body.as_bytes() };
            request = request.header(TIMESTAMP, call.now_s).header(SIGNATURE, signed.signature(&secret));
        }
        if ask.body.is_some() {
            request = request.header("content-type", "application/json").body(body);
        }
        request.send().await.map_err(|error| net::no_answer(&error, timeout))
    }
}

#[async_trait]
impl Adapter for HttpCall {
    fn capability(&self) -> &'static str {
        "http.call"
    }

    async fn run(&self, call: &Call) -> Result<Done, Failed> {
        let ask: Ask = inputs(call)?;
        outputs::check(&ask.outputs)?;
        let method: Method = ask
            .method
            .parse()
            .map_err(|_| Failed::terminal("bad_inputs", format!("`{}` is no method of HTTP", ask.method)))?;
        let url = net::address(call.base_url.as_deref(), &ask.url)?;
        let what = format!("{method} {}", shown(&url));
        let mut log = String::new();
        let answer = self.send(call, &ask, method, &url).await;
        let answer =
            answer.map_err(|failed| Failed { message: format!("{what}: {}", failed.message), ..failed })?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        line(&mut log, format!("{what}: {status}"));
        if ask.answers == Answers::Later && status == StatusCode::ACCEPTED {
            return Ok(Done { log, waits: true, ..Done::default() });
        }
        let (body, whole) = net::body(answer).await.map_err(|failed| failed.after(&log))?;
        if !ask.expect_status.as_ref().map_or(status.is_success(), |expected| expected.has(status.as_u16())) {
            line(&mut log, excerpt(&body));
            return Err(unexpected(&what, status, &headers, call.now_s).after(&log));
        }
        if !whole && !ask.outputs.is_empty() {
            let message = format!("{what}: the answer has more than {} bytes", net::BODY_MAX);
            return Err(Failed::terminal("output_too_large", message).after(&log));
        }
        let outputs = outputs::pick(&ask.outputs, &body).map_err(|failed| failed.after(&log))?;
        Ok(Done { log, outputs, waits: false })
    }
}

/// A URL without what may be secret in it
pub fn shown(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

/// As it stands in the request line
fn path_and_query(url: &Url) -> String {
    url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
}

fn excerpt(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().take(EXCERPT).collect()
}

/// Busy and broken servers may answer better later; a request that was refused will be refused again
pub fn unexpected(what: &str, status: StatusCode, headers: &HeaderMap, now_s: i64) -> Failed {
    let message = format!("{what}: {status}");
    let later = status.is_server_error() || [408, 425, 429].contains(&status.as_u16());
    if later {
        let retry_after = headers.get("retry-after").and_then(|value| value.to_str().ok());
        let retry_after = retry_after.and_then(|value| wait(value, now_s));
        Failed { retry_after, ..Failed::retryable("not_now", message) }
    } else {
        Failed::terminal("unexpected_status", message)
    }
}

/// How long `Retry-After` asks to wait: seconds, or a date
fn wait(value: &str, now_s: i64) -> Option<Duration> {
    let seconds = match value.trim().parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_) => {
            let at = jiff::fmt::rfc2822::parse(value.trim()).ok()?.timestamp().as_second();
            u64::try_from(at.saturating_sub(now_s)).unwrap_or(0)
        }
    };
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Callback;
    use crate::net::Reach;
    use crate::tests::{Seen, call, secrets, server};
    use axum::{Json, http::StatusCode};
    use serde_json::json;

    fn adapter() -> HttpCall {
        HttpCall::new(Arc::new(Net::new(Reach::Anywhere)), Arc::new(secrets()))
    }

    async fn run(inputs: Value) -> Result<Done, Failed> {
        adapter().run(&Call { inputs: inputs.as_object().unwrap().clone(), ..call() }).await
    }

    #[tokio::test]
    async fn a_request_is_signed_and_its_receiver_can_tell_attempts_and_nodes_apart() {
        let seen = Seen::default();
        let url = server(seen.clone(), |_| (StatusCode::CREATED, Json(json!({ "job": { "id": 7 } })))).await;
        let done = run(json!({
            "url": format!("{url}/jobs?kind=a"), "body": { "n": 1 }, "sign_with": "${HOOK}",
            "headers": { "authorization": "Bearer ${TOKEN}" }, "outputs": { "job_id": "/job/id" },
        }))
        .await
        .unwrap();
        assert_eq!(Value::from(done.outputs), json!({ "job_id": 7 }));
        let request = seen.only();
        let signed = Signed {
            timestamp: request.header("weir-timestamp").parse().unwrap(),
            method: "POST",
            path: "/jobs?kind=a",
            body: br#"{"n":1}"#,
        };
        assert_eq!(signed.timestamp, call().now_s);
        assert_eq!(request.body, signed.body);
        assert!(signed.is_signed_by("hook-key", request.header("weir-signature")));
        assert_eq!(request.header("idempotency-key"), "op_1/3/2");
        assert_eq!(request.header("weir-task"), "op_1/3");
        assert_eq!(request.header("authorization"), "Bearer t0ken");
    }

    #[tokio::test]
    async fn an_answer_says_whether_another_attempt_may_help() {
        for (status, code, retryable) in [
            (500, "not_now", true),
            (503, "not_now", true),
            (429, "not_now", true),
            (408, "not_now", true),
            (400, "unexpected_status", false),
            (404, "unexpected_status", false),
            (302, "unexpected_status", false),
            (101, "unexpected_status", false),
        ] {
            if status < 200 {
                continue;
            }
            let url =
                server(Seen::default(), move |_| (StatusCode::from_u16(status).unwrap(), Json(json!({}))))
                    .await;
            let failed = run(json!({ "url": url })).await.unwrap_err();
            assert_eq!((failed.code, failed.retryable), (code, retryable), "{status}");
            assert!(failed.message.contains(&status.to_string()), "{}", failed.message);
        }
        let url = server(Seen::default(), |_| (StatusCode::OK, Json(json!({})))).await;
        assert!(run(json!({ "url": url, "expect_status": [200, 201] })).await.is_ok());
        assert_eq!(
            run(json!({ "url": url, "expect_status": 204 })).await.unwrap_err().code,
            "unexpected_status"
        );
        assert!(run(json!({ "url": "http://127.0.0.1:1/" })).await.unwrap_err().retryable, "nobody listens");
    }

    #[tokio::test]
    async fn who_answers_later_is_told_where_and_says_so_with_202() {
        let callback = Callback { url: "http://weir/v1/callbacks/wcb_s3cr3t".to_owned(), expires_s: 9 };
        for (status, answers, waits) in [(202, "later", true), (200, "later", false), (202, "now", false)] {
            let seen = Seen::default();
            let status = StatusCode::from_u16(status).unwrap();
            let url = server(seen.clone(), move |_| (status, Json(json!({})))).await;
            let inputs = json!({ "url": url, "answers": answers }).as_object().unwrap().clone();
            let call = Call { inputs, callback: Some(callback.clone()), ..call() };
            let done = adapter().run(&call).await.unwrap();
            assert_eq!(done.waits, waits, "{status} {answers}");
            let told = seen.only().headers.get("weir-callback").cloned();
            assert_eq!(told, (answers == "later").then(|| callback.url.clone()));
            assert!(!done.log.contains("s3cr3t") && !format!("{call:?}").contains("s3cr3t"));
        }
    }

    #[test]
    fn how_long_to_wait_is_said_in_seconds_or_by_a_date() {
        let seconds = |value| wait(value, 784_111_777).map(|wait| wait.as_secs());
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:50:37 GMT"), Some(60));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0));
        assert_eq!(seconds("99999999"), Some(24 * 3600));
        assert_eq!(seconds("soon"), None);
    }

    #[tokio::test]
    async fn what_the_contract_says_wrongly_is_said_before_anything_is_sent() {
        let seen = Seen::default();
        let url = server(seen.clone(), |_| (StatusCode::OK, Json(json!({})))).await;
        for (inputs, code) in [
            (json!({}), "bad_inputs"),
            (json!({ "url": url, "method": "NO WAY" }), "bad_inputs"),
            (json!({ "url": url, "headers": { "Idempotency-Key": "x" } }), "bad_inputs"),
            (json!({ "url": url, "headers": { "weir-signature": "x" } }), "bad_inputs"),
            (json!({ "url": url, "outputs": { "a": "no pointer" } }), "bad_inputs"),
            (json!({ "url": url, "sign_with": "${OTHER}" }), "secret_not_allowed"),
            (json!({ "url": "gopher://x/" }), "bad_inputs"),
        ] {
            let failed = run(inputs.clone()).await.unwrap_err();
            assert_eq!((failed.code, failed.retryable), (code, false), "{inputs}");
        }
        assert!(seen.all().is_empty());
    }

    #[tokio::test]
    async fn a_failure_tells_no_query_and_no_login() {
        let failed = run(json!({ "url": "http://ann:pw@127.0.0.1:1/a?key=s3cr3t" })).await.unwrap_err();
        assert!(failed.message.starts_with("POST http://127.0.0.1:1/a: "), "{}", failed.message);
        assert!(!format!("{failed:?}").contains("s3cr3t"), "{failed:?}");
    }
}
