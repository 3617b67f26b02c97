//! `GET /v1/operations/{operation}/explain`: why an operation is not further, and when it could be

use super::{
    OperationPath,
    ahead::{self, Ahead},
    find,
    looked::Looked,
    view,
};
use std::collections::BTreeSet;
use weir_domain::{
    engine::Operation,
    operation::{Held, OperationStatus, OperationType},
};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Nothing, Problem, Route, Use,
    wire::explain::{Explanation, Obstacle},
};
use weir_orchestration::{
    rollback::rollback_id,
    scenario::{PARENT, retried_by},
};

/// Says why an operation is not further
pub struct OperationExplain;

impl Endpoint for OperationExplain {
    const ROUTE: Route = Route {
        path: "/v1/operations/{operation}/explain",
        operation: "operation_explain",
        permission: "operation:read",
        summary: "Says why an operation is not further, who or what can end that, and when it could go on at the earliest",
        uses: &[Use::TableRead, Use::ObjectsRead("plans/"), Use::LargeAnswers],
        ..Route::GET
    };
    type Path = OperationPath;
    type Query = Nothing;
    type Body = Nothing;
    type Reply = Explanation;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<Explanation>, Problem> {
        let operation = find(cx, &call.scope, call.path.operation).await?;
        let looked = Looked::at(cx, operation, call.now).await?;
        let operation = &looked.operation;
        let shown = view::view(operation, &looked.nodes, call.now);
        let (mut ahead, mut waits, mut earliest) = (Ahead::default(), Vec::new(), None);
        let mut commands = if operation.is_active() {
            ahead.look(cx, &looked, ahead::DEPTH).await?;
            waits = looked.waits(cx, usize::MAX).await?;
            earliest = looked.earliest(&ahead);
            own_commands(&looked, &waits)
        } else {
            after_end(cx, operation).await?
        };
        let (ahead, of_others) = ahead.told();
        commands.extend(of_others);
        let mut seen = BTreeSet::new();
        commands.retain(|command| seen.insert(command.clone()));
        Ok(Explanation {
            operation_id: shown.operation_id,
            title: shown.title,
            status: shown.status,
            since: shown.updated_at,
            commands,
            held: looked.held,
            queued_behind: looked.queued_behind,
            failure: shown.failure_summary,
            waits,
            ahead,
            earliest,
        }
        .into())
    }
}

/// What can be done about it, in the words of the command line
pub(super) fn own_commands(looked: &Looked, waits: &[Obstacle]) -> Vec<String> {
    let info = &looked.operation.info;
    let id = info.operation_id;
    let first = match &looked.held {
        Some(Held::Paused { by, .. }) => {
            let parent = info.parent.filter(|_| by == PARENT);
            vec![format!("weir operation resume {}", parent.map_or(id, |parent| parent.operation))]
        }
        Some(Held::Queued { behind }) => {
            let behind: BTreeSet<_> = behind.iter().collect();
            behind.into_iter().map(|ahead| format!("weir explain {ahead}")).collect()
        }
        Some(Held::Ending { .. } | Held::Beginning {}) | None => Vec::new(),
    };
    first.into_iter().chain(waits.iter().filter_map(|it| it.wait.command())).collect()
}

/// What can be done about an operation that has ended without succeeding
async fn after_end(cx: &Cx, operation: &Operation) -> Result<Vec<String>, Problem> {
    let (info, id) = (&operation.info, operation.info.operation_id);
    if operation.status == OperationStatus::Succeeded {
        return Ok(Vec::new());
    }
    if let Some(parent) = info.parent {
        return Ok(vec![format!("weir explain {}", parent.operation)]);
    }
    if info.operation_type != OperationType::ScenarioRun {
        return Ok(vec![format!("weir operation timeline {id}")]);
    }
    if let Some(again) = retried_by(cx.engine(), &info.scope, id).await? {
        return Ok(vec![format!("weir explain {again}")]);
    }
    let back = match rollback_id(operation) {
        Some(back) => cx.table().operation_get(&info.scope, back).await?,
        None => None,
    };
    Ok(vec![match back {
        Some(back) => format!("weir explain {}", back.info.operation_id),
        None => format!("weir operation retry {id}"),
    }])
}
