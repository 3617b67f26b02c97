//! `POST /v1/promotions`: brings a release into an environment, through its gates

use crate::refusal;
use weir_edge::{
    Answer, Call, Cx, Endpoint, Nothing, Problem, Route, Use,
    wire::promotion::{PromotionCreate as Body, PromotionView},
};
use weir_orchestration::delivery::{PromotionRequest, request_promotion};

/// Asks that a release be brought into an environment
pub struct PromotionCreate;

impl Endpoint for PromotionCreate {
    const ROUTE: Route = Route {
        path: "/v1/promotions",
        operation: "promotion_create",
        permission: "promotion:create",
        summary: "Brings a release into an environment, through its gates; 200 where that is under way already",
        uses: &[Use::TableRead, Use::TableWrite, Use::ObjectsWrite("plans/"), Use::StartOperation],
        ..Route::POST
    };
    type Path = Nothing;
    type Query = Nothing;
    type Body = Body;
    type Reply = PromotionView;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<PromotionView>, Problem> {
        let scope = call.tenant_scope()?.clone();
        let origin = refusal::origin(&call);
        let request = PromotionRequest {
            release_id: call.body.release_id,
            target_environment: call.body.target_environment_id,
            source_environment: call.body.source_environment_id,
            customizations: call.body.customizations,
        };
        let requested = request_promotion(cx.engine(), &scope, &call.actor, &origin, &request)
            .await
            .map_err(refusal::delivery)?;
        let view = PromotionView::from(requested.promotion);
        Ok(if requested.reused { Answer::with_status(200, view) } else { view.into() })
    }
}
