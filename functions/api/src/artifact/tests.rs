use crate::fixture::Shop;
use serde_json::json;
use weir_domain::canonical::Digest;
use weir_edge::wire::artifact::{ArtifactDownload, UploadTicket};
use weir_testkit::TestApi;

async fn api() -> TestApi {
    TestApi::new(crate::ENDPOINTS).await
}

#[tokio::test]
async fn bytes_are_announced_sent_and_fetched() {
    let api = api().await;
    let digest = Digest::of_bytes(b"bytes");
    let announce =
        || api.post("/v1/artifacts").by("developer").json(&json!({ "digest": digest, "size": 5 })).send();
    let ticket: UploadTicket = announce().await.read(201);
    let upload = ticket.upload.unwrap();
    assert_eq!(upload.method, "PUT");
    assert_eq!(format!("{:?}", upload.url), "[secret]");
    let path = format!("/v1/artifacts/{digest}");
    assert_eq!(api.get(&path).by("viewer").send().await.short(), "404 not-found", "nothing was sent yet");
    api.upload(&upload, b"bytes");
    let ticket: UploadTicket = announce().await.read(200);
    assert_eq!(ticket.upload, None);
    let found: ArtifactDownload = api.get(&path).by("viewer").send().await.read(200);
    assert_eq!((found.size, found.download.method.as_str()), (5, "GET"));
}

#[tokio::test]
async fn an_artifact_of_another_tenant_is_not_there() {
    let api = api().await;
    let digest = Digest::of_bytes(b"bytes");
    let announce =
        |who| api.post("/v1/artifacts").by(who).json(&json!({ "digest": digest, "size": 5 })).send();
    let ticket: UploadTicket = announce("developer").await.read(201);
    api.upload(&ticket.upload.unwrap(), b"bytes");
    assert_eq!(
        api.get(&format!("/v1/artifacts/{digest}")).by("stranger").send().await.short(),
        "404 not-found"
    );
}

#[tokio::test]
async fn a_size_that_cannot_be_is_refused() {
    let api = api().await;
    let digest = Digest::of_bytes(b"bytes");
    for (size, expected) in [(0_u64, "422 limit-exceeded"), (u64::MAX, "422 limit-exceeded"), (5, "201")] {
        let reply = api
            .post("/v1/artifacts")
            .by("developer")
            .json(&json!({ "digest": digest, "size": size }))
            .send()
            .await;
        assert_eq!(reply.short(), expected, "{size}");
    }
    let nowhere =
        api.post("/v1/artifacts").by("root").json(&json!({ "digest": digest, "size": 5 })).send().await;
    assert_eq!(nowhere.short(), "400 tenant-required");
    api.cx.ledger().artifact_put(&b"bytes"[..]).await.unwrap();
    let wrong =
        api.post("/v1/artifacts").by("developer").json(&json!({ "digest": digest, "size": 6 })).send().await;
    assert_eq!(wrong.short(), "422 digest-mismatch");
}

#[tokio::test]
async fn a_repeat_gets_a_new_address_and_the_audit_one_event() {
    let api = api().await;
    let body = json!({ "digest": Digest::of_bytes(b"bytes"), "size": 5 });
    for _ in 0..2 {
        api.post("/v1/artifacts").by("developer").key("same").json(&body).send().await.expect(201);
    }
    let audit = api.get("/v1/audit").by("viewer").send().await.expect(200);
    assert_eq!(audit["items"].as_array().unwrap().len(), 1);
    assert_eq!(audit["items"][0]["action"], "artifact.create");
}

#[tokio::test]
async fn an_agent_fetches_only_what_a_running_task_of_its_own_deploys() {
    let shop = Shop::open().await;
    let digest = shop.api.cx.ledger().artifact_put(&b"1.0.0"[..]).await.unwrap();
    let other = shop.api.cx.ledger().artifact_put(&b"other"[..]).await.unwrap();
    shop.promote(shop.release, "environment.staging").await;
    let task = shop.claim("stg-1").await.remove(0);
    let get = async |who: &str, digest: &Digest, query: &str| {
        let path = format!("/v1/artifacts/{digest}{query}");
        shop.api.get(&path).bearer(shop.credential(who)).send().await.short()
    };
    let named = format!("?task={}", task.task);
    assert_eq!(get("stg-1", &digest, &named).await, "200");
    assert_eq!(get("stg-1", &digest, "").await, "400 invalid-query", "on whose account?");
    assert_eq!(get("stg-1", &other, &named).await, "404 not-found", "the task deploys something else");
    assert_eq!(get("stg-2", &digest, &named).await, "404 not-found", "the task is another agent's");
    let report = crate::fixture::succeeded(&task);
    shop.report("stg-1", &task, &report).await.expect(200);
    assert_eq!(get("stg-1", &digest, &named).await, "404 not-found", "the task has ended");
}
