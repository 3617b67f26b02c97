//! The router, authentication and idempotency, over a small API of their own
#![cfg(test)]

mod counter;

use counter::{ENDPOINTS, runs};
use serde_json::json;
use weir_domain::{canonical::Digest, time::Millis};
use weir_testkit::{TestApi, api::TENANT_EXTERNAL_ID};

async fn api() -> TestApi {
    TestApi::new(ENDPOINTS).await
}

#[tokio::test]
async fn a_path_that_nobody_has_and_a_method_that_it_has_not_are_told_apart() {
    let api = api().await;
    assert_eq!(api.get("/v1/nothing").by("viewer").send().await.short(), "404 not-found");
    assert_eq!(api.post("/v1/counts/a").by("admin").send().await.short(), "405 method-not-allowed");
}

#[tokio::test]
async fn a_literal_part_wins_over_a_parameter() {
    let api = api().await;
    assert_eq!(api.get("/v1/counts/latest").by("viewer").send().await.expect(200)["name"], "the latest");
    assert_eq!(api.get("/v1/counts/other").by("viewer").send().await.expect(200)["name"], "other");
}

#[tokio::test]
async fn who_is_not_known_is_told_nothing_but_that() {
    let api = api().await;
    let agent = "wea_agt_01ARZ3NDEKTSV4RRFFQ69G5FAV_secret";
    for token in ["", "viewer", "Viewer-token", agent, &"x".repeat(9000)] {
        let reply = api.get("/v1/counts/a").bearer(token).send().await;
        assert_eq!(
            (reply.short().as_str(), reply.headers["www-authenticate"].as_str()),
            ("401 unauthenticated", "Bearer")
        );
    }
    assert_eq!(api.get("/v1/counts/a").send().await.short(), "401 unauthenticated");
    assert_eq!(
        api.get("/v1/counts/a").header("authorization", "Basic dmlld2Vy").send().await.short(),
        "401 unauthenticated"
    );
}

#[tokio::test]
async fn what_a_role_lacks_is_refused_before_the_body_is_read() {
    let api = api().await;
    let reply = api.post("/v1/counts").by("viewer").raw("{").send().await;
    assert_eq!(reply.short(), "403 forbidden");
    assert!(reply.body["detail"].as_str().unwrap().contains("`release:create`"), "{:#}", reply.body);
}

#[tokio::test]
async fn a_tenant_is_named_by_name_or_external_id_and_only_if_the_token_may() {
    let api = api().await;
    for (who, tenant, expected) in [
        ("viewer", None, "harbor/acme"),
        ("viewer", Some("acme"), "harbor/acme"),
        ("viewer", Some(TENANT_EXTERNAL_ID), "harbor/acme"),
        ("viewer", Some("globex"), "404 not-found"),
        ("viewer", Some("nobody"), "404 not-found"),
        ("root", None, "harbor"),
        ("root", Some("acme"), "harbor/acme"),
        ("root", Some(TENANT_EXTERNAL_ID), "harbor/acme"),
        ("root", Some("nobody"), "404 not-found"),
        ("root", Some("a#b"), "404 not-found"),
    ] {
        let request = api.get("/v1/counts/a").by(who);
        let request = if let Some(tenant) = tenant { request.header("weir-tenant", tenant) } else { request };
        let reply = request.send().await;
        let found = reply
            .body
            .get("scope")
            .and_then(|scope| scope.as_str())
            .map_or_else(|| reply.short(), str::to_owned);
        assert_eq!(found, expected, "{who} {tenant:?}");
    }
}

#[tokio::test]
async fn the_same_key_gets_the_same_answer_and_runs_once() {
    let api = api().await;
    let send = || api.post("/v1/counts").by("developer").key("k").json(&json!({ "name": "once" })).send();
    let (first, second) = (send().await, send().await);
    assert_eq!((first.status, &first.body), (201, &second.body));
    assert_eq!(
        (first.headers.get("idempotency-replayed"), &*second.headers["idempotency-replayed"]),
        (None, "true")
    );
    assert_eq!(runs("once"), 1);
    let another =
        api.post("/v1/counts").by("operator").key("k").json(&json!({ "name": "once" })).send().await;
    assert_ne!(another.expect(201)["id"], first.body["id"], "a key belongs to one actor");
    api.clock.advance(Millis::from_secs(25 * 3600));
    assert_ne!(send().await.expect(201)["id"], first.body["id"], "a key is forgotten after a day");
}

