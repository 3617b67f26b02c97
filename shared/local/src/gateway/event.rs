//! A request as the event that API Gateway hands to a function (HTTP API, payload version 2.0)

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::route::decode;

/// Where and when a request came in
pub(super) struct Origin<'a> {
    /// The host that was asked
    pub(super) domain: &'a str,
    /// Who asked
    pub(super) source_ip: String,
    /// The gateway's own id of the request
    pub(super) request_id: String,
    /// Since the epoch
    pub(super) time: Duration,
}

/// The time since the epoch
#[expect(clippy::disallowed_methods, reason = "API Gateway stamps each request with the time of its clock")]
pub(super) fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// The event for a request that matched the route `key`
pub(super) fn of(
    parts: &Parts,
    body: &[u8],
    key: &str,
    parameters: BTreeMap<String, String>,
    origin: &Origin<'_>,
) -> Value {
    let headers = headers(&parts.headers);
    let user_agent = headers.get("user-agent").cloned().unwrap_or_default();
    let query = parts.uri.query().unwrap_or_default();
    let mut event = json!({
        "version": "2.0",
        "routeKey": key,
        "rawPath": parts.uri.path(),
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": origin.domain,
            "domainPrefix": "local",
            "http": {
                "method": parts.method.as_str(),
                "path": parts.uri.path(),
                "protocol": format!("{:?}", parts.version),
                "sourceIp": origin.source_ip,
                "userAgent": user_agent,
            },
            "requestId": origin.request_id,
            "routeKey": key,
            "stage": "$default",
            "time": "",
            "timeEpoch": u64::try_from(origin.time.as_millis()).unwrap_or_default(),
        },
        "isBase64Encoded": false,
    });
    let mut set = |name: &str, value: Value| {
        drop(event.as_object_mut().and_then(|event| event.insert(name.to_owned(), value)))
    };
    let cookies = cookies(&parts.headers);
    if !cookies.is_empty() {
        set("cookies", json!(cookies));
    }
    if !query.is_empty() {
        set("queryStringParameters", json!(query_parameters(query)));
    }
    if !parameters.is_empty() {
        set("pathParameters", json!(parameters));
    }
    if !body.is_empty() {
        let text = std::str::from_utf8(body).ok().filter(|_| is_text(&parts.headers));
        set("isBase64Encoded", json!(text.is_none()));
        set("body", json!(text.map_or_else(|| STANDARD.encode(body), str::to_owned)));
    }
    event
}

/// Names in lower case, several values of one name joined by a comma, cookies apart
fn headers(all: &HeaderMap) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::<String, String>::new();
    for (name, value) in all.iter().filter(|(name, _)| *name != header::COOKIE) {
        let value = String::from_utf8_lossy(value.as_bytes());
        let joined = headers.entry(name.as_str().to_owned()).or_default();
        if !joined.is_empty() {
            joined.push(',');
        }
        joined.push_str(&value);
    }
    headers
}

fn cookies(all: &HeaderMap) -> Vec<String> {
    let values = all.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(';')).map(|cookie| cookie.trim().to_owned()).collect()
}

fn query_parameters(query: &str) -> BTreeMap<String, String> {
    let mut parameters = BTreeMap::<String, String>::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let plain = |text: &str| decode(&text.replace('+', " "));
        let joined = parameters.entry(plain(name));
        joined
            .and_modify(|joined| *joined = format!("{joined},{}", plain(value)))
            .or_insert_with(|| plain(value));
    }
    parameters
}

/// Which bodies API Gateway hands on as text; a form, as Slack sends it, is not among them
fn is_text(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return true;
    };
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind.starts_with("text/")
        || kind.ends_with("+json")
        || kind.ends_with("+xml")
        || matches!(kind.as_str(), "application/json" | "application/xml" | "application/javascript")
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn event(request: axum::http::request::Builder, body: &[u8], parameters: &[(&str, &str)]) -> Value {
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let parameters =
            parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let origin = Origin {
            domain: "127.0.0.1:8080",
            source_ip: "127.0.0.1".into(),
            request_id: "local-1".into(),
            time: Duration::from_millis(1_700_000_000_123),
        };
        of(&parts, body, "POST /v1/plans/{id}/operations", parameters, &origin)
    }

    #[test]
    fn a_request_becomes_the_event_of_an_http_api() {
        let request = Request::post("/v1/plans/a%20b/operations?tag=x&tag=y+z&dry")
            .header("Content-Type", "application/json; charset=utf-8")
            .header("X-Twice", "1")
            .header("X-Twice", "2")
            .header("Cookie", "a=1; b=2")
            .header("User-Agent", "weir/1");
        let expected = json!({
            "version": "2.0",
            "routeKey": "POST /v1/plans/{id}/operations",
            "rawPath": "/v1/plans/a%20b/operations",
            "rawQueryString": "tag=x&tag=y+z&dry",
            "cookies": ["a=1", "b=2"],
            "headers": { "content-type": "application/json; charset=utf-8", "user-agent": "weir/1", "x-twice": "1,2" },
            "queryStringParameters": { "tag": "x,y z", "dry": "" },
            "pathParameters": { "id": "a b" },
            "requestContext": {
                "accountId": "000000000000",
                "apiId": "local",
                "domainName": "127.0.0.1:8080",
                "domainPrefix": "local",
                "http": {
                    "method": "POST", "path": "/v1/plans/a%20b/operations", "protocol": "HTTP/1.1",
                    "sourceIp": "127.0.0.1", "userAgent": "weir/1",
                },
                "requestId": "local-1",
                "routeKey": "POST /v1/plans/{id}/operations",
                "stage": "$default",
                "time": "",
                "timeEpoch": 1_700_000_000_123u64,
            },
            "body": "{\"a\":1}",
            "isBase64Encoded": false,
        });
        assert_eq!(event(request, b"{\"a\":1}", &[("id", "a b")]), expected);
    }

    #[test]
    fn what_is_not_text_is_encoded() {
        for (kind, body, text) in [
            (Some("application/json"), &b"{}"[..], Some("{}")),
            (Some("application/vnd.weir+json"), b"{}", Some("{}")),
            (None, b"plain", Some("plain")),
            (Some("text/plain"), b"\xff", None),
            (Some("application/x-www-form-urlencoded"), b"payload=x", None),
            (Some("application/octet-stream"), b"abc", None),
        ] {
            let request = kind
                .into_iter()
                .fold(Request::post("/x"), |request, kind| request.header("content-type", kind));
            let event = event(request, body, &[]);
            let expected = text.map_or_else(|| STANDARD.encode(body), str::to_owned);
            assert_eq!(
                (&event["body"], &event["isBase64Encoded"]),
                (&json!(expected), &json!(text.is_none())),
                "{kind:?}"
            );
            assert!(event.get("pathParameters").is_none() && event.get("cookies").is_none());
        }
    }

    #[test]
    fn without_a_body_there_is_none() {
        assert!(event(Request::get("/x"), b"", &[]).get("body").is_none());
    }
}
