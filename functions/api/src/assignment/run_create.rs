//! `POST /v1/assignment-runs`: reads the assignments of a directory, or puts some back

use crate::{
    operation::{brief, find, started},
    refusal,
};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Kind, Nothing, Problem, Route, Use,
    wire::{assignment::AssignmentRunCreate as Body, operation::OperationView},
};
use weir_orchestration::assignments::{AssignmentError, AssignmentRequest, request_assignments};

/// The most assignments that are named one by one
const ONLY_MAX: usize = 1_000;

/// Longest name of a snapshot, in characters
const NAME_MAX: usize = 200;

/// Starts a run over assignments
pub struct AssignmentRunCreate;

impl Endpoint for AssignmentRunCreate {
    const ROUTE: Route = Route {
        path: "/v1/assignment-runs",
        operation: "assignment_run_create",
        permission: "assignment:run",
        summary: "Reads the assignments of a directory into a snapshot, or puts one back; 200 where that is under way already",
        uses: &[
            Use::TableRead,
            Use::TableWrite,
            Use::ObjectsRead("plans/"),
            Use::ObjectsRead("snapshots/"),
            Use::ObjectsWrite("plans/"),
            Use::StartOperation,
        ],
        ..Route::POST
    };
    type Path = Nothing;
    type Query = Nothing;
    type Body = Body;
    type Reply = OperationView;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<OperationView>, Problem> {
        let scope = call.tenant_scope()?;
        let request = request(call.body.clone())?;
        let origin = refusal::origin(&call);
        let placed = request_assignments(cx.engine(), scope, &call.actor, &origin, &request).await;
        let operation = placed.map_err(refused)?.operation();
        let view = brief(cx, &find(cx, scope, operation).await?, call.now).await?;
        Ok(started(view, operation == refusal::own_operation(&origin)))
    }
}

fn request(body: Body) -> Result<AssignmentRequest, Problem> {
    match body {
        Body::Fetch { provider, name } => {
            let fits = |name: &String| {
                !name.is_empty() && name.chars().count() <= NAME_MAX && !name.contains(char::is_control)
            };
            if name.as_ref().is_some_and(|name| !fits(name)) {
                let detail = format!("`name` has 1 to {NAME_MAX} characters on one line");
                return Err(Problem::new(Kind::InvalidBody, detail).at("/name", "not a name"));
            }
            Ok(AssignmentRequest::Fetch { provider, name })
        }
        Body::Restore { snapshot, only } => {
            if only.len() > ONLY_MAX {
                let detail = format!("at most {ONLY_MAX} assignments are named one by one");
                return Err(Problem::new(Kind::LimitExceeded, detail).at("/only", "too many"));
            }
            Ok(AssignmentRequest::Restore { snapshot, only })
        }
    }
}

fn refused(error: AssignmentError) -> Problem {
    let detail = error.to_string();
    let kind = match error {
        AssignmentError::NoProvider(_)
        | AssignmentError::NotProvided { .. }
        | AssignmentError::NoSnapshot(_)
        | AssignmentError::NotInSnapshot(..) => Kind::InvalidReference,
        AssignmentError::Plan(_) => Kind::InvalidDefinition,
        AssignmentError::Engine(error) => return error.into(),
    };
    Problem::new(kind, detail)
}
