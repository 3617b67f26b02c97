//! `GET /v1/gates/{gate}`: one gate, with what it answers now and from when on it could open

use super::{decide::GatePath, view};
use weir_domain::gate::Gate;
use weir_edge::{Answer, Call, Cx, Endpoint, Nothing, Problem, Route, Use, wire::gate::GateView};
use weir_orchestration::gates;
use weir_store::{Entity as _, Key};

/// Shows a gate
pub struct GateGet;

impl Endpoint for GateGet {
    const ROUTE: Route = Route {
        path: "/v1/gates/{gate}",
        operation: "gate_get",
        permission: "gate:read",
        summary: "Shows what a gate waits for, what it was decided on, and when it could open at the earliest",
        uses: &[Use::TableRead, Use::ObjectsRead("plans/")],
        ..Route::GET
    };
    type Path = GatePath;
    type Query = Nothing;
    type Body = Nothing;
    type Reply = GateView;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<GateView>, Problem> {
        let id = call.path.gate;
        let missing = || Problem::not_found(format!("gate `{id}`"));
        let read = cx.table().read::<Gate>(&Key::entity(&call.scope, Gate::KIND, id)).await?;
        let (gate, _) = read.ok_or_else(missing)?;
        let operation = cx.table().operation_get(&call.scope, gate.operation_id).await?;
        let operation = operation.ok_or_else(missing)?;
        let graph = cx.engine().graph_of(&operation).await?;
        Ok(match gates::ask(cx.engine(), &operation, &graph, gate.ordinal).await? {
            Some((Some(gate), answer)) => view::asked(gate, answer, call.now),
            Some((None, _)) | None => view::view(gate, call.now),
        }
        .into())
    }
}
