//! Callbacks of jobs: a token that one attempt was given, signed where the job's own request was

use super::{Caller, unknown};
use crate::{Cx, Kind, Problem, Proof, router::HttpRequest};
use weir_adapters::sign::{AGE_MAX_S, SIGNATURE, Signed, TIMESTAMP};
use weir_domain::{
    actor::{Actor, ActorKind},
    canonical::Digest,
    id::TaskId,
    time::Millis,
};
use weir_orchestration::callbacks::{CallbackRow, PREFIX};
use weir_store::Key;

/// Whoever was given the token that stands last in the path. It is let through when its attempt has ended, too: only
/// the handler can tell a late callback from a repeated one
pub(super) async fn recognise(cx: &Cx, request: &HttpRequest, now: Millis) -> Result<Caller, Problem> {
    let token = request.path.rsplit('/').next().filter(|token| token.starts_with(PREFIX));
    let hash = Digest::of_bytes(token.ok_or_else(unknown)?.as_bytes());
    let found = cx.table().read::<CallbackRow>(&Key::token(&cx.workspace(), &hash)).await?;
    let (row, _) = found.ok_or_else(unknown)?;
    if let Some(name) = &row.signed_with {
        let secret = cx.config.job_secrets.get(name).ok_or_else(invalid)?;
        verify(secret, request, now)?;
    }
    let task = TaskId { operation: row.operation, ordinal: row.ordinal };
    let actor =
        Actor { id: format!("callback:{task}"), kind: ActorKind::Service, ..Actor::system("callback") };
    let scope = row.scope.clone();
    Ok(Caller { actor, proof: Proof::Callback(Box::new(row)), scope })
}

/// Signs a callback now at `timestamp`: for whoever plays a job in tests
pub fn sign(secret: &str, timestamp: i64, path: &str, body: &[u8]) -> String {
    Signed { timestamp, method: "POST", path, body }.signature(secret)
}

fn verify(secret: &str, request: &HttpRequest, now: Millis) -> Result<(), Problem> {
    let timestamp = request.header(TIMESTAMP).and_then(|it| it.parse::<i64>().ok()).ok_or_else(invalid)?;
    let signature = request.header(SIGNATURE).ok_or_else(invalid)?;
    let apart = (now.0.div_euclid(1000)).saturating_sub(timestamp).saturating_abs();
    let path = if request.query.is_empty() {
        request.path.clone()
    } else {
        format!("{}?{}", request.path, request.query)
    };
    let signed = Signed { timestamp, method: &request.method, path: &path, body: &request.body };
    if apart <= AGE_MAX_S && signed.is_signed_by(secret, signature) { Ok(()) } else { Err(invalid()) }
}

fn invalid() -> Problem {
    Problem::new(
        Kind::InvalidSignature,
        "the callback is not signed with the secret that the job's own request was signed with, or is too old",
    )
}
