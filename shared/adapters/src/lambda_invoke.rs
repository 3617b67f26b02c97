//! `lambda.invoke`: one synchronous invocation of a function of this account
//!
//! Which functions may be invoked is said by the role of whoever runs this, not here.

use crate::{
    Adapter, Call, Done, Failed, inputs, line,
    outputs::{self, Wanted},
};
use async_trait::async_trait;
use aws_sdk_lambda::{
    Client,
    error::{ProvideErrorMetadata as _, SdkError},
    operation::invoke::{InvokeError, InvokeOutput},
    primitives::Blob,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::OnceLock;

/// The largest payload, in bytes: Lambda takes 6 MB, a contract should not come near
const PAYLOAD_MAX: usize = 256 * 1024;

/// Makes the client, where there is a Lambda
pub type ClientMaker = Box<dyn Fn() -> Option<Client> + Send + Sync>;

/// Invokes functions
pub struct LambdaInvoke {
    make: ClientMaker,
    client: OnceLock<Option<Client>>,
}

/// What to invoke
#[derive(Debug, Deserialize)]
struct Ask {
    /// Its name or ARN
    function: String,
    /// A version or alias
    #[serde(default)]
    qualifier: Option<String>,
    #[serde(default)]
    payload: Value,
    #[serde(default)]
    outputs: Wanted,
}

/// What a function answers that failed
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct FunctionFailure {
    error_type: String,
    error_message: String,
}

impl LambdaInvoke {
    /// An adapter whose client `make` makes when it is first used
    pub const fn new(make: ClientMaker) -> Self {
        Self { make, client: OnceLock::new() }
    }
}

#[async_trait]
impl Adapter for LambdaInvoke {
    fn capability(&self) -> &'static str {
        "lambda.invoke"
    }

    async fn run(&self, call: &Call) -> Result<Done, Failed> {
        let ask: Ask = inputs(call)?;
        outputs::check(&ask.outputs)?;
        let payload = ask.payload.to_string();
        if payload.len() > PAYLOAD_MAX {
            return Err(Failed::terminal(
                "bad_inputs",
                format!("the payload has more than {PAYLOAD_MAX} bytes"),
            ));
        }
        let client = self.client.get_or_init(|| (self.make)()).as_ref();
        let client = client.ok_or_else(|| Failed::terminal("no_lambda", "this deployment has no Lambda"))?;
        // The function finds it in its context; Lambda itself knows no idempotency key.
        let context = json!({ "custom": { "weir-attempt": call.attempt_id } }).to_string();
        let invoked = client
            .invoke()
            .function_name(&ask.function)
            .set_qualifier(ask.qualifier.clone())
            .client_context(base64(context.as_bytes()))
            .payload(Blob::new(payload))
            .send()
            .await
            .map_err(|error| not_invoked(&ask.function, &error))?;
        let mut log = String::new();
        line(
            &mut log,
            format!("invoked `{}`, version {}", ask.function, invoked.executed_version().unwrap_or("?")),
        );
        let answer = answer(&ask.function, &invoked).map_err(|failed| failed.after(&log))?;
        let outputs = outputs::pick(&ask.outputs, answer).map_err(|failed| failed.after(&log))?;
        Ok(Done { log, outputs, waits: false })
    }
}

/// What the function answered, unless that it failed
fn answer<'a>(function: &str, invoked: &'a InvokeOutput) -> Result<&'a [u8], Failed> {
    let answer = invoked.payload().map(Blob::as_ref).unwrap_or_default();
    if invoked.function_error().is_none() {
        return Ok(answer);
    }
    let failure: FunctionFailure = serde_json::from_slice(answer).unwrap_or_default();
    let message = format!("`{function}` failed: {} {}", failure.error_type, failure.error_message);
    // It was cut off or fell over, and did not decide to fail: the next one may fare better.
    let cut_off = ["Sandbox.Timedout", "Runtime.ExitError", "Runtime.OutOfMemory"];
    let timed_out = failure.error_message.contains("Task timed out");
    if timed_out || cut_off.contains(&failure.error_type.as_str()) {
        Err(Failed::retryable("function_cut_off", message))
    } else {
        Err(Failed::terminal("function_failed", message))
    }
}

