//! `POST /v1/operations/{operation}/patches`: changes what an operation runs, as far as it has not started

use crate::{
    operation::OperationPath,
    refusal::{self, origin},
};
use weir_domain::plan::patch::PatchRecord;
use weir_edge::{Answer, Call, Cx, Endpoint, Nothing, Problem, Route, Use, wire::patch::PatchCreate as Body};
use weir_orchestration::PatchWish;

/// Changes what an operation runs, as far as it has not started
pub struct PatchCreate;

impl Endpoint for PatchCreate {
    const ROUTE: Route = Route {
        path: "/v1/operations/{operation}/patches",
        operation: "patch_create",
        permission: "patch:create",
        summary: "Adds, removes, rewires or changes nodes that have not started; voids the approvals that this concerns",
        uses: &[
            Use::TableRead,
            Use::TableWrite,
            Use::ObjectsRead("plans/"),
            Use::ObjectsRead("evidence/"),
            Use::ObjectsWrite("plans/"),
            Use::ObjectsWrite("evidence/"),
            Use::Sign,
            Use::PublicKey,
            Use::StartOperation,
            Use::StartSegment,
            Use::SendTask,
            Use::JobsSend,
            Use::NotifySend,
        ],
        ..Route::POST
    };
    type Path = OperationPath;
    type Query = Nothing;
    type Body = Body;
    type Reply = PatchRecord;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<PatchRecord>, Problem> {
        let wish = PatchWish { actor: &call.actor, reason: &call.body.reason, changes: &call.body.changes };
        let made = cx.engine().patch(&call.scope, call.path.operation, &origin(&call), wish).await;
        Ok(made.map_err(refusal::patch)?.into())
    }
}
