//! What somebody asks of a whole operation: that it ends, that it holds, that it goes on

use serde_json::json;
use weir_domain::{
    engine::{Operation, OperationUpdate},
    timeline::TimelineKind,
};
use weir_edge::{Call, Cx, Endpoint, Kind, Problem};
use weir_store::Write;

/// Longest reason, in characters
const REASON_MAX: usize = 500;

/// A wish, and how it is told
pub(super) struct Wish<'a> {
    /// What it changes
    pub update: OperationUpdate,
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

/// Records the wish with its events, if the operation as it stands lets it come true
///
/// Somebody who asked for the same at the same moment makes it a conflict, and is as good.
pub(super) async fn record<E: Endpoint>(
    cx: &Cx,
    call: &Call<E>,
    operation: &Operation,
    wish: Wish<'_>,
) -> Result<(), Problem> {
    if !wish.update.allows(operation) {
        return Ok(());
    }
    let (engine, id) = (cx.engine(), operation.info.operation_id);
    let mut message = format!("{} {}", call.actor.id, wish.words);
    if let Some(reason) = wish.reason {
        message.push_str(&format!(": {reason}"));
    }
    let subject = ("operation", id.to_string());
    let metadata = json!({ "reason": wish.reason });
    let writes = [
        Write::Operation { scope: call.scope.clone(), operation: id, update: wish.update },
        engine.event(operation, wish.kind, message, Some(&call.actor))?,
        engine.audit(&call.scope, &call.actor, wish.action, subject, metadata, Some(call.request))?,
    ];
    engine.commit(&writes).await?;
    Ok(())
}
