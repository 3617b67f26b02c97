//! `GET /v1/promotions/{promotion}`: a promotion, with what each of its gates answered

use schemars::JsonSchema;
use serde::Deserialize;
use weir_domain::{delivery::Promotion, id::PromotionId};
use weir_edge::{Answer, Call, Cx, Endpoint, Nothing, Problem, Route, wire::promotion::PromotionView};
use weir_store::{Entity as _, Key};

/// Shows a promotion and how it was decided
pub struct PromotionGet;

/// Which promotion
#[derive(Debug, Deserialize, JsonSchema)]
pub struct PromotionPath {
    /// The promotion
    promotion: PromotionId,
}

impl Endpoint for PromotionGet {
    const ROUTE: Route = Route {
        path: "/v1/promotions/{promotion}",
        operation: "promotion_get",
        permission: "promotion:read",
        summary: "Shows a promotion, with what each of its gates answered",
        ..Route::GET
    };
    type Path = PromotionPath;
    type Query = Nothing;
    type Body = Nothing;
    type Reply = PromotionView;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<PromotionView>, Problem> {
        let id = call.path.promotion;
        let found = cx.table().read::<Promotion>(&Key::entity(&call.scope, Promotion::KIND, id)).await?;
        let (promotion, _) = found.ok_or_else(|| Problem::not_found(format!("promotion `{id}`")))?;
        Ok(PromotionView::from(promotion).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Shop;

    #[tokio::test]
    async fn a_promotion_tells_how_it_was_decided_and_only_to_its_tenant() {
        let shop = Shop::open().await;
        let asked = shop.promote(shop.release, "environment.staging").await.promotion;
        let path = format!("/v1/promotions/{}", asked.id);
        let shown: PromotionView = shop.api.get(&path).by("viewer").send().await.read(200);
        assert_eq!((shown.promotion.id, shown.promotion.workflow_run_id), (asked.id, asked.workflow_run_id));
        let gates: Vec<_> = shown.promotion.decision_record.iter().map(|gate| gate.kind.as_str()).collect();
        assert_eq!(gates, ["freeze_window"]);
        for (by, path, expected) in [
            ("stranger", path.as_str(), "404 not-found"),
            ("nobody", &path, "403 forbidden"),
            ("viewer", "/v1/promotions/prm_01ARZ3NDEKTSV4RRFFQ69G5FAV", "404 not-found"),
            ("viewer", &format!("/v1/promotions/{}", asked.release_id), "400 invalid-id"),
        ] {
            assert_eq!(shop.api.get(path).by(by).send().await.short(), expected, "{by} {path}");
        }
    }
}
