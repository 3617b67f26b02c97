//! `POST /v1/slack/interactions`: somebody clicked
//!
//! Slack shows what is answered within three seconds, and shows its own error for anything but 200: so what a rule
//! refuses is said in a message that only who clicked sees.

use super::{
    interaction::{Click, Interaction, SlackForm, SlackMessage, plain},
    people,
};
use crate::gate::refusal;
use weir_domain::{
    actor::Actor,
    gate::{DecisionAction, DecisionRequest, Gate, GateStatus, tally},
};
use weir_edge::{
    Answer, Auth, Call, Cx, Endpoint, Idempotency, Kind, Nothing, Problem, Route, authz, function,
};
use weir_orchestration::gates::{DecisionError, record_decision};

/// Decides at a gate for who clicked
pub struct SlackInteract;

impl Endpoint for SlackInteract {
    const ROUTE: Route = Route {
        path: "/v1/slack/interactions",
        operation: "slack_interact",
        success: 200,
        auth: Auth::SlackSignature,
        idempotency: Idempotency::None,
        summary: "Approves or rejects for who clicked in Slack",
        uses: function::DRIVING,
        ..Route::POST
    };
    type Path = Nothing;
    type Query = Nothing;
    type Body = SlackForm;
    type Reply = SlackMessage;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<SlackMessage>, Problem> {
        let read = serde_json::from_str::<Interaction>(&call.body.payload);
        let interaction = read.map_err(|error| {
            Problem::new(Kind::InvalidBody, "`payload` is no interaction of Slack").because(error)
        })?;
        // The value of a button is ours, but whose message it stands in is not: it leads nowhere else.
        let click = interaction.click().filter(|click| click.scope.workspace == cx.config.workspace);
        let Some(click) = click else {
            return Ok(SlackMessage::aside("This button is none that decides here.".to_owned()).into());
        };
        let Some(actor) = people::actor(cx, &click.scope, &interaction.user.id).await? else {
            let text = format!(
                "I do not know who `{}` is here. Add this Slack user to `config.users` of the Slack integration and apply it.",
                plain(&interaction.user.id),
            );
            return Ok(SlackMessage::aside(text).into());
        };
        Ok(match decide(cx, &call, &actor, &click, interaction.comment()).await {
            Ok(gate) => {
                let text = told(&gate, &actor, click.action, call.now);
                if gate.status == GateStatus::Open {
                    SlackMessage::beside(text)
                } else {
                    SlackMessage::instead(text)
                }
            }
            Err(refused) if refused.kind.status() < 500 => {
                SlackMessage::aside(plain(&format!("{}: {}", refused.kind.title(), refused.detail)))
            }
            Err(failed) => return Err(failed),
        }
        .into())
    }
}

async fn decide(
    cx: &Cx,
    call: &Call<SlackInteract>,
    actor: &Actor,
    click: &Click,
    comment: Option<&str>,
) -> Result<Gate, Problem> {
    authz::require(actor, "gate:decide")?;
    let request = DecisionRequest { actor, action: click.action, comment, closure_hash: None, now: call.now };
    match record_decision(cx.engine(), &click.scope, click.gate, request, Some(call.request)).await {
        Ok(gate) => Ok(gate),
        Err(DecisionError::NotFound(id)) => Err(Problem::not_found(format!("gate `{id}`"))),
        Err(DecisionError::Refused(refused, gate)) => Err(refusal(refused, actor, &gate)),
        Err(DecisionError::Engine(error)) => Err(error.into()),
    }
}

/// What everybody sees in the place of the buttons: who, when, and what it waits for still
fn told(gate: &Gate, actor: &Actor, action: DecisionAction, now: weir_domain::time::Millis) -> String {
    let (glyph, did) = match action {
        DecisionAction::Approved => ("✔", "approved"),
        DecisionAction::Rejected => ("✖", "rejected"),
    };
    let at = now.timestamp().strftime("%H:%M UTC");
    let mut text = format!("{glyph} {} · {did} by {} · {at}", plain(&gate.subject), plain(&actor.id));
    let comment = gate.decisions.last().and_then(|decision| decision.comment.as_deref());
    if let Some(comment) = comment {
        text.push_str(&format!("\n> {}", plain(comment).replace('\n', "\n> ")));
    }
    if gate.status == GateStatus::Open {
        let (have, need) = tally(gate, now).unwrap_or_default();
        text.push_str(&format!("\napprovals {have} of {need} · needs {}", plain(&gate.who())));
    }
    text
}
