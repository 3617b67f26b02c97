//! `GET /v1/operations/{operation}/patches`: the chain of an operation's patches

use crate::operation::{OperationPath, find};
use weir_edge::{Answer, Call, Cx, Endpoint, Nothing, Problem, Route, wire::patch::Patches};

/// Shows the chain of patches from an operation's plan to what it runs
pub struct PatchChain;

impl Endpoint for PatchChain {
    const ROUTE: Route = Route {
        path: "/v1/operations/{operation}/patches",
        operation: "patch_chain",
        permission: "patch:read",
        summary: "Shows the chain of patches from an operation's plan to what it runs",
        ..Route::GET
    };
    type Path = OperationPath;
    type Query = Nothing;
    type Body = Nothing;
    type Reply = Patches;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<Patches>, Problem> {
        let operation = find(cx, &call.scope, call.path.operation).await?;
        let items = cx.engine().patches(&operation).await?;
        Ok(Patches {
            operation_id: operation.info.operation_id,
            plan_id: operation.info.plan_id,
            graph_hash: operation.info.graph_hash.clone(),
            effective_hash: operation.graph_hash().clone(),
            items,
        }
        .into())
    }
}
