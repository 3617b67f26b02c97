//! `POST /v1/interventions/{intervention}/decisions`: has a node tried again, skips it, or says that it is done

use schemars::JsonSchema;
use serde::Deserialize;
use weir_domain::{
    id::InterventionId,
    intervention::{Intervention, InterventionRefusal, InterventionRequest},
};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Kind, Nothing, Problem, Route, function,
    wire::intervention::InterventionDecide as Body,
};
use weir_orchestration::interventions::{InterventionError, record_intervention};
use weir_store::NodeKey;

/// Decides what becomes of a node that waits for a person
pub struct InterventionDecide;

/// Which intervention
#[derive(Debug, Deserialize, JsonSchema)]
pub struct InterventionPath {
    /// The intervention
    intervention: InterventionId,
}

impl Endpoint for InterventionDecide {
    const ROUTE: Route = Route {
        path: "/v1/interventions/{intervention}/decisions",
        operation: "intervention_decide",
        permission: "intervention:decide",
        summary: "Has a node that waits for a person tried again, skips it, or says that it was done by hand",
        uses: function::DRIVING,
        ..Route::POST
    };
    type Path = InterventionPath;
    type Query = Nothing;
    type Body = Body;
    type Reply = Intervention;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<Intervention>, Problem> {
        let (id, body) = (call.path.intervention, &call.body);
        let request = InterventionRequest {
            actor: &call.actor,
            action: body.action,
            comment: body.comment.as_deref(),
            inputs: &body.inputs,
            graph_hash: body.graph_hash.as_ref(),
            now: call.now,
        };
        match record_intervention(cx.engine(), &call.scope, id, request, Some(call.request)).await {
            Ok(decided) => Ok(decided.into()),
            Err(InterventionError::NotFound(id)) => Err(Problem::not_found(format!("intervention `{id}`"))),
            Err(InterventionError::Refused(InterventionRefusal::Decided, found))
                if was_own(&call, &found) =>
            {
                // The first run was cut off after it had decided: what follows is done again, which is harmless.
                let key = NodeKey::new(&call.scope, found.operation_id, found.ordinal);
                cx.engine().drive_node(&key).await?;
                Ok((*found).into())
            }
            Err(InterventionError::Refused(refused, found)) => Err(refusal(&refused, &found)),
            Err(InterventionError::Engine(error)) => Err(error.into()),
        }
    }
}

/// Whether the decision that is in the way is that of this very call
fn was_own(call: &Call<InterventionDecide>, found: &Intervention) -> bool {
    let same = found.decision.as_ref().is_some_and(|decision| {
        decision.actor == call.actor
            && decision.action == call.body.action
            && decision.comment == call.body.comment
            && decision.at.millis() >= call.ids.created_at()
    });
    call.again && same
}

/// Why the decision does not count, and what would
fn refusal(refused: &InterventionRefusal, found: &Intervention) -> Problem {
    let id = found.intervention_id;
    let invalid = |pointer: &str, message: &str| {
        Problem::new(Kind::InvalidBody, format!("the body was refused at `{pointer}`: {message}"))
            .at(pointer, message)
    };
    match refused {
        InterventionRefusal::Decided => {
            let by = found.decision.as_ref().map_or("somebody", |decision| decision.actor.id.as_str());
            Problem::new(Kind::AlreadyDecided, format!("`{by}` has decided on intervention `{id}` already"))
        }
        InterventionRefusal::Void => Problem::new(
            Kind::NotAllowedNow,
            format!(
                "node `{}` of operation `{}` waits for nobody any more",
                found.node_id, found.operation_id
            ),
        ),
        InterventionRefusal::HashChanged => Problem::new(
            Kind::PlanChanged,
            format!("the plan of `{}` is not the one that was shown; look at it again", found.operation_id),
        ),
        InterventionRefusal::NotPossible(..) => Problem::new(Kind::NotAllowedNow, refused.to_string()),
        InterventionRefusal::CommentTooLong | InterventionRefusal::TooLarge(_) => {
            Problem::new(Kind::LimitExceeded, refused.to_string())
        }
        InterventionRefusal::Inputs => invalid("/inputs", &refused.to_string()),
        InterventionRefusal::UnknownInput(name, _)
        | InterventionRefusal::Elsewhere(name)
        | InterventionRefusal::Secret(name) => invalid(&format!("/inputs/{name}"), &refused.to_string()),
    }
}
