use crate::fixture::Shop;
use serde_json::json;
use weir_domain::{delivery::PromotionStatus, id::ReleaseId};
use weir_edge::wire::{page::Page, promotion::PromotionView};

#[tokio::test]
async fn a_release_is_brought_to_staging_once() {
    let shop = Shop::open().await;
    let first: PromotionView = shop.ask("alice", shop.release, "environment.staging").await.read(201);
    let promotion = &first.promotion;
    assert_eq!((promotion.status, promotion.requested_by.id.as_str()), (PromotionStatus::Pending, "alice"));
    assert_eq!(shop.api.cloud.told().operations.len(), 1);
    // Another request, by somebody else: the same operation is under way.
    let again: PromotionView = shop.ask("bob", shop.release, "environment.staging").await.read(200);
    assert_eq!(again.promotion.id, promotion.id);
    let listed = shop.api.get("/v1/promotions?status=pending").by("viewer").send().await;
    let listed: Page<PromotionView> = listed.read(200);
    assert_eq!(listed.items.iter().map(|it| it.promotion.id).collect::<Vec<_>>(), [promotion.id]);
    let elsewhere: Page<PromotionView> = shop.api.get("/v1/promotions").by("stranger").send().await.read(200);
    assert_eq!(elsewhere.items, []);
}

#[tokio::test]
async fn the_same_key_gets_the_same_answer() {
    let shop = Shop::open().await;
    let body = json!({ "release_id": shop.release, "target_environment_id": "environment.staging" });
    let ask = || shop.api.post("/v1/promotions").key("k1").by("alice").json(&body).send();
    let (first, second) = (ask().await, ask().await);
    assert_eq!((first.status, second.status, &first.body), (201, 201, &second.body));
    let other = json!({ "release_id": shop.release, "target_environment_id": "environment.production" });
    let reused = shop.api.post("/v1/promotions").key("k1").by("alice").json(&other).send().await;
    assert_eq!(reused.short(), "422 idempotency-key-reused");
}

#[tokio::test]
async fn what_cannot_be_promoted_is_refused_with_the_rule() {
    let shop = Shop::open().await;
    let staging = "environment.staging";
    for (by, release, environment, expected) in [
        ("viewer", shop.release, staging, "403 forbidden"),
        ("root", shop.release, staging, "400 tenant-required"),
        ("stranger", shop.release, staging, "422 invalid-reference"),
        (
            "alice",
            "rel_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse::<ReleaseId>().unwrap(),
            staging,
            "422 invalid-reference",
        ),
        ("alice", shop.release, "environment.moon", "422 invalid-reference"),
        ("alice", shop.release, "environment.production", "409 not-allowed-now"),
    ] {
        assert_eq!(shop.ask(by, release, environment).await.short(), expected, "{by} {environment}");
    }
    for body in [
        json!({ "release_id": "pln_01ARZ3NDEKTSV4RRFFQ69G5FAV", "target_environment_id": staging }),
        json!({ "release_id": shop.release }),
        json!({ "release_id": shop.release, "target_environment_id": staging, "forse": true }),
        json!({ "release_id": shop.release, "target_environment_id": 7 }),
    ] {
        let reply = shop.api.post("/v1/promotions").by("alice").json(&body).send().await;
        assert_eq!(reply.short(), "400 invalid-body", "{body}");
    }
    assert!(shop.api.cloud.told().operations.is_empty());
}
