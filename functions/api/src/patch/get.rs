//! `GET /v1/operations/{operation}/patches/{patch}`: one patch, whole

use crate::operation::find;
use schemars::JsonSchema;
use serde::Deserialize;
use weir_domain::{
    id::{OperationId, PatchId},
    plan::PlanPatch,
};
use weir_edge::{Answer, Call, Cx, Endpoint, Nothing, Problem, Route, Use};
use weir_orchestration::PlanDocument;

/// Shows one patch as it is hashed
pub struct PatchGet;

/// Which patch
#[derive(Debug, Deserialize, JsonSchema)]
pub struct PatchPath {
    /// The operation
    operation: OperationId,
    /// The patch
    patch: PatchId,
}

impl Endpoint for PatchGet {
    const ROUTE: Route = Route {
        path: "/v1/operations/{operation}/patches/{patch}",
        operation: "patch_get",
        permission: "patch:read",
        summary: "Shows one patch as it is hashed: with it and those before anyone can replay the plan",
        uses: &[Use::TableRead, Use::ObjectsRead("plans/"), Use::LargeAnswers],
        ..Route::GET
    };
    type Path = PatchPath;
    type Query = Nothing;
    type Body = Nothing;
    type Reply = PlanPatch;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<PlanPatch>, Problem> {
        let id = call.path.patch;
        let operation = find(cx, &call.scope, call.path.operation).await?;
        let found = cx.engine().patches(&operation).await?.into_iter().find(|patch| patch.patch_id == id);
        let record = found.ok_or_else(|| Problem::not_found(format!("patch `{id}`")))?;
        match cx.engine().plan_document(&record.effective_hash).await? {
            PlanDocument::Patch(patch) => Ok((*patch).into()),
            PlanDocument::Graph(_) => Err(Problem::internal(format!("patch `{id}` is kept as a plan"))),
        }
    }
}
