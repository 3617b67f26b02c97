//! One request of a test, and its answer

use super::{SLACK_SECRET, TestApi};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::collections::BTreeMap;
use weir_domain::id::{Id as _, RequestId};
use weir_edge::{authn::slack, router, router::HttpRequest};
use weir_orchestration::Clock as _;

/// A request that is being put together; it may be sent again
#[derive(Clone)]
#[must_use]
pub struct Request<'a> {
    api: &'a TestApi,
    http: HttpRequest,
}

/// What was answered
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The status
    pub status: u16,
    /// Headers by their names in lower case
    pub headers: BTreeMap<String, String>,
    /// The body
    pub body: Value,
}

impl<'a> Request<'a> {
    pub(super) fn new(api: &'a TestApi, method: &str, path: &str) -> Self {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let (method, path, query) = (method.to_owned(), path.to_owned(), query.to_owned());
        Self { api, http: HttpRequest { method, path, query, ..HttpRequest::default() } }
    }

    /// As the person `name` (see `people.rs`)
    pub fn by(self, name: &str) -> Self {
        self.bearer(&format!("{name}-token"))
    }

    /// With this token
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// With this idempotency key in place of a new one
    pub fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    /// With a header
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.http.headers.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Without a header
    pub fn without(mut self, name: &str) -> Self {
        self.http.headers.remove(name);
        self
    }

    /// With a JSON body
    #[expect(clippy::expect_used, reason = "a test's own body")]
    pub fn json(self, body: &impl Serialize) -> Self {
        let text = serde_json::to_vec(body).expect("a test's body is JSON");
        self.header("content-type", "application/json").raw(text)
    }

    /// With any bytes as the body
    pub fn raw(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.http.body = body.into();
        self
    }

    /// As Slack sends it: a form, signed now
    #[expect(clippy::expect_used, reason = "any secret gives a signature")]
    pub fn slack(self, form: &str) -> Self {
        let timestamp = (self.api.clock.now().0 / 1000).to_string();
        let signature = slack::sign(SLACK_SECRET, &timestamp, form.as_bytes()).expect("a signature");
        self.header("content-type", "application/x-www-form-urlencoded")
            .header("x-slack-request-timestamp", &timestamp)
            .header("x-slack-signature", &signature)
            .raw(form)
    }

    /// Sends it
    ///
    /// # Panics
    /// Where the function dies, which no test but one of deaths asks for.
    #[expect(clippy::expect_used, reason = "nothing dies unless a test says where")]
    pub async fn send(self) -> Reply {
        self.ask().await.expect("the function lives")
    }

    /// Sends it to a function that may die: then there is no answer
    pub async fn ask(self) -> Option<Reply> {
        let (api, http) = (self.api, self.http);
        let response = match router::find(api.entries, &http.method, &http.path) {
            Ok(entry) => api.life.run(entry.route.operation, router::dispatch(entry, &api.cx, http)).await?,
            Err(problem) => router::refuse(&problem, &http.path, RequestId::new(api.clock.now().0, 0)),
        };
        let body = serde_json::from_str(&response.body).unwrap_or(Value::String(response.body));
        Some(Reply { status: response.status, headers: response.headers, body })
    }
}

impl Reply {
    /// The body of an answer that has to have this status
    ///
    /// # Panics
    /// Where it has another, with what was answered.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{:#}", self.body);
        self.body
    }

    /// The same, read as `T`
    ///
    /// # Panics
    /// Where it has another status, or the body is none.
    #[track_caller]
    #[expect(clippy::expect_used, reason = "this is an assertion")]
    pub fn read<T: DeserializeOwned>(self, status: u16) -> T {
        serde_json::from_value(self.expect(status)).expect("the body is what it is said to be")
    }

    /// A refusal in one word, such as `409 conflict`; an answer as `201`
    pub fn short(&self) -> String {
        let kind = self.body.get("type").and_then(Value::as_str).filter(|kind| kind.contains("/problems/"));
        let slug = kind.and_then(|kind| kind.rsplit('/').next()).map(|slug| format!(" {slug}"));
        format!("{}{}", self.status, slug.unwrap_or_default())
    }
}
