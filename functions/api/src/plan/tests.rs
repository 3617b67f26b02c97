use crate::fixture::Shop;

#[tokio::test]
async fn a_plan_of_others_and_one_that_is_none_are_not_there() {
    let shop = Shop::open().await;
    let promotion = shop.promote(shop.release, "environment.staging").await;
    let plan = promotion.promotion.plan_id;
    for (by, id, expected) in [
        ("viewer", plan.to_string(), "200"),
        ("stranger", plan.to_string(), "404 not-found"),
        ("nobody", plan.to_string(), "403 forbidden"),
        ("viewer", "pln_01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned(), "404 not-found"),
        ("viewer", promotion.promotion.release_id.to_string(), "400 invalid-id"),
    ] {
        assert_eq!(
            shop.api.get(&format!("/v1/plans/{id}")).by(by).send().await.short(),
            expected,
            "{by} {id}"
        );
        if by != "nobody" && by != "viewer" {
            let run = shop.api.post(&format!("/v1/plans/{id}/operations")).by(by).send().await;
            assert_eq!(run.short(), expected, "{by} {id}");
        }
    }
}
