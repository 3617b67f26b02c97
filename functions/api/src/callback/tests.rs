use crate::fixture::Shop;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use weir_domain::{id::OperationId, plan::NodeStatus, time::Millis};
use weir_edge::authn::callback::sign;
use weir_orchestration::{Clock as _, jobs::JobEnd, queues::Job};
use weir_testkit::api::Reply;

const KEY: &str = "hook-key-of-the-tests";

/// A shop whose deployments begin with a job that answers later, and the server that the job calls
async fn open() -> (Shop, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/build", listener.local_addr().unwrap());
    let shop = Shop::open().await;
    let template = json!({ "version": 2, "nodes": [
        { "id": "build", "type": "job", "capability": "http.call", "timeout_s": 3600, "attempts": 2,
          "with": { "url": url, "answers": "later", "sign_with": "${HOOK}", "outputs": { "build": "/build/id" } } },
        { "id": "deploy", "type": "job", "capability": "deploy.host", "for_each": "target", "depends_on": ["build"] },
    ]});
    shop.api.resource(&shop.scope, "template.deploy-host", template).await;
    (shop, listener)
}

async fn promote(shop: &Shop) -> OperationId {
    shop.promote(shop.release, "environment.staging").await.promotion.workflow_run_id
}

/// Takes one request and answers 202, after `meanwhile` has been done with its callback's path
async fn accepts<F: Future>(
    listener: &TcpListener,
    meanwhile: impl FnOnce(String) -> F,
) -> (String, F::Output) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut text = String::new();
    while !text.contains("\r\n\r\n") {
        let mut buffer = [0u8; 4096];
        let read = stream.read(&mut buffer).await.unwrap();
        text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
    }
    let headers: BTreeMap<_, _> = text.lines().filter_map(|line| line.split_once(": ")).collect();
    assert!(headers.contains_key("weir-signature"), "{text}");
    let path = headers["weir-callback"].strip_prefix("http://weir.test").unwrap().to_owned();
    let done = meanwhile(path.clone()).await;
    stream
        .write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    (path, done)
}

/// Runs the last job that was sent, whose request is taken and left for later; its callback's path
async fn begin(shop: &Shop, listener: &TcpListener) -> (Job, String) {
    let job = shop.api.cloud.told().jobs.last().unwrap().0.clone();
    let run = shop.api.cx.engine().run_job(&job, "worker");
    let (end, (path, ())) = tokio::join!(run, accepts(listener, |_| async {}));
    assert_eq!(end.unwrap(), JobEnd::Waits);
    (job, path)
}

/// Calls back, signed with `key`
async fn call_back(shop: &Shop, path: &str, key: &str, body: &Value) -> Reply {
    let (text, now) = (body.to_string(), shop.api.clock.now().0 / 1000);
    let signature = sign(key, now, path, text.as_bytes());
    let request = shop.api.post(path).without("idempotency-key").json(body).raw(text);
    request.header("weir-timestamp", &now.to_string()).header("weir-signature", &signature).send().await
}

fn done() -> Value {
    json!({ "status": "succeeded", "result": { "build": { "id": "b-7" }, "api_key": "s3cr3t" } })
}

