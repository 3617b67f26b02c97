//! Slack, played by this machine: takes the notices of the stack, and clicks their buttons
//!
//! The stack knows no difference: its reactor posts to a webhook, and a click comes back as a callback that
//! is signed as Slack signs (`v0`) with the secret of the stack.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Json, State};
use axum::routing::post;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use weir_client::clock;
use weir_edge::authn::slack::sign;

use crate::error::{LocalError, Result};
use crate::state::StateDir;
use crate::{net, process};

const FILE: &str = "slack.json";

/// Notices that are kept; nobody looks for older ones
const KEPT: usize = 1_000;

/// How long a click may take; Slack itself gives up after three seconds
const CLICK: Duration = Duration::from_secs(30);

/// A workspace of Slack with one channel
#[derive(Clone)]
pub struct Slack {
    settings: Settings,
    received: Arc<Mutex<Vec<Value>>>,
}

/// Kept across restarts, so that what is deployed stays as it is
#[derive(Clone, Serialize, Deserialize)]
struct Settings {
    signing_secret: String,
    /// A part of the webhook's path that other users of this machine can not guess
    path: String,
}

/// Without the secret and the address, which is one too
impl std::fmt::Debug for Slack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slack").finish_non_exhaustive()
    }
}

impl Slack {
    /// With the secrets of the last time, or new ones
    pub fn load(state: &StateDir) -> Result<Self> {
        let settings = match state.read::<Settings>(FILE) {
            Some(settings) => settings,
            None => {
                let settings = Settings {
                    signing_secret: format!("{}{}", process::new_mark(), process::new_mark()),
                    path: process::new_mark(),
                };
                state.write(FILE, &settings)?;
                settings
            }
        };
        Ok(Self { settings, received: Arc::default() })
    }

    /// What the template is told, where the API is at `api_url`
    pub fn parameters(&self, api_url: &str) -> [(&'static str, String); 2] {
        [
            ("SlackSigningSecret", self.settings.signing_secret.clone()),
            ("SlackWebhookUrl", format!("{api_url}/_local/slack/{}", self.settings.path)),
        ]
    }

    /// The incoming webhook
    pub fn router(&self) -> Router {
        let path = format!("/_local/slack/{}", self.settings.path);
        Router::new().route(&path, post(receive)).with_state(Arc::clone(&self.received))
    }

    /// What stands in the button `action` of the notice that asks for a decision at `gate`
    pub fn button(&self, action: &str, gate: &str) -> Option<String> {
        let received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        let blocks = received.iter().rev().filter_map(|notice| notice.get("blocks")?.as_array());
        let elements = blocks.flatten().filter_map(|block| block.get("elements")?.as_array()).flatten();
        let mut values = elements
            .filter(|element| element.get("action_id").and_then(Value::as_str) == Some(action))
            .filter_map(|element| element.get("value")?.as_str());
        values.find(|value| value.ends_with(gate)).map(str::to_owned)
    }

    /// Clicks a button as the Slack user `user`; what Slack would show then
    pub async fn click(&self, api_url: &str, user: &str, action: &str, value: &str) -> Result<String> {
        let payload = json!({
            "type": "block_actions",
            "user": { "id": user },
            "actions": [{ "action_id": action, "value": value }],
        });
        let body = form(&payload.to_string());
        let timestamp = clock::now().as_second().to_string();
        let fail = |reason: String| LocalError::Call { call: "the callback of Slack".to_owned(), reason };
        let signature = sign(&self.settings.signing_secret, &timestamp, body.as_bytes())
            .ok_or_else(|| fail("it could not be signed".to_owned()))?;
        let request = net::client(CLICK)?
            .post(format!("{api_url}/v1/slack/interactions"))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("x-slack-request-timestamp", timestamp)
            .header("x-slack-signature", signature)
            .body(body);
        let answer = request.send().await.map_err(|error| fail(error.to_string()))?;
        let status = answer.status();
        let text = answer.text().await.map_err(|error| fail(error.to_string()))?;
        let message = serde_json::from_str::<Value>(&text).ok();
        let shown = message.as_ref().and_then(|message| message.get("text")?.as_str());
        match shown {
            Some(shown) if status.is_success() => Ok(shown.to_owned()),
            _ => Err(fail(format!("{status} {text}"))),
        }
    }
}

async fn receive(State(received): State<Arc<Mutex<Vec<Value>>>>, Json(notice): Json<Value>) -> &'static str {
    let mut received = received.lock().unwrap_or_else(PoisonError::into_inner);
    if received.len() == KEPT {
        received.remove(0);
    }
    received.push(notice);
    "ok"
}

/// The one field that Slack sends, encoded as a form
fn form(payload: &str) -> String {
    let encoded = payload.bytes().map(|byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    format!("payload={}", encoded.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_button_of_a_gate_is_found_in_its_notice() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(folder.path()).unwrap();
        let slack = Slack::load(&state).unwrap();
        for gate in ["gat_1", "gat_2"] {
            let button = json!({ "action_id": "approve", "value": format!("harbor/acme|{gate}") });
            let notice = json!({ "blocks": [{ "type": "section" }, { "elements": [button] }] });
            receive(State(Arc::clone(&slack.received)), Json(notice)).await;
        }
        assert_eq!(slack.button("approve", "gat_1").as_deref(), Some("harbor/acme|gat_1"));
        assert_eq!(slack.button("reject", "gat_1"), None);
        assert_eq!(slack.button("approve", "gat_3"), None);
    }

    #[test]
    fn secrets_are_kept_and_not_printed() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(folder.path()).unwrap();
        let (first, again) = (Slack::load(&state).unwrap(), Slack::load(&state).unwrap());
        assert_eq!(first.parameters("http://x"), again.parameters("http://x"));
        assert!(!format!("{first:?}").contains(&first.settings.signing_secret));
    }

    #[test]
    fn a_payload_is_one_field_of_a_form() {
        assert_eq!(form("{\"a\": 1}"), "payload=%7B%22a%22%3A%201%7D");
    }
}
