//! API Gateway on one side, [`router::dispatch`] on the other
//!
//! Events and answers are `lambda_http`'s, of version 2.0 of HTTP APIs. Its adapter is left out: it panics on what a
//! caller can send, a body that is no base 64 after all for one. The path is matched again here, so nothing depends
//! on how a gateway decodes path parameters.

use crate::{
    Cx, Entry, Kind, Problem,
    config::Config,
    log,
    router::{self, HttpRequest, HttpResponse},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use lambda_http::{
    Body, Error, LambdaEvent,
    aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse},
    http::{HeaderName, HeaderValue},
    lambda_runtime, service_fn,
};
use serde_json::Value;

/// The request that an event carries; a header that no HTTP knows makes it none
fn read(event: Value) -> Result<HttpRequest, Problem> {
    let event = serde_json::from_value::<ApiGatewayV2httpRequest>(event).map_err(|error| {
        Problem::new(Kind::InvalidRequest, "a header, or the method, is none that HTTP knows").because(error)
    })?;
    let text = event.body.unwrap_or_default();
    // What is no base 64 after all is taken as it is: the body's reader will refuse it.
    let body = if event.is_base64_encoded { STANDARD.decode(&text).ok() } else { None };
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    Ok(HttpRequest {
        method: event.request_context.http.method.to_string(),
        path: event.raw_path.unwrap_or_default(),
        query: event.raw_query_string.unwrap_or_default(),
        headers: event.headers.iter().map(header).collect(),
        body: body.unwrap_or_else(|| text.into_bytes()),
    })
}

impl From<HttpResponse> for ApiGatewayV2httpResponse {
    fn from(response: HttpResponse) -> Self {
        let mut answer = Self::default();
        answer.status_code = response.status.into();
        answer.headers = response
            .headers
            .into_iter()
            // Ours are all of ASCII; one that were not would be left out rather than lose the answer.
            .filter_map(|(name, value)| Some((name.parse::<HeaderName>().ok()?, value.parse().ok()?)))
            .collect();
        answer.body = Some(Body::Text(response.body));
        answer
    }
}

/// No entry of the list has the name that the function was given
#[derive(Debug, thiserror::Error)]
#[error("this artefact has no entry `{0}`")]
pub struct UnknownHandler(pub String);

/// Serves the one endpoint that `_HANDLER` names, until the environment is frozen for good
pub async fn serve(entries: &'static [Entry]) -> Result<(), Error> {
    let config = Config::from_env()?;
    log::init(&config.log);
    let entry = entries.iter().find(|entry| entry.route.operation == config.handler);
    let entry = entry.ok_or_else(|| UnknownHandler(config.handler.clone()))?;
    let cx = &Cx::on_aws(config);
    lambda_runtime::run(service_fn(async move |event: LambdaEvent<Value>| {
        Ok::<_, Error>(answer(entry, cx, event.payload).await)
    }))
    .await
}

async fn answer(entry: &Entry, cx: &Cx, event: Value) -> ApiGatewayV2httpResponse {
    let response = match read(event) {
        Ok(request) => router::dispatch(entry, cx, request).await,
        Err(problem) => router::turn_away(entry, cx, problem),
    };
    response.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeMap;

    fn event(headers: Value, body: &str, is_base64: bool) -> Value {
        json!({
            "version": "2.0", "rawPath": "/v1/a%20b", "rawQueryString": "x=1&x=<2>", "headers": headers,
            "requestContext": { "http": { "method": "POST", "path": "/v1/a b" }, "stage": "$default" },
            "body": body, "isBase64Encoded": is_base64,
        })
    }

    #[test]
    fn a_request_comes_as_it_was_sent() {
        let headers = json!({ "X-Twice": "1,2", "content-type": "application/json" });
        let request = read(event(headers, "eyJhIjoxfQ==", true)).unwrap();
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/v1/a%20b"));
        assert_eq!((request.query.as_str(), request.header("x-twice")), ("x=1&x=<2>", Some("1,2")));
        assert_eq!(request.body, b"{\"a\":1}");
        assert_eq!(read(event(json!({}), "not base 64", true)).unwrap().body, b"not base 64");
        assert_eq!(read(event(json!({}), "eyJhIjoxfQ==", false)).unwrap().body, b"eyJhIjoxfQ==");
    }

    #[test]
    fn a_header_that_is_none_is_refused_and_not_a_crash() {
        for headers in [json!({ "x-name": "a\u{1}b" }), json!({ "a b": "1" })] {
            let refused = read(event(headers.clone(), "", false)).map(|_| ()).unwrap_err();
            assert_eq!(refused.kind, Kind::InvalidRequest, "{headers}");
        }
    }

    #[test]
    fn an_answer_is_what_api_gateway_takes() {
        let headers = BTreeMap::from([("content-type".to_owned(), "application/json".to_owned())]);
        let answer: ApiGatewayV2httpResponse =
            HttpResponse { status: 201, headers, body: "{}".to_owned() }.into();
        let sent = serde_json::to_value(&answer).unwrap();
        assert_eq!((&sent["statusCode"], &sent["body"]), (&json!(201), &json!("{}")));
        assert_eq!(sent["headers"], json!({ "content-type": "application/json" }));
        assert_eq!(sent["isBase64Encoded"], json!(false));
    }
}