#[tokio::test]
async fn a_job_that_answers_later_waits_and_is_ended_by_its_callback_once() {
    let (shop, listener) = open().await;
    let operation = promote(&shop).await;
    let (job, path) = begin(&shop, &listener).await;
    assert_eq!(shop.nodes(operation).await["build.stg-1"], NodeStatus::Waiting);
    let view = shop.operation(operation).await;
    assert_eq!(
        (view.status.as_str(), view.waits[0].what.as_str()),
        ("running", "whoever it called to call back")
    );
    let stored = format!("{:?}", shop.api.table.snapshot());
    assert!(!stored.contains(path.rsplit('/').next().unwrap()), "the token itself is nowhere");

    let without = json!({ "status": "succeeded" });
    assert_eq!(
        call_back(&shop, &path, KEY, &without).await.short(),
        "400 invalid-body",
        "its output is missing"
    );
    assert_eq!(call_back(&shop, &path, "another", &done()).await.short(), "401 invalid-signature");
    let unsigned = shop.api.post(&path).without("idempotency-key").json(&done()).send().await;
    assert_eq!(unsigned.short(), "401 invalid-signature");
    let other = call_back(&shop, "/v1/callbacks/wcb_00", KEY, &done()).await;
    assert_eq!(other.short(), "401 unauthenticated");
    assert_eq!(shop.nodes(operation).await["build.stg-1"], NodeStatus::Waiting);

    call_back(&shop, &path, KEY, &done()).await.expect(200);
    let nodes = shop.nodes(operation).await;
    assert_eq!((nodes["build.stg-1"], nodes["deploy.stg-1"]), (NodeStatus::Succeeded, NodeStatus::Ready));
    let kept = shop.api.cx.ledger().outputs_get(operation, job.ordinal, 1).await.unwrap().unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&kept).unwrap(), json!({ "build": "b-7" }));
    call_back(&shop, &path, KEY, &done()).await.expect(200);
    let failed = json!({ "status": "failed", "message": "no" });
    assert_eq!(call_back(&shop, &path, KEY, &failed).await.short(), "409 attempt-superseded");
    let audited = shop.audited().await;
    let of = |word: &str| {
        audited.iter().filter(|line| line.starts_with("callback:") && line.contains(word)).count()
    };
    assert_eq!((of("callback.accept"), of("callback.refuse")), (1, 1), "{audited:?}");
}

#[tokio::test]
async fn a_callback_may_come_before_the_answer_that_announces_it() {
    let (shop, listener) = open().await;
    let operation = promote(&shop).await;
    let job = shop.api.cloud.told().jobs.last().unwrap().0.clone();
    let run = shop.api.cx.engine().run_job(&job, "worker");
    let early = accepts(&listener, |path| {
        let shop = &shop;
        async move { call_back(shop, &path, KEY, &done()).await }
    });
    let (end, (_, reply)) = tokio::join!(run, early);
    reply.expect(200);
    assert_eq!(end.unwrap(), JobEnd::Run);
    assert_eq!(shop.nodes(operation).await["build.stg-1"], NodeStatus::Succeeded);
}

#[tokio::test]
async fn who_does_not_call_back_in_time_is_given_up_and_called_again() {
    let (shop, listener) = open().await;
    let operation = promote(&shop).await;
    let (_, first) = begin(&shop, &listener).await;
    shop.api.clock.advance(Millis::from_secs(3_000));
    shop.api.cx.engine().reconcile().await.unwrap();
    assert_eq!(shop.nodes(operation).await["build.stg-1"], NodeStatus::Waiting, "its time is not over");
    shop.api.clock.advance(Millis::from_secs(601));
    shop.api.cx.engine().reconcile().await.unwrap();
    assert_eq!(call_back(&shop, &first, KEY, &done()).await.short(), "409 attempt-superseded");
    shop.api.clock.advance(Millis::from_secs(60));
    let (_, second) = begin(&shop, &listener).await;
    assert_eq!(call_back(&shop, &first, KEY, &done()).await.short(), "409 attempt-superseded");
    assert_eq!(shop.nodes(operation).await["build.stg-1"], NodeStatus::Waiting);
    let failed = json!({ "status": "failed", "message": "token=abc123 was refused", "retryable": true });
    call_back(&shop, &second, KEY, &failed).await.expect(200);
    let view = shop.operation(operation).await;
    let node = view.nodes.iter().find(|node| node.node_id.as_str() == "build.stg-1").unwrap();
    let error = node.error.as_ref().unwrap();
    assert_eq!((node.status, error.code.as_str()), (NodeStatus::Failed, "callback_failed"));
    assert_eq!(error.message, "token=[redacted] was refused");
    assert!(shop.audited().await.iter().any(|line| line.ends_with("callback.refuse")));
}

#[tokio::test]
async fn a_job_that_waits_is_cancelled_with_its_operation() {
    let (shop, listener) = open().await;
    let operation = promote(&shop).await;
    let (_, path) = begin(&shop, &listener).await;
    let cancel = shop.api.post(&format!("/v1/operations/{operation}/cancel")).by("operator").json(&json!({}));
    cancel.send().await.expect(202);
    assert_eq!(shop.nodes(operation).await["build.stg-1"], NodeStatus::Skipped);
    assert_eq!(call_back(&shop, &path, KEY, &done()).await.short(), "409 attempt-superseded");
}
