//! Audit events: append-only, ordered by time, without secrets (requirement 001)

pub mod chain;

use crate::{
    actor::Actor,
    id::{AuditId, RequestId},
    sanitise::{REDACTED, is_secret_name},
    time::Time,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// That somebody did something, or tried to
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuditEvent {
    /// What it is called everywhere; sorts by time
    pub id: AuditId,
    /// When
    pub ts: Time,
    /// Who
    pub actor: Actor,
    /// What, as `noun.verb`
    pub action: String,
    /// What kind of thing it was done to
    pub subject_type: String,
    /// Which
    pub subject_id: String,
    /// What else is worth knowing; redacted when it is made
    pub metadata: Map<String, Value>,
    /// The request by which it was done
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    /// Where it stands in the audit chain, once it has been sealed there
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
}

impl AuditEvent {
    /// That `actor` did `action` (`noun.verb`) to a subject, with `metadata` redacted
    pub fn new(
        id: AuditId,
        ts: Time,
        actor: Actor,
        action: &str,
        subject: (&str, String),
        metadata: Value,
        request_id: Option<RequestId>,
    ) -> Self {
        let metadata = match redact(metadata) {
            Value::Object(map) => map,
            Value::Null => Map::new(),
            other @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
                Map::from_iter([("value".to_owned(), other)])
            }
        };
        let (subject_type, subject_id) = (subject.0.to_owned(), subject.1);
        Self {
            id,
            ts,
            actor,
            action: action.to_owned(),
            subject_type,
            subject_id,
            metadata,
            request_id,
            seq: None,
        }
    }

    /// The day that it belongs to, `YYYY-MM-DD`, UTC
    pub fn day(&self) -> String {
        self.ts.to_string().chars().take(10).collect()
    }
}

/// `value` with everything that stands under a key that may hold a secret taken out
fn redact(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.into_iter()
                .map(|(key, value)| {
                    let value =
                        if is_secret_name(&key) { Value::String(REDACTED.to_owned()) } else { redact(value) };
                    (key, value)
                })
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(redact).collect()),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Id as _;
    use crate::time::Millis;
    use serde_json::json;

    fn event(metadata: Value) -> AuditEvent {
        let at = Time::from(Millis(1_763_700_000_000));
        AuditEvent::new(
            AuditId::new(1, 1),
            at,
            Actor::system("test"),
            "agent.create",
            ("agent", "a".into()),
            metadata,
            None,
        )
    }

    #[test]
    fn what_may_be_a_secret_is_taken_out_at_any_depth() {
        let made = event(json!({
            "name": "stg-1", "registration_token": "wrt_1",
            "more": [{ "Authorization": "Bearer x", "env": { "DB_PASSWORD": "p", "PORT": "80" } }],
        }));
        let text = serde_json::to_string(&made).unwrap();
        for secret in ["wrt_1", "Bearer x", "\"p\""] {
            assert!(!text.contains(secret), "{text}");
        }
        assert!(text.contains("stg-1") && text.contains("80"));
    }

    #[test]
    fn the_day_is_that_of_its_time_in_utc() {
        assert_eq!(event(Value::Null).day(), "2025-11-21");
    }
}