/// How an invocation that did not happen failed
fn not_invoked(function: &str, error: &SdkError<InvokeError>) -> Failed {
    let status = error.raw_response().map(|response| response.status().as_u16());
    let code = error.as_service_error().and_then(|error| error.code()).unwrap_or("no answer");
    let message = format!("`{function}` was not invoked: {code}");
    match (error, status) {
        (SdkError::ConstructionFailure(_), _) => Failed::terminal("bad_inputs", message),
        (_, Some(429 | 500..)) | (_, None) => Failed::retryable("not_now", message),
        (_, Some(_)) => Failed::terminal("not_invoked", message),
    }
}

/// As headers carry it
fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{Answer, Seen, server_raw};
    use aws_sdk_lambda::config::{BehaviorVersion, Credentials, Region};

    fn adapter(url: String) -> LambdaInvoke {
        LambdaInvoke::new(Box::new(move || {
            let config = aws_sdk_lambda::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new("us-east-1"))
                .credentials_provider(Credentials::for_tests())
                .endpoint_url(&url)
                .retry_config(aws_sdk_lambda::config::retry::RetryConfig::disabled())
                .http_client(aws_smithy_http_client::Builder::new().build_http());
            Some(Client::from_conf(config.build()))
        }))
    }

    async fn run(answer: Answer, seen: &Seen, inputs: Value) -> Result<Done, Failed> {
        let url = server_raw(seen.clone(), move |_| answer.clone()).await;
        let call = Call { inputs: inputs.as_object().unwrap().clone(), ..crate::tests::call() };
        adapter(url).run(&call).await
    }

    fn says(status: u16, headers: &[(&'static str, &'static str)], body: &'static str) -> Answer {
        Answer { status, headers: headers.to_vec(), body: body.to_owned() }
    }

    #[tokio::test]
    async fn a_function_is_given_its_payload_and_what_it_answers_is_kept() {
        let seen = Seen::default();
        let answer = says(200, &[("x-amz-executed-version", "7")], r#"{"smoke": {"passed": 12}}"#);
        let ask = json!({
            "function": "smoke", "qualifier": "live", "payload": { "a": 1 },
            "outputs": { "passed": "/smoke/passed" },
        });
        let done = run(answer, &seen, ask).await.unwrap();
        assert_eq!((done.outputs["passed"].as_u64(), done.log.contains("version 7")), (Some(12), true));
        let request = seen.only();
        assert_eq!(request.path, "/2015-03-31/functions/smoke/invocations?Qualifier=live");
        assert_eq!(request.body, br#"{"a":1}"#);
        let context = STANDARD.decode(request.header("x-amz-client-context")).unwrap();
        assert!(String::from_utf8(context).unwrap().contains("op_1/3/2"));
    }

    #[tokio::test]
    async fn a_failure_says_whether_another_attempt_may_help() {
        let failed = [("x-amz-function-error", "Unhandled")];
        for (answer, code, retryable) in [
            (says(200, &failed, r#"{"errorType": "Error", "errorMessage": "no"}"#), "function_failed", false),
            (
                says(200, &failed, r#"{"errorMessage": "2026 x Task timed out after 3.00 seconds"}"#),
                "function_cut_off",
                true,
            ),
            (says(200, &failed, r#"{"errorType": "Runtime.ExitError"}"#), "function_cut_off", true),
            (
                says(404, &[("x-amzn-errortype", "ResourceNotFoundException")], r#"{"Message": "gone"}"#),
                "not_invoked",
                false,
            ),
            (says(403, &[("x-amzn-errortype", "AccessDeniedException")], "{}"), "not_invoked", false),
            (says(429, &[("x-amzn-errortype", "TooManyRequestsException")], "{}"), "not_now", true),
            (says(500, &[("x-amzn-errortype", "ServiceException")], "{}"), "not_now", true),
        ] {
            let body = answer.body.clone();
            let failed = run(answer, &Seen::default(), json!({ "function": "f" })).await.unwrap_err();
            assert_eq!((failed.code, failed.retryable), (code, retryable), "{body}");
        }
        let call =
            Call { inputs: json!({ "function": "f" }).as_object().unwrap().clone(), ..crate::tests::call() };
        assert!(adapter("http://127.0.0.1:1".to_owned()).run(&call).await.unwrap_err().retryable);
        assert_eq!(LambdaInvoke::new(Box::new(|| None)).run(&call).await.unwrap_err().code, "no_lambda");
    }
}