#[tokio::test]
async fn a_key_is_required_and_belongs_to_one_request() {
    let api = api().await;
    let body = json!({ "name": "keyed" });
    let without = api.post("/v1/counts").by("developer").without("idempotency-key").json(&body);
    assert_eq!(without.send().await.short(), "400 idempotency-key-missing");
    for key in [String::new(), "a b".to_owned(), "é".to_owned(), "x".repeat(256)] {
        let reply = api.post("/v1/counts").by("developer").key(&key).json(&body).send().await;
        assert_eq!(reply.short(), "400 idempotency-key-missing", "{key}");
    }
    api.post("/v1/counts").by("developer").key("k").json(&body).send().await.expect(201);
    let other =
        api.post("/v1/counts").by("developer").key("k").json(&json!({ "name": "other" })).send().await;
    assert_eq!(other.short(), "422 idempotency-key-reused");
}

#[tokio::test]
async fn what_was_refused_or_failed_may_be_tried_again_with_the_same_ids() {
    let api = api().await;
    let send = |fail: &str| {
        let key = format!("fails-{fail}");
        api.post("/v1/counts").by("developer").key(&key).json(&json!({ "name": fail, "fail": fail })).send()
    };
    for (fail, expected) in [("refused", "409 not-allowed-now"), ("failed", "500 internal")] {
        assert_eq!(send(fail).await.short(), expected);
        let second = send(fail).await;
        assert_eq!(second.status, 201, "{:#}", second.body);
        assert_eq!(
            second.body["id"], second.body["first_id"],
            "the second run meets what the first would have made"
        );
        assert_eq!(second.body["again"], true);
    }
}

#[tokio::test]
async fn a_run_that_was_cut_off_is_taken_over_after_its_lease() {
    let api = api().await;
    let send = || {
        api.post("/v1/counts")
            .by("developer")
            .key("hang")
            .json(&json!({ "name": "hang", "fail": "hang" }))
            .send()
    };
    let hanging = send();
    tokio::select! {
        biased;
        _ = hanging => panic!("the first run never ends"),
        () = std::future::ready(()) => {}
    }
    let early = send().await;
    assert_eq!(
        (early.short().as_str(), early.headers["retry-after"].as_str()),
        ("409 request-in-progress", "60")
    );
    api.clock.advance(Millis::from_secs(60));
    let late = send().await.expect(201);
    assert_eq!((&late["again"], &late["id"]), (&json!(true), &late["first_id"]));
}

#[tokio::test]
async fn a_secret_is_never_kept_and_the_endpoint_says_what_a_repeat_gets() {
    let api = api().await;
    let send = || api.post("/v1/secrets").by("admin").key("s").json(&json!({})).send();
    let first = send().await.expect(201);
    let stored = format!("{:?}", api.table.snapshot().records);
    assert!(!stored.contains(first["secret"].as_str().unwrap()), "{stored}");
    assert_eq!(send().await.short(), "409 secret-shown-once");
}

#[tokio::test]
async fn a_body_that_is_too_large_or_of_another_type_is_refused() {
    let api = api().await;
    let large = api
        .post("/v1/counts")
        .by("developer")
        .header("content-type", "application/json")
        .raw("x".repeat(300 * 1024));
    assert_eq!(large.send().await.short(), "413 body-too-large");
    let form = api.post("/v1/counts").by("developer").header("content-type", "text/plain").raw("name=a");
    assert_eq!(form.send().await.short(), "415 unsupported-media-type");
}

#[tokio::test]
async fn slack_is_believed_once_and_only_with_its_signature() {
    let api = api().await;
    let reply = api.post("/v1/callbacks").slack("payload=%7B%7D").send().await;
    assert_eq!(reply.expect(200)["payload"], "{}");
    assert_eq!(
        api.post("/v1/callbacks").slack("payload=%7B%7D").send().await.short(),
        "409 delivery-replayed"
    );
    let forged = api.post("/v1/callbacks").slack("payload=1").raw("payload=2").send().await;
    assert_eq!(forged.short(), "401 invalid-signature");
    assert_eq!(
        api.post("/v1/callbacks").by("admin").raw("payload=1").send().await.short(),
        "401 invalid-signature"
    );
    let old = api.post("/v1/callbacks").slack("payload=old");
    api.clock.advance(Millis::from_secs(301));
    assert_eq!(old.send().await.short(), "401 invalid-signature");
}

#[tokio::test]
async fn every_answer_names_its_request_and_nothing_is_cached() {
    let api = api().await;
    let reply = api.get("/v1/counts/a").by("nobody").send().await;
    assert_eq!(reply.body["request_id"], json!(reply.headers["x-request-id"]));
    assert_eq!(
        (&*reply.headers["cache-control"], &*reply.headers["content-type"]),
        ("no-store", "application/problem+json")
    );
    assert_eq!(reply.body["instance"], "/v1/counts/a");
    assert_eq!(reply.body["code"], "W0403");
    assert_eq!(Digest::of(&reply.body["errors"]).ok(), Digest::of(&json!(null)).ok());
}
