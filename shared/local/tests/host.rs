//! The function host with real processes that use the real runtime crate
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod common;

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use bytes::Bytes;
use common::{echo, value};
use serde_json::{Value, json};
use weir_local::host::{FunctionSpec, Host, HostOptions, InvokeError};
use weir_local::net;

struct Running {
    host: Host,
    logs: tempfile::TempDir,
}

async fn host(change: impl FnOnce(&mut HostOptions, &mut Vec<FunctionSpec>)) -> Running {
    let logs = tempfile::tempdir().unwrap();
    let mut options = HostOptions::new(logs.path().to_owned(), "s3cret".into());
    let mut specs = vec![spec("echo")];
    change(&mut options, &mut specs);
    let host = Host::start(net::listen(0).await.unwrap(), options).unwrap();
    host.set_functions(specs);
    Running { host, logs }
}

fn spec(name: &str) -> FunctionSpec {
    FunctionSpec {
        name: name.into(),
        handler: "obey".into(),
        artefact: echo(),
        environment: BTreeMap::from([("SETTING".to_owned(), "x".to_owned())]),
        timeout: Duration::from_secs(60),
        memory_mb: 128,
    }
}

async fn invoke(host: &Host, event: Value) -> Result<Value, InvokeError> {
    host.invoke("echo", Bytes::from(event.to_string())).await.map(|bytes| value(&bytes))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warm_process_is_used_again_and_its_output_is_kept() {
    let running = host(|_, _| {}).await;
    let first = invoke(&running.host, json!({ "n": 1 })).await.unwrap();
    let second = invoke(&running.host, json!({ "n": 2 })).await.unwrap();
    assert_eq!(first["pid"], second["pid"]);
    assert_ne!(first["request_id"], second["request_id"]);
    assert_eq!(
        (&first["handler"], &first["setting"], &first["home"]),
        (&json!("obey"), &json!("x"), &Value::Null)
    );
    assert_eq!(
        running.host.live(),
        [("echo".to_owned(), u32::try_from(first["pid"].as_u64().unwrap()).unwrap())]
    );
    running.host.stop().await;
    assert!(running.host.live().is_empty());
    let log = std::fs::read_to_string(running.logs.path().join("echo.log")).unwrap();
    assert!(log.contains("got {\"n\":1}") && log.contains("got {\"n\":2}"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_run_at_a_time_and_more_wait() {
    let running = host(|options, _| options.max_per_function = 8).await;
    let calls = (0..40).map(|n| invoke(&running.host, json!({ "n": n, "sleep_ms": 20 })));
    let answers = futures::future::join_all(calls).await;
    let pids: HashSet<u64> =
        answers.iter().map(|answer| answer.as_ref().unwrap()["pid"].as_u64().unwrap()).collect();
    assert!(pids.len() <= 8, "{} processes", pids.len());
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!(answer.as_ref().unwrap()["event"]["n"], json!(n));
    }
    running.host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_is_reported_and_the_process_goes_on() {
    let running = host(|_, _| {}).await;
    let failed = invoke(&running.host, json!({ "fail": "no such release" })).await.unwrap_err();
    let InvokeError::Function { body } = &failed else { panic!("{failed:?}") };
    assert_eq!(body["errorMessage"], "no such release");
    assert_eq!(failed.body(), *body);
    let live = running.host.live();
    invoke(&running.host, json!({})).await.unwrap();
    assert_eq!(running.host.live(), live);
    running.host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_is_an_error_and_is_replaced() {
    let running = host(|_, _| {}).await;
    let died = invoke(&running.host, json!({ "exit": 3 })).await.unwrap_err();
    assert_eq!(
        (died.name().as_str(), died.to_string().contains("exit status: 3")),
        ("Runtime.ExitError", true),
        "{died}"
    );
    invoke(&running.host, json!({})).await.unwrap();

    let working = tokio::spawn({
        let host = running.host.clone();
        async move { invoke(&host, json!({ "mark": true, "sleep_ms": 60_000 })).await }
    });
    common::until("the event was taken", || {
        let log = std::fs::read_to_string(running.logs.path().join("echo.log")).unwrap_or_default();
        log.contains("mark")
    })
    .await;
    let [(_, pid)] = running.host.live()[..] else { panic!("one process") };
    assert!(running.host.kill(pid));
    assert!(!running.host.kill(1), "not one of ours");
    let killed = working.await.unwrap().unwrap_err();
    assert_eq!(killed.name(), "Runtime.ExitError");
    assert_ne!(invoke(&running.host, json!({})).await.unwrap()["pid"], json!(pid));
    running.host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_while_idle_is_not_noticed() {
    let running = host(|_, _| {}).await;
    for _ in 0..5 {
        let pid = invoke(&running.host, json!({})).await.unwrap()["pid"].as_u64().unwrap();
        assert!(running.host.kill(u32::try_from(pid).unwrap()));
        assert_ne!(invoke(&running.host, json!({})).await.unwrap()["pid"], json!(pid));
    }
    running.host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_too_long_is_killed() {
    let running = host(|_, specs| specs[0].timeout = Duration::from_secs(1)).await;
    let late = invoke(&running.host, json!({ "sleep_ms": 600_000 })).await.unwrap_err();
    assert_eq!(late.name(), "Sandbox.Timedout");
    assert_eq!(late.body()["errorMessage"], "task timed out after 1.00 seconds");
    common::until("the process is gone", || running.host.live().is_empty()).await;
    running.host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_can_not_start_says_why() {
    let running = host(|_, specs| {
        specs[0].environment.insert("FAIL_AT_START".to_owned(), "1".to_owned());
        specs.push(FunctionSpec { artefact: "/nonexistent/bootstrap".into(), ..spec("absent") });
    })
    .await;
    let failed = invoke(&running.host, json!({})).await.unwrap_err();
    assert_eq!(failed.name(), "Runtime.ExitError");
    let absent = running.host.invoke("absent", Bytes::new()).await.unwrap_err();
    assert_eq!(absent.name(), "Runtime.InvalidEntrypoint");
    let unknown = running.host.invoke("nobody", Bytes::new()).await.unwrap_err();
    assert_eq!(unknown, InvokeError::UnknownFunction { name: "nobody".into() });
    running.host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuilt_binary_and_a_changed_function_get_new_processes() {
    let folder = tempfile::tempdir().unwrap();
    let binary = folder.path().join("function");
    std::fs::copy(echo(), &binary).unwrap();
    let running = host(|_, specs| specs[0].artefact.clone_from(&binary)).await;
    let first = invoke(&running.host, json!({})).await.unwrap();
    let rebuilt = folder.path().join("rebuilt");
    std::fs::copy(echo(), &rebuilt).unwrap();
    std::fs::rename(&rebuilt, &binary).unwrap();
    let second = invoke(&running.host, json!({})).await.unwrap();
    assert_ne!(first["pid"], second["pid"]);
    let mut changed = spec("echo");
    changed.environment.insert("SETTING".to_owned(), "y".to_owned());
    running.host.set_functions(vec![changed.clone()]);
    let third = invoke(&running.host, json!({})).await.unwrap();
    assert_eq!(third["setting"], "y");
    running.host.set_functions(vec![changed]);
    assert_eq!(invoke(&running.host, json!({})).await.unwrap()["pid"], third["pid"], "unchanged stays warm");
    running.host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_processes_are_bounded() {
    let running = host(|options, _| options.max_idle = 2).await;
    let calls = (0..6).map(|_| invoke(&running.host, json!({ "sleep_ms": 300 })));
    futures::future::join_all(calls).await;
    common::until("two are left", || running.host.live().len() <= 2).await;
    running.host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_emulators_proxy_call_is_answered_only_with_the_secret() {
    let running = host(|_, _| {}).await;
    let client = net::client(Duration::from_secs(60)).unwrap();
    let post = |url: String, event: Value| {
        let request = client.post(url).header("X-Amzn-Lambda-Function-Name", "echo");
        request.header("X-Amzn-Lambda-Request-Id", "req-7").body(event.to_string()).send()
    };
    let answer = post(running.host.proxy_url(), json!({ "a": 1 })).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.json::<Value>().await.unwrap()["request_id"], "req-7");
    let failed = post(running.host.proxy_url(), json!({ "fail": "x" })).await.unwrap();
    assert_eq!(failed.status(), 500);
    assert_eq!(failed.json::<Value>().await.unwrap()["errorMessage"], "x");
    let stranger = post(running.host.proxy_url().replace("s3cret", "guess"), json!({})).await.unwrap();
    assert_eq!(stranger.status(), 404);
    running.host.stop().await;
}

/// The runtime of a host that is gone stops answering; the runtime client then ends the process
#[tokio::test(flavor = "multi_thread")]
async fn a_function_process_ends_when_its_host_is_gone() {
    use tokio::io::AsyncWriteExt as _;

    let listener = net::listen(0).await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut function = std::process::Command::new(echo());
    function.env_clear().env("AWS_LAMBDA_RUNTIME_API", address.to_string()).env("_HANDLER", "x");
    function.env("AWS_LAMBDA_FUNCTION_NAME", "f").env("AWS_LAMBDA_FUNCTION_VERSION", "1");
    function.env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128").stderr(std::process::Stdio::null());
    let mut child = function.spawn().unwrap();
    let (mut waiting, _) = listener.accept().await.unwrap();
    waiting.shutdown().await.unwrap();
    drop((waiting, listener));
    let status = tokio::task::spawn_blocking(move || child.wait()).await.unwrap().unwrap();
    assert!(!status.success());
}
