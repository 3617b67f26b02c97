use crate::fixture::example;
use serde_json::json;
use weir_domain::{canonical::Digest, definition::bundle::MAX_BUNDLE};
use weir_edge::wire::{artifact::UploadTicket, definition::DefinitionPlanView, problem::FieldError};
use weir_testkit::{TestApi, api::Reply};

/// Uploads `bytes` as a definition and asks what it would change
async fn plan(api: &TestApi, bytes: &[u8]) -> Reply {
    let digest = Digest::of_bytes(bytes);
    let body = json!({ "digest": digest, "size": bytes.len() });
    let ticket: UploadTicket =
        api.post("/v1/definition/uploads").by("root").json(&body).send().await.read(201);
    api.upload(&ticket.upload.unwrap(), bytes);
    api.post("/v1/definition/plans").by("root").json(&json!({ "definition": digest })).send().await
}

#[tokio::test]
async fn an_uploaded_definition_is_planned_and_nothing_is_changed() {
    let api = TestApi::new(crate::ENDPOINTS).await;
    let planned: DefinitionPlanView = plan(&api, &example().to_vec().unwrap()).await.read(201);
    let path = format!("/v1/plans/{}", planned.plan_id.unwrap());
    assert_eq!(api.get(&path).by("root").send().await.status, 200);
    assert!(planned.changes.changes.len() > 5 && planned.changes.is_applicable());
    assert_eq!(
        api.get("/v1/resources/environment.staging").by("viewer").send().await.short(),
        "404 not-found"
    );
}

#[tokio::test]
async fn what_was_not_uploaded_or_is_no_definition_is_refused() {
    let api = TestApi::new(crate::ENDPOINTS).await;
    let body = json!({ "definition": Digest::of_bytes(b"nothing") });
    let missing = api.post("/v1/definition/plans").by("root").json(&body).send().await;
    assert_eq!(missing.short(), "409 upload-missing");
    assert_eq!(plan(&api, b"no bundle").await.short(), "422 invalid-definition");
    let wrong = json!({ "files": { "weir.yaml": "version: 1\nworkspace: harbor\nfiles: []\nservice: { shop: {} }\n" } });
    let refused = plan(&api, &serde_json::to_vec(&wrong).unwrap()).await;
    assert_eq!(refused.short(), "422 invalid-definition");
    assert_eq!(refused.body["detail"], "the definition has 3 errors");
    let errors: Vec<FieldError> = serde_json::from_value(refused.body["errors"].clone()).unwrap();
    let [error, _, _] = errors.as_slice() else { panic!("{errors:?}") };
    let place = error.place.as_ref().unwrap();
    assert_eq!((place.code.as_str(), place.file.as_str(), place.line), ("W0203", "weir.yaml", 4));
    assert!(error.message.contains("components") && error.pointer == "/definition", "{error:?}");
}

#[tokio::test]
async fn the_definition_is_the_whole_workspaces_and_has_a_size() {
    let api = TestApi::new(crate::ENDPOINTS).await;
    for (who, size, expected) in [
        ("viewer", 5, "403 forbidden"),
        ("admin", 5, "403 forbidden"),
        ("root", 0, "422 limit-exceeded"),
        ("root", MAX_BUNDLE + 1, "422 limit-exceeded"),
        ("root", MAX_BUNDLE, "201"),
    ] {
        let body = json!({ "digest": Digest::of_bytes(b"x"), "size": size });
        let reply = api.post("/v1/definition/uploads").by(who).json(&body).send().await;
        assert_eq!(reply.short(), expected, "{who} {size}");
    }
}
