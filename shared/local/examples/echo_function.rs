//! A function for the tests of the host: does what its event says
//!
//! `arrive` completes the task token that it is given; `consume` starts the state machine of its
//! environment for each message; `finish` sends a segment round once more; anything else answers its
//! event and what it knows of itself.
#![expect(clippy::disallowed_methods, reason = "a function is told what it is by its environment")]
#![expect(clippy::print_stdout, reason = "what a function prints is what the host must capture")]
#![expect(clippy::indexing_slicing, reason = "indexing a JSON value gives null where there is nothing")]

use std::time::Duration;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<(), Error> {
    if std::env::var("FAIL_AT_START").is_ok() {
        return Err("no configuration".into());
    }
    lambda_runtime::run(service_fn(answer)).await
}

async fn answer(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let (payload, context) = event.into_parts();
    println!("got {payload}");
    match std::env::var("_HANDLER").as_deref() {
        Ok("arrive") => {
            let output = json!({ "node": payload["node"] }).to_string();
            step_functions("SendTaskSuccess", json!({ "taskToken": payload["token"], "output": output }))
                .await
        }
        Ok("finish") => {
            let round = payload["round"].as_u64().unwrap_or(0);
            Ok(json!({ "next": if round == 0 { "again" } else { "done" }, "round": round + 1 }))
        }
        Ok("consume") => {
            let machine = std::env::var("MACHINE")?;
            for record in payload["Records"].as_array().into_iter().flatten() {
                let input = record["body"].as_str().unwrap_or_default();
                step_functions("StartExecution", json!({ "stateMachineArn": machine, "input": input }))
                    .await?;
            }
            Ok(Value::Null)
        }
        _ => obey(payload, &context.request_id).await,
    }
}

async fn obey(payload: Value, request_id: &str) -> Result<Value, Error> {
    if let Some(ms) = payload["sleep_ms"].as_u64() {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
    if let Some(code) = payload["exit"].as_i64() {
        std::process::exit(i32::try_from(code)?);
    }
    if let Some(message) = payload["fail"].as_str() {
        return Err(message.into());
    }
    Ok(json!({
        "event": payload,
        "pid": std::process::id(),
        "request_id": request_id,
        "handler": std::env::var("_HANDLER").ok(),
        "endpoint": std::env::var("AWS_ENDPOINT_URL").ok(),
        "setting": std::env::var("SETTING").ok(),
        "home": std::env::var("HOME").ok(),
    }))
}

async fn step_functions(action: &str, body: Value) -> Result<Value, Error> {
    let endpoint = std::env::var("AWS_ENDPOINT_URL")?;
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = reqwest::Client::builder().no_proxy().build()?;
    let request = client.post(endpoint).header("x-amz-target", format!("AWSStepFunctions.{action}"));
    let request = request.header("content-type", "application/x-amz-json-1.0");
    let credential = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/states/aws4_request, SignedHeaders=host, Signature=0";
    request.header("authorization", credential).body(body.to_string()).send().await?.error_for_status()?;
    Ok(Value::Null)
}
