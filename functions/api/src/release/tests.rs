use serde_json::{Value, json};
use weir_domain::{canonical::Digest, time::Millis};
use weir_testkit::{TestApi, api::Reply};

/// A shop with one component, of which there is one version
async fn shop() -> (TestApi, String) {
    let api = TestApi::new(crate::ENDPOINTS).await;
    for (address, spec) in [
        ("component.web", json!({})),
        ("component.other", json!({})),
        ("service.shop", json!({ "repo": "r", "components": ["component.web"], "environments": [] })),
    ] {
        api.resource(&api.scope(), address, spec).await;
    }
    let version = version(&api, "component.web").await;
    (api, version)
}

async fn version(api: &TestApi, component: &str) -> String {
    let digest = Digest::of_bytes(b"one");
    let body = json!({ "digest": digest, "size": 3 });
    api.post("/v1/artifacts").by("developer").json(&body).send().await;
    api.cx.ledger().artifact_put(&b"one"[..]).await.unwrap();
    let body = json!({ "component_id": component, "tag": "v1.0.0", "digest": digest });
    let version = api.post("/v1/versions").by("developer").json(&body).send().await.expect(201);
    version["id"].as_str().unwrap().to_owned()
}

async fn create(api: &TestApi, body: &Value) -> Reply {
    api.post("/v1/releases").by("developer").json(body).send().await
}

#[tokio::test]
async fn a_release_is_frozen_when_it_is_made_and_told_in_the_audit() {
    let (api, version) = shop().await;
    let body = json!({ "service_id": "service.shop", "version": "1.0.0", "components": { "component.web": version } });
    let release = create(&api, &body).await.expect(201);
    assert_eq!((&release["status"], &release["name"]), (&json!("ready"), &json!("shop-1.0.0")));
    assert_eq!(release["components"]["component.web"]["version"], "1.0.0");
    let path = format!("/v1/releases/{}", release["id"].as_str().unwrap());
    assert_eq!(api.get(&path).by("viewer").send().await.expect(200), release);
    let audit = api.get("/v1/audit?limit=1").by("viewer").send().await.expect(200);
    let event = &audit["items"][0];
    assert_eq!((&event["action"], &event["subject_id"]), (&json!("release.create"), &release["id"]));
    assert_eq!(event["actor"]["id"], "developer");
}

#[tokio::test]
async fn a_release_of_another_tenant_is_not_there() {
    let (api, version) = shop().await;
    let body =
        json!({ "service_id": "service.shop", "version": "1", "components": { "component.web": version } });
    let release = create(&api, &body).await.expect(201);
    let path = format!("/v1/releases/{}", release["id"].as_str().unwrap());
    assert_eq!(api.get(&path).by("stranger").send().await.short(), "404 not-found");
    assert_eq!(api.get("/v1/releases").by("stranger").send().await.expect(200)["items"], json!([]));
    let stolen = api.post("/v1/releases").by("stranger").json(&body).send().await;
    assert_eq!(stolen.short(), "422 invalid-reference", "neither the service nor the version is theirs");
}

#[tokio::test]
async fn what_cannot_be_a_release_is_refused_at_its_place() {
    let (api, one) = shop().await;
    let other = version(&api, "component.other").await;
    let unknown = "ver_01ARZ3NDEKTSV4RRFFQ69G5FAV";
    for (service, version, components, expected) in [
        ("service.nope", "1", json!({ "component.web": one }), "422 invalid-reference /service_id"),
        ("component.web", "1", json!({ "component.web": one }), "422 invalid-reference /service_id"),
        (
            "service.shop",
            "1",
            json!({ "component.other": other }),
            "422 invalid-reference /components/component.other",
        ),
        (
            "service.shop",
            "1",
            json!({ "component.web": other }),
            "422 invalid-reference /components/component.web",
        ),
        (
            "service.shop",
            "1",
            json!({ "component.web": unknown }),
            "422 invalid-reference /components/component.web",
        ),
        ("service.shop", "1", json!({}), "400 invalid-body /components"),
        ("service.shop", "a b", json!({ "component.web": one }), "400 invalid-body /version"),
        (
            "service.shop",
            "1",
            json!({ "component.web": "rel_01ARZ3NDEKTSV4RRFFQ69G5FAV" }),
            "400 invalid-body /components/component.web",
        ),
    ] {
        let reply =
            create(&api, &json!({ "service_id": service, "version": version, "components": components }))
                .await;
        let pointer = reply.body["errors"][0]["pointer"].as_str().unwrap_or_default();
        assert_eq!(format!("{} {pointer}", reply.short()), expected);
    }
}

#[tokio::test]
async fn releases_are_listed_by_status_the_newest_first() {
    let (api, version) = shop().await;
    for number in ["1", "2", "3"] {
        api.clock.advance(Millis(1));
        let body = json!({ "service_id": "service.shop", "version": number, "components": { "component.web": version } });
        create(&api, &body).await.expect(201);
    }
    let versions = |page: Value| -> Vec<String> {
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["version"].as_str().unwrap().to_owned())
            .collect()
    };
    let page = api.get("/v1/releases?limit=2").by("viewer").send().await.expect(200);
    let next = page["next_cursor"].as_str().unwrap().to_owned();
    assert_eq!(versions(page), ["3", "2"]);
    assert_eq!(
        versions(api.get(&format!("/v1/releases?cursor={next}")).by("viewer").send().await.expect(200)),
        ["1"]
    );
    assert_eq!(versions(api.get("/v1/releases?status=draft").by("viewer").send().await.expect(200)), [""; 0]);
    assert_eq!(api.get("/v1/releases?status=nope").by("viewer").send().await.short(), "400 invalid-query");
}
