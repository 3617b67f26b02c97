//! A function's answer as a response

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status_code: u16,
    #[serde(default)]
    headers: Option<Map<String, Value>>,
    #[serde(default)]
    cookies: Option<Vec<String>>,
    #[serde(default)]
    body: Option<Value>,
    #[serde(default)]
    is_base64_encoded: bool,
}

/// The response that `bytes` describe, or nothing if they describe none
///
/// A JSON answer without `statusCode` is the body of a 200, as API Gateway infers.
pub(super) fn of(bytes: &[u8]) -> Option<Response<Body>> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    if value.get("statusCode").is_none() {
        let response = Response::builder().header(header::CONTENT_TYPE, "application/json");
        return response.body(Body::from(bytes.to_vec())).ok();
    }
    let answer: Answer = serde_json::from_value(value).ok()?;
    let body = body(&answer)?;
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(answer.status_code).ok()?;
    for (name, value) in answer.headers.into_iter().flatten() {
        // A body is sent as it is: a length that the function gave could only disagree.
        if !name.eq_ignore_ascii_case("content-length") {
            response.headers_mut().append(HeaderName::try_from(name).ok()?, header_value(&value)?);
        }
    }
    for cookie in answer.cookies.into_iter().flatten() {
        response.headers_mut().append(header::SET_COOKIE, HeaderValue::try_from(cookie).ok()?);
    }
    let kind = HeaderValue::from_static("text/plain;charset=UTF-8");
    response.headers_mut().entry(header::CONTENT_TYPE).or_insert(kind);
    Some(response)
}

fn body(answer: &Answer) -> Option<Vec<u8>> {
    match &answer.body {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::String(text)) if answer.is_base64_encoded => STANDARD.decode(text).ok(),
        Some(Value::String(text)) => Some(text.clone().into_bytes()),
        Some(other) => Some(other.to_string().into_bytes()),
    }
}

fn header_value(value: &Value) -> Option<HeaderValue> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    HeaderValue::try_from(text).ok()
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use serde_json::json;

    use super::*;

    async fn shown(answer: &[u8]) -> Option<String> {
        let response = of(answer)?;
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 1024).await.unwrap();
        let headers: Vec<_> =
            parts.headers.iter().map(|(name, value)| format!("{name}={}", value.to_str().unwrap())).collect();
        Some(format!("{} {} {}", parts.status.as_u16(), headers.join(" "), String::from_utf8_lossy(&body)))
    }

    #[tokio::test]
    async fn answers_become_responses() {
        for (answer, expected) in [
            (
                json!({ "statusCode": 201, "headers": { "Content-Type": "application/json", "X-N": 3 }, "body": "{}" }),
                Some("201 content-type=application/json x-n=3 {}"),
            ),
            (
                json!({ "statusCode": 200, "body": "aGk=", "isBase64Encoded": true, "cookies": ["a=1", "b=2"] }),
                Some("200 set-cookie=a=1 set-cookie=b=2 content-type=text/plain;charset=UTF-8 hi"),
            ),
            (json!({ "statusCode": 204 }), Some("204 content-type=text/plain;charset=UTF-8 ")),
            (json!({ "ok": true }), Some("200 content-type=application/json {\"ok\":true}")),
            (json!({ "statusCode": "many" }), None),
            (json!({ "statusCode": 9999 }), None),
            (json!({ "statusCode": 200, "headers": { "bad name": "x" } }), None),
        ] {
            assert_eq!(shown(answer.to_string().as_bytes()).await.as_deref(), expected, "{answer}");
        }
        assert_eq!(shown(b"not json").await, None);
    }
}
