//! Notices: people are told of a gate where they are

use crate::{
    ReactorError,
    queue::{Failures, Message, messages},
};
use serde_json::{Value, json};
use std::{sync::OnceLock, time::Duration};
use weir_domain::{
    gate::{Gate, GateStatus},
    scope::Scope,
};
use weir_edge::{Cx, wire::secret::Secret};
use weir_orchestration::queues::Notice;
use weir_store::{Entity as _, Key};

/// How long Slack may take
const TIMEOUT: Duration = Duration::from_secs(10);

/// Posts each notice to Slack's incoming webhook, where one is configured
pub(crate) async fn run(cx: &Cx, event: Value) -> Result<Value, ReactorError> {
    let mut failures = Failures::default();
    for message in messages(event)? {
        let done = tell(cx, &message).await;
        failures.note(&message, done);
    }
    failures.answer()
}

async fn tell(cx: &Cx, message: &Message) -> Result<(), ReactorError> {
    let Some(webhook) = &cx.config.slack_webhook_url else { return Ok(()) };
    let notice: Notice = message.read()?;
    let key = Key::entity(&notice.scope, Gate::KIND, notice.gate);
    let Some((gate, _)) = cx.table().read::<Gate>(&key).await? else { return Ok(()) };
    post(webhook, &slack_message(&notice.scope, &gate)).await
}

async fn post(webhook: &Secret, message: &Value) -> Result<(), ReactorError> {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    let client = CLIENT.get_or_init(|| {
        // Refused when another part of the process has installed one, which is as good.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        reqwest::Client::new()
    });
    let request = client.post(webhook.expose()).timeout(TIMEOUT).json(message);
    // The address is a secret: an error may not name it.
    let answer =
        request.send().await.map_err(|error| ReactorError::Slack(error.without_url().to_string()))?;
    if answer.status().is_success() {
        return Ok(());
    }
    Err(ReactorError::Slack(format!("status {}", answer.status())))
}

/// What is asked, where, why it waits, and two buttons while it does
fn slack_message(scope: &Scope, gate: &Gate) -> Value {
    let who = gate.who();
    let asked_by = &gate.requested_by.id;
    let head = match gate.status {
        GateStatus::Open => format!("*{}* waits for {who}\nasked for by {asked_by}", gate.subject),
        GateStatus::Allowed | GateStatus::Denied | GateStatus::Expired | GateStatus::Void => {
            let by: Vec<&str> = gate.decisions.iter().map(|decision| decision.actor.id.as_str()).collect();
            let by = if by.is_empty() { String::new() } else { format!(" by {}", by.join(", ")) };
            format!("*{}* is {}{by}", gate.subject, gate.status.as_str())
        }
    };
    let mut blocks = vec![json!({ "type": "section", "text": { "type": "mrkdwn", "text": head } })];
    if gate.status == GateStatus::Open {
        let button = |text: &str, action: &str, style: &str| {
            json!({
                "type": "button", "action_id": action, "style": style,
                "text": { "type": "plain_text", "text": text },
                "value": format!("{scope}|{}", gate.gate_id),
            })
        };
        // A gate that is opened by hand asks for a reason, which a button cannot hold.
        if gate.spec.people().is_some_and(|people| !people.comment) {
            let buttons = [button("Approve", "approve", "primary"), button("Reject", "reject", "danger")];
            blocks.push(json!({ "type": "actions", "block_id": gate.gate_id, "elements": buttons }));
        } else {
            let how = format!("{}\n`weir approve {} -m …`", gate.spec.words(), gate.gate_id);
            blocks.push(json!({ "type": "section", "text": { "type": "mrkdwn", "text": how } }));
        }
    }
    json!({ "text": format!("{} is {}", gate.subject, gate.status.as_str()), "blocks": blocks })
}
