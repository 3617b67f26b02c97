//! What somebody asks of a whole operation: that it ends, that it holds, that it goes on

use serde_json::json;
use weir_domain::{engine::Operation, timeline::TimelineKind};
use weir_edge::{Call, Cx, Endpoint, Kind, Problem};
use weir_orchestration::EngineError;
use weir_store::Write;

/// Longest reason, in characters
const REASON_MAX: usize = 500;

/// A wish, and how it is told
pub(super) struct Wish<'a> {
    /// As what the timeline tells it
    pub kind: TimelineKind,
    /// As what the audit trail tells it
    pub action: &'static str,
    /// In words, after the actor's name
    pub words: &'static str,
    /// Why
    pub reason: Option<&'a str>,
}

/// The reason, if it is not too long
pub(super) fn reason(given: Option<&String>) -> Result<Option<&str>, Problem> {
    if given.is_some_and(|reason| reason.chars().count() > REASON_MAX) {
        let detail = format!("a reason has at most {REASON_MAX} characters");
        return Err(Problem::new(Kind::LimitExceeded, detail));
    }
    Ok(given.map(String::as_str))
}

impl Wish<'_> {
    /// What is written of the wish together with what it changes: an event of the timeline, and one of the audit trail
    pub fn told<E: Endpoint>(
        &self,
        cx: &Cx,
        call: &Call<E>,
        operation: &Operation,
    ) -> Result<Vec<Write>, EngineError> {
        let engine = cx.engine();
        let mut message = format!("{} {}", call.actor.id, self.words);
        if let Some(reason) = self.reason {
            message.push_str(&format!(": {reason}"));
        }
        let subject = ("operation", operation.info.operation_id.to_string());
        let metadata = json!({ "reason": self.reason });
        Ok(vec![
            engine.event(operation, self.kind, message, Some(&call.actor))?,
            engine.audit(&call.scope, &call.actor, self.action, subject, metadata, Some(call.request))?,
        ])
    }
}
