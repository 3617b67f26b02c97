use serde_json::{Value, json};
use weir_domain::canonical::Digest;
use weir_testkit::{TestApi, api::Reply};

async fn api() -> TestApi {
    let api = TestApi::new(crate::ENDPOINTS).await;
    api.resource(&api.scope(), "component.web", json!({})).await;
    api
}

/// Announces and sends `bytes`
async fn send(api: &TestApi, bytes: &'static [u8]) -> Digest {
    let digest = Digest::of_bytes(bytes);
    let body = json!({ "digest": digest, "size": bytes.len() });
    let ticket = api.post("/v1/artifacts").by("developer").json(&body).send().await;
    assert!(ticket.status < 300, "{:#}", ticket.body);
    api.cx.ledger().artifact_put(bytes).await.unwrap();
    digest
}

async fn register(api: &TestApi, who: &str, tag: &str, digest: &Digest) -> Reply {
    let body = json!({ "component_id": "component.web", "tag": tag, "digest": digest });
    api.post("/v1/versions").by(who).json(&body).send().await
}

#[tokio::test]
async fn uploaded_bytes_become_a_version_and_a_tag_never_moves() {
    let api = api().await;
    let (one, two) = (send(&api, b"one").await, send(&api, b"two").await);
    let version = register(&api, "developer", "v1.0.0", &one).await.expect(201);
    assert_eq!(
        (&version["semver"], &version["channel"], &version["size"]),
        (&json!("1.0.0"), &json!("stable"), &json!(3))
    );
    let again = register(&api, "operator", "v1.0.0", &one).await.expect(200);
    assert_eq!(again["id"], version["id"]);
    let moved = register(&api, "developer", "v1.0.0", &two).await;
    assert_eq!(moved.short(), "409 already-exists");
    assert!(moved.body["detail"].as_str().unwrap().contains("a tag never moves"));
}

#[tokio::test]
async fn what_was_found_out_is_added_to_a_version_that_is_there() {
    let api = api().await;
    let digest = send(&api, b"one").await;
    let version = register(&api, "developer", "v1.0.0", &digest).await.expect(201);
    let report = Digest::of_bytes(b"report");
    let attest = |status: &'static str| {
        let body = json!({ "component_id": "component.web", "tag": "v1.0.0", "digest": digest,
            "attestations": [{ "kind": "scan", "digest": report, "status": status }] });
        api.post("/v1/versions").by("operator").json(&body)
    };
    for (status, expected) in [("failed", 1), ("failed", 1), ("passed", 2), ("passed", 2)] {
        let after = attest(status).send().await.expect(200);
        assert_eq!(after["id"], version["id"]);
        assert_eq!(after["attestations"].as_array().unwrap().len(), expected, "{status}");
        assert_eq!(after["attestations"][expected - 1]["by"], "operator");
    }
    assert_eq!(attest("perhaps").send().await.short(), "400 invalid-body");
    let plain = register(&api, "developer", "v1.0.0", &digest).await.expect(200);
    assert_eq!(plain["attestations"].as_array().unwrap().len(), 2, "registering again takes nothing away");
}

#[tokio::test]
async fn bytes_that_were_not_sent_or_are_others_are_no_version() {
    let api = api().await;
    let digest = Digest::of_bytes(b"never announced");
    assert_eq!(register(&api, "developer", "v1", &digest).await.short(), "409 upload-missing");
    let announced = Digest::of_bytes(b"announced");
    let body = json!({ "digest": announced, "size": 9 });
    api.post("/v1/artifacts").by("developer").json(&body).send().await.expect(201);
    assert_eq!(register(&api, "developer", "v1", &announced).await.short(), "409 upload-missing");
    api.objects
        .overwrite(&format!("harbor/artifacts/sha256/{}", announced.hex()), (&b"something"[..]).into());
    assert_eq!(register(&api, "developer", "v1", &announced).await.short(), "422 digest-mismatch");
}

#[tokio::test]
async fn a_component_tag_or_number_that_is_none_is_refused_at_its_place() {
    let api = api().await;
    let digest = send(&api, b"one").await;
    for (field, value, expected) in [
        ("component_id", json!("component.nope"), "422 invalid-reference /component_id"),
        ("component_id", json!("tenant.acme"), "422 invalid-reference /component_id"),
        ("component_id", json!("web"), "400 invalid-body /component_id"),
        ("tag", json!("a/b"), "400 invalid-body /tag"),
        ("tag", json!("a#b"), "400 invalid-body /tag"),
        ("semver", json!("1.0"), "400 invalid-body /semver"),
    ] {
        let mut body = json!({ "component_id": "component.web", "tag": "v1", "digest": digest });
        body[field] = value.clone();
        let reply = api.post("/v1/versions").by("developer").json(&body).send().await;
        let pointer = reply.body["errors"][0]["pointer"].as_str().unwrap_or_default();
        assert_eq!(format!("{} {pointer}", reply.short()), expected, "{field} {value}");
    }
}

#[tokio::test]
async fn versions_are_listed_a_page_at_a_time_and_to_their_tenant_only() {
    let api = api().await;
    let digest = send(&api, b"one").await;
    for tag in ["v1", "v2", "v3"] {
        api.clock.advance(weir_domain::time::Millis(1));
        register(&api, "developer", tag, &digest).await.expect(201);
    }
    let mut tags = Vec::new();
    let mut path = "/v1/versions?limit=2&component=component.web".to_owned();
    loop {
        let page = api.get(&path).by("viewer").send().await.expect(200);
        tags.extend(
            page["items"].as_array().unwrap().iter().map(|it| it["tag"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page.get("next_cursor").and_then(Value::as_str) else { break };
        path = format!("/v1/versions?limit=2&component=component.web&cursor={next}");
    }
    assert_eq!(tags, ["v3", "v2", "v1"]);
    let all = api.get("/v1/versions").by("viewer").send().await.expect(200);
    assert_eq!(all["items"].as_array().unwrap().len(), 3);
    let others = api.get("/v1/versions?component=component.web").by("stranger").send().await.expect(200);
    assert_eq!(others["items"], json!([]));
}
