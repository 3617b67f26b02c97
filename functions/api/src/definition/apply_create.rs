//! `POST /v1/definition/applies`: makes a plan of changes true

use crate::{operation, refusal};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Kind, Nothing, Problem, Route, Use,
    wire::{definition::DefinitionApplyCreate, operation::OperationView},
};
use weir_orchestration::definition::request_apply;

/// Applies a planned change of the definition
pub struct DefinitionApply;

impl Endpoint for DefinitionApply {
    const ROUTE: Route = Route {
        path: "/v1/definition/applies",
        operation: "definition_apply_create",
        permission: "definition:apply",
        summary: "Starts the operation that makes a plan of changes true",
        uses: &[
            Use::TableRead,
            Use::TableWrite,
            Use::ObjectsRead("plans/"),
            Use::ObjectsRead("state/"),
            Use::StartOperation,
        ],
        ..Route::POST
    };
    type Path = Nothing;
    type Query = Nothing;
    type Body = DefinitionApplyCreate;
    type Reply = OperationView;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<OperationView>, Problem> {
        if call.scope.tenant.is_some() {
            let detail = "the definition is the whole workspace's: apply it as somebody of the workspace, without `Weir-Tenant`";
            return Err(Problem::new(Kind::Forbidden, detail));
        }
        let origin = refusal::origin(&call);
        let placed = request_apply(cx.engine(), &call.scope, &call.actor, &origin, call.body.plan_id).await;
        let id = placed.map_err(refusal::definition)?.operation();
        let found = operation::find(cx, &call.scope, id).await?;
        let view = operation::brief(cx, &found, call.now).await?;
        Ok(operation::started(view, id == refusal::own_operation(&origin)))
    }
}
