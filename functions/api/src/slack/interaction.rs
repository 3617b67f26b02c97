//! What Slack sends when somebody clicks, as far as it is read, and what it is answered

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weir_domain::{gate::DecisionAction, id::GateId, scope::Scope};

/// The form that Slack posts; what it holds besides is of older kinds of message
#[derive(Debug, Deserialize, JsonSchema)]
pub struct SlackForm {
    /// The interaction, as JSON
    pub payload: String,
}

/// One click; Slack sends much more, and adds to it
#[derive(Debug, Deserialize)]
pub(super) struct Interaction {
    pub user: SlackUser,
    #[serde(default)]
    actions: Vec<SlackAction>,
    /// What stands in the message's fields
    #[serde(default)]
    state: SlackState,
}

/// Who clicked
#[derive(Debug, Deserialize)]
pub(super) struct SlackUser {
    pub id: String,
}

#[derive(Debug, Deserialize)]
struct SlackAction {
    action_id: String,
    #[serde(default)]
    value: String,
}

#[derive(Debug, Default, Deserialize)]
struct SlackState {
    #[serde(default)]
    values: std::collections::BTreeMap<String, std::collections::BTreeMap<String, SlackField>>,
}

#[derive(Debug, Deserialize)]
struct SlackField {
    #[serde(default)]
    value: Option<String>,
}

/// The field of a message in which the comment stands
const COMMENT: &str = "comment";

/// What the click says
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Click {
    pub action: DecisionAction,
    pub scope: Scope,
    pub gate: GateId,
}

impl Interaction {
    /// What was clicked: `approve` or `reject` with the value `<scope>|<gate id>`
    pub fn click(&self) -> Option<Click> {
        let [clicked] = self.actions.as_slice() else { return None };
        let action = match clicked.action_id.as_str() {
            "approve" => DecisionAction::Approved,
            "reject" => DecisionAction::Rejected,
            _ => return None,
        };
        let (scope, gate) = clicked.value.split_once('|')?;
        Some(Click { action, scope: scope.parse().ok()?, gate: gate.parse().ok()? })
    }

    /// What was written beside the buttons
    pub fn comment(&self) -> Option<&str> {
        let mut fields = self.state.values.values().filter_map(|block| block.get(COMMENT));
        fields.find_map(|field| field.value.as_deref()).map(str::trim).filter(|text| !text.is_empty())
    }
}

/// A message in answer to a click
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SlackMessage {
    /// `in_channel`, or `ephemeral`: shown to who clicked only
    pub response_type: &'static str,
    /// Whether it takes the place of the message with the buttons
    pub replace_original: bool,
    /// What it says
    pub text: String,
}

impl SlackMessage {
    /// Takes the place of the message with the buttons, for everybody
    pub const fn instead(text: String) -> Self {
        Self { response_type: "in_channel", replace_original: true, text }
    }

    /// For everybody; the buttons stay
    pub const fn beside(text: String) -> Self {
        Self { response_type: "in_channel", replace_original: false, text }
    }

    /// For who clicked only; the buttons stay
    pub const fn aside(text: String) -> Self {
        Self { response_type: "ephemeral", replace_original: false, text }
    }
}

/// `text` so that Slack shows it and reads nothing in it: no mention, no link
pub(super) fn plain(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn click(actions: Value) -> Option<Click> {
        serde_json::from_value::<Interaction>(json!({ "user": { "id": "U1" }, "actions": actions }))
            .unwrap()
            .click()
    }

    #[test]
    fn only_our_own_buttons_are_clicks() {
        let gate = "gat_01ARZ3NDEKTSV4RRFFQ69G5FAV";
        let value = format!("harbor/acme|{gate}");
        let found = click(json!([{ "action_id": "reject", "value": value }])).unwrap();
        assert_eq!(
            (found.action, found.scope.to_string()),
            (DecisionAction::Rejected, "harbor/acme".to_owned())
        );
        for actions in [
            json!([]),
            json!([{ "action_id": "approve" }]),
            json!([{ "action_id": "open", "value": value }]),
            json!([{ "action_id": "approve", "value": gate }]),
            json!([{ "action_id": "approve", "value": "harbor/acme|op_01ARZ3NDEKTSV4RRFFQ69G5FAV" }]),
            json!([{ "action_id": "approve", "value": value }, { "action_id": "reject", "value": value }]),
        ] {
            assert_eq!(click(actions.clone()), None, "{actions}");
        }
    }

    #[test]
    fn the_comment_is_what_stands_in_its_field() {
        let with = |state: Value| -> Option<String> {
            let all = json!({ "user": { "id": "U1" }, "state": { "values": state } });
            serde_json::from_value::<Interaction>(all).unwrap().comment().map(str::to_owned)
        };
        assert_eq!(with(json!({ "b": { "comment": { "value": " fine " } } })).as_deref(), Some("fine"));
        assert_eq!(with(json!({ "b": { "comment": { "value": null } } })), None);
        assert_eq!(with(json!({ "b": { "other": { "value": "x" } } })), None);
    }

    #[test]
    fn nobody_is_mentioned_by_what_others_wrote() {
        assert_eq!(plain("<!channel> a & b"), "&lt;!channel&gt; a &amp; b");
    }
}
