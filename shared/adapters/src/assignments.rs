//! A directory of assignments, as its provider answers over HTTP
//!
//! ```text
//! GET {base}/assignments?limit=200[&cursor=…] → 200 {"assignments": [{"id": …, …}, …], "next_cursor": "…" | null}
//! GET {base}/assignments/{id}                 → 200 {"id": …, …} | 404
//! PUT {base}/assignments/{id} {"id": …, …}    → 200 | 201 | 204
//! ```

use crate::{
    Failed,
    http_call::{shown, unexpected},
    net::{self, Net},
};
use reqwest::{Method, Response, Url};
use serde::Deserialize;
use serde_json::Value;
use std::{sync::Arc, time::Duration};

/// How long one request may take
const TIMEOUT: Duration = Duration::from_secs(30);

/// A directory, and how it is reached
pub struct Directory {
    net: Arc<Net>,
    base: Url,
    token: Option<String>,
    now_s: i64,
}

/// One page of a directory
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Page {
    /// What is on it
    pub assignments: Vec<Value>,
    /// Where the next one begins; none where this is the last
    #[serde(default)]
    pub next_cursor: Option<String>,
}

impl Directory {
    /// The directory at `base`, shown `token` with every request
    pub fn new(net: Arc<Net>, base: &str, token: Option<String>, now_s: i64) -> Result<Self, Failed> {
        let base = net::address(None, base)?;
        if base.cannot_be_a_base() {
            return Err(Failed::terminal("bad_inputs", "the provider's `base_url` is no address of HTTP"));
        }
        Ok(Self { net, base, token, now_s })
    }

    /// One page, of at most `limit`, from `cursor` on
    pub async fn page(&self, cursor: Option<&str>, limit: u32) -> Result<Page, Failed> {
        let mut url = self.path(None);
        url.query_pairs_mut().append_pair("limit", &limit.to_string());
        if let Some(cursor) = cursor {
            url.query_pairs_mut().append_pair("cursor", cursor);
        }
        let answer = self.ask(Method::GET, &url, None).await?;
        self.read(&url, answer).await
    }

    /// One assignment as it is now
    pub async fn get(&self, id: &str) -> Result<Option<Value>, Failed> {
        let url = self.path(Some(id));
        let answer = self.ask(Method::GET, &url, None).await?;
        if answer.status() == reqwest::StatusCode::NOT_FOUND {
            return Ok(None);
        }
        self.read(&url, answer).await.map(Some)
    }

    /// Makes one assignment what it should be; `key` is the same for every repetition
    pub async fn put(&self, id: &str, assignment: &Value, key: &str) -> Result<(), Failed> {
        let url = self.path(Some(id));
        let answer = self.ask(Method::PUT, &url, Some((assignment, key))).await?;
        if answer.status().is_success() { Ok(()) } else { Err(self.refused("PUT", &url, &answer)) }
    }

    fn path(&self, id: Option<&str>) -> Url {
        let mut url = self.base.clone();
        // One that cannot be a base was refused.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("assignments").extend(id);
        }
        url
    }

    async fn ask(&self, method: Method, url: &Url, put: Option<(&Value, &str)>) -> Result<Response, Failed> {
        let mut request = self.net.request(method.clone(), url)?.timeout(TIMEOUT);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some((body, key)) = put {
            request = request.header("idempotency-key", key).json(body);
        }
        request.send().await.map_err(|error| {
            let failed = net::no_answer(&error, TIMEOUT);
            Failed { message: format!("{method} {}: {}", shown(url), failed.message), ..failed }
        })
    }

    async fn read<T: for<'de> Deserialize<'de>>(&self, url: &Url, answer: Response) -> Result<T, Failed> {
        if !answer.status().is_success() {
            return Err(self.refused("GET", url, &answer));
        }
        let (body, whole) = net::body(answer).await?;
        let bad = |why: &str| Failed::terminal("bad_answer", format!("GET {}: {why}", shown(url)));
        if !whole {
            return Err(bad("more than a page may have"));
        }
        serde_json::from_slice(&body).map_err(|_| bad("not what a directory answers"))
    }

    fn refused(&self, method: &str, url: &Url, answer: &Response) -> Failed {
        unexpected(&format!("{method} {}", shown(url)), answer.status(), answer.headers(), self.now_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        net::Reach,
        tests::{Answer, Seen, server_raw},
    };
    use serde_json::json;

    async fn directory(seen: &Seen, status: u16, body: Value) -> Directory {
        let answer = Answer { status, headers: vec![("retry-after", "7")], body: body.to_string() };
        let url = server_raw(seen.clone(), move |_| answer.clone()).await;
        let net = Arc::new(Net::new(Reach::Anywhere));
        Directory::new(net, &format!("{url}/v2/"), Some("t0ken".to_owned()), 0).unwrap()
    }

    #[tokio::test]
    async fn a_directory_is_read_page_by_page_and_written_one_by_one() {
        let seen = Seen::default();
        let page = json!({ "assignments": [{ "id": "a" }], "next_cursor": "n&1" });
        let directory = directory(&seen, 200, page.clone()).await;
        let read = directory.page(Some("c=1"), 2).await.unwrap();
        assert_eq!((read.assignments.len(), read.next_cursor.as_deref()), (1, Some("n&1")));
        assert_eq!(directory.get("a:1").await.unwrap(), Some(page));
        directory.put("x/..", &json!({ "id": "x" }), "op/x").await.unwrap();
        let asked: Vec<_> = seen.all().into_iter().map(|request| request.path).collect();
        assert_eq!(
            asked,
            ["/v2/assignments?limit=2&cursor=c%3D1", "/v2/assignments/a:1", "/v2/assignments/x%2F.."]
        );
        let put = seen.all().pop().unwrap();
        assert_eq!((put.header("authorization"), put.header("idempotency-key")), ("Bearer t0ken", "op/x"));
        assert_eq!(put.body, br#"{"id":"x"}"#);
    }

    #[tokio::test]
    async fn what_a_directory_refuses_says_whether_to_ask_again() {
        for (status, code, retryable) in [
            (429, "not_now", true),
            (500, "not_now", true),
            (403, "unexpected_status", false),
            (200, "bad_answer", false),
        ] {
            let directory = directory(&Seen::default(), status, json!({ "error": 1 })).await;
            let failed = directory.page(None, 10).await.unwrap_err();
            assert_eq!((failed.code, failed.retryable), (code, retryable), "{status}");
            let wait = (status == 429).then(|| Duration::from_secs(7));
            assert!(wait.is_none() || failed.retry_after == wait);
        }
        assert_eq!(directory(&Seen::default(), 404, json!({})).await.get("a").await.unwrap(), None);
        assert!(directory(&Seen::default(), 409, json!({})).await.put("a", &json!({}), "k").await.is_err());
    }
}
