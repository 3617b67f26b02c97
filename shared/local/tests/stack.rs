//! The whole stack on a small template: the embedded emulator, CloudFormation, the proxy, the gateway
//!
//! The first run installs the emulator under `target/local/venv` of the checkout, which takes a minute.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod common;

use std::path::{Path, PathBuf};
use std::time::Duration;

use common::{echo, until_async};
use serde_json::{Value, json};
use weir_local::artefacts::Binaries;
use weir_local::error::LocalError;
use weir_local::net;
use weir_local::progress::Progress;
use weir_local::stack::{Stack, StackOptions};

fn options(dir: &Path) -> StackOptions {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut options = StackOptions::new(here.ancestors().nth(2).unwrap());
    options.dir = dir.to_owned();
    options.template = here.join("tests/fixture/template.yaml");
    options.binaries = Some(Binaries::from_paths([("echo_function".to_owned(), echo())]));
    options
}

async fn start(options: StackOptions) -> Result<Stack, LocalError> {
    Stack::start(options, &Progress::silent()).await
}

async fn post(stack: &Stack, path: &str, body: &Value) -> (u16, Value) {
    let client = net::client(Duration::from_secs(60)).unwrap();
    let request =
        client.post(format!("{}{path}", stack.api_url())).header("content-type", "application/json");
    let answer = request.body(body.to_string()).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// Sends a message whose function starts a segment of 40 nodes, and waits for the segment
async fn run_a_segment(stack: &Stack) {
    let config = stack.endpoint().config();
    let (sqs, sfn) = (aws_sdk_sqs::Client::new(config), aws_sdk_sfn::Client::new(config));
    let nodes = json!({ "nodes": (0..40).collect::<Vec<_>>() }).to_string();
    sqs.send_message().queue_url(&stack.outputs()["JobsQueue"]).message_body(nodes).send().await.unwrap();
    until_async("the segment succeeded", async || {
        let list =
            sfn.list_executions().state_machine_arn(&stack.outputs()["SegmentMachine"]).send().await.unwrap();
        list.executions().first().is_some_and(|execution| execution.status().as_str() == "SUCCEEDED")
    })
    .await;
}

async fn lock_an_object(stack: &Stack) {
    let put = stack.endpoint().s3().put_object().bucket(&stack.outputs()["Bucket"]).key("evidence");
    let until = aws_sdk_s3::primitives::DateTime::from_secs(4_000_000_000);
    let mode = aws_sdk_s3::types::ObjectLockMode::Compliance;
    put.object_lock_mode(mode).object_lock_retain_until_date(until).send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_runs_whole_and_an_orphaned_emulator_is_adopted() {
    let dir = tempfile::tempdir().unwrap();
    let stack = start(options(dir.path())).await.unwrap();
    assert!(stack.deployment().changed && !stack.emulator().unwrap().adopted());

    let (status, answer) = post(&stack, "/v1/echo/a%20b?x=1", &json!({ "n": 1 })).await;
    assert_eq!((status, &answer["event"]["pathParameters"]), (200, &json!({ "name": "a b" })));
    assert_eq!(answer["endpoint"], json!(stack.endpoint().url()));
    assert_eq!(post(&stack, "/v1/nothing", &json!({})).await, (404, json!({ "message": "Not Found" })));
    run_a_segment(&stack).await;
    lock_an_object(&stack).await;

    let refused = start(options(dir.path())).await.err().unwrap().to_string();
    assert!(refused.contains("already running") && refused.contains(&stack.api_url()), "{refused}");

    // As after a SIGKILL: nothing is stopped, and the lock and the ports are free.
    let (pid, api, host) = (stack.emulator().unwrap().pid(), stack.api_url(), stack.host().clone());
    drop(stack);
    host.stop().await;
    let port = api.rsplit(':').next().unwrap().parse().unwrap();
    until_async("the port of the API is free", async || net::listen(port).await.is_ok()).await;
    let again = start(options(dir.path())).await.unwrap();
    assert!(again.emulator().unwrap().adopted() && !again.deployment().changed);
    assert_eq!((again.emulator().unwrap().pid(), again.api_url()), (pid, api));
    run_a_segment(&again).await;
    again.stop().await;
    assert!(!dir.path().join("emulator.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_death_of_the_emulator_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let stack = start(options(dir.path())).await.unwrap();
    let pid = stack.emulator().unwrap().pid();
    assert!(std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
    let said = stack.failed().await.to_string();
    assert!(
        said.contains(&format!("process {pid}")) && said.contains("everything in the stack is lost"),
        "{said}"
    );
    let host = stack.host().clone();
    stack.stop().await;
    assert!(host.live().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_and_a_bad_template_are_said_and_leave_nothing_running() {
    let dir = tempfile::tempdir().unwrap();
    let taken = net::listen(0).await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let refused = start(StackOptions { port, ..options(dir.path()) }).await.err().unwrap().to_string();
    assert!(refused.contains(&format!("port {port} is taken")) && refused.contains("--port"), "{refused}");

    let template = dir.path().join("template.yaml");
    let text = "Resources:\n  Bad: { Type: 'AWS::Nothing::Known' }\n";
    std::fs::write(&template, text).unwrap();
    let failed = start(StackOptions { template, ..options(dir.path()) }).await.err().unwrap().to_string();
    assert!(failed.contains("`weir-local` could not be deployed"), "{failed}");
    assert!(!dir.path().join("emulator.json").exists());

    let endpoint = Some("http://127.0.0.1:1".to_owned());
    let failed = start(StackOptions { endpoint, ..options(dir.path()) }).await.err().unwrap().to_string();
    assert!(failed.contains("nothing that speaks the AWS API answers at `http://127.0.0.1:1`"), "{failed}");
}

/// Set `WEIR_TEST_ENDPOINT` to a LocalStack to run this; without one there is nothing to test
#[tokio::test(flavor = "multi_thread")]
async fn the_same_template_runs_on_an_endpoint_that_was_given() {
    #[expect(clippy::disallowed_methods, reason = "the endpoint is a choice of whoever runs the tests")]
    let Ok(endpoint) = std::env::var("WEIR_TEST_ENDPOINT") else { return };
    let dir = tempfile::tempdir().unwrap();
    let options = StackOptions { endpoint: Some(endpoint.clone()), ..options(dir.path()) };
    let stack = start(options.clone()).await.unwrap();
    let (status, answer) = post(&stack, "/v1/echo/a", &json!({})).await;
    assert_eq!((status, answer["endpoint"].as_str()), (200, Some(endpoint.as_str())));
    run_a_segment(&stack).await;
    lock_an_object(&stack).await;
    stack.stop().await;
    let again = start(options).await.unwrap();
    assert!(!again.deployment().changed);
    again.stop().await;
}
