//! `Idempotency-Key`: one command, however often it is sent
//!
//! A record is made before the handler runs and holds its answer afterwards, for 24 hours. Ids are derived from
//! the key and from when it was first seen, so whoever runs the command again (after a crash, after a refusal)
//! meets what is there already. An answer that was lost on the way is therefore the worst that can happen.

use crate::Cx;
use crate::{
    IdMint, Idempotency, Kind, Problem, Route,
    router::{Admitted, Finished},
};
use serde::{Deserialize, Serialize};
use weir_domain::{canonical::Digest, scope::Scope, time::Millis};
use weir_store::{Entity, Key, Record, TransactError, Write};

/// The header, as HTTP libraries write it
pub const HEADER: &str = "idempotency-key";

/// How long an answer is given again
const LIFETIME: Millis = Millis::from_secs(24 * 3600);

/// How long one run may take before another may take its place: no function runs longer than the API waits (30 s)
const LEASE: Millis = Millis::from_secs(60);

/// The most bytes of an answer that are kept; a longer one is made again, which the ids make harmless
const ANSWER_MAX: usize = 256 * 1024;

/// What is known of one key of one actor on one route
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct KeyRecord {
    /// Of actor, route and key
    hash: Digest,
    /// Of what was sent with the key
    request: Digest,
    /// When the key was first seen: the time in every id that is derived from it
    created_at: Millis,
    /// Until when somebody is at it; in the past where the last run was refused or was cut off
    running_until: Millis,
    /// Whether a run ended well
    done: bool,
    /// What it answered, where that may be kept
    answer: Option<Finished>,
}

impl Entity for KeyRecord {
    const KIND: &'static str = "idem";

    fn key(&self, scope: &Scope) -> Key {
        Key::idempotency(scope, &self.hash)
    }

    fn expires_at(&self) -> Option<Millis> {
        Some(self.created_at + LIFETIME)
    }
}

/// What to do with a call
pub(crate) enum Begun {
    /// Run it
    Run(Box<Ticket>),
    /// Answer what was answered before
    Replay(Finished),
}

/// A call that is running
pub(crate) struct Ticket {
    pub(crate) ids: IdMint,
    pub(crate) again: bool,
    /// The record as it is in the table, with its version, where there is one
    held: Option<(KeyRecord, u64)>,
}

/// Refuses a call that has to have a key and has none
pub(crate) fn check(route: &Route, call: &Admitted) -> Result<(), Problem> {
    if is_keyed(route, call) { key_of(call).map(drop) } else { Ok(()) }
}

/// Whether the call's key is looked at: one that writes nothing may be repeated as it is
fn is_keyed(route: &Route, call: &Admitted) -> bool {
    let is_dry = route.dry_run && call.http.query.split('&').any(|pair| pair == "dry_run=true");
    route.idempotency != Idempotency::None && !is_dry
}

/// Finds out whether `call` is to be run, and reserves its key
pub(crate) async fn begin(cx: &Cx, route: &Route, call: &Admitted) -> Result<Begun, Problem> {
    if !is_keyed(route, call) {
        let ids = IdMint::new(call.request.to_string(), call.now);
        return Ok(Begun::Run(Box::new(Ticket { ids, again: false, held: None })));
    }
    let key = key_of(call)?;
    let hash = Digest::of(&(&call.caller.actor.id, call.caller.actor.person(), route.operation, key))?;
    let http = &call.http;
    let request = Digest::of(&(&http.path, &http.query, Digest::of_bytes(&http.body)))?;
    let new = KeyRecord {
        hash,
        request,
        created_at: call.now,
        running_until: call.now + LEASE,
        done: false,
        answer: None,
    };
    let scope = &call.caller.scope;
    match cx.table().transact(&[Write::Create(Record::new(scope, &new)?)]).await {
        Ok(()) => Ok(run(new, 1, false)),
        Err(TransactError::Store(error)) => Err(error.into()),
        Err(TransactError::Conflict(_)) => meet(cx, route, call, new).await,
    }
}

/// What to do where the key was seen before
async fn meet(cx: &Cx, route: &Route, call: &Admitted, new: KeyRecord) -> Result<Begun, Problem> {
    let scope = &call.caller.scope;
    let Some((known, version)) = cx.table().read::<KeyRecord>(&new.key(scope)).await? else {
        return Err(in_progress(1));
    };
    let expired = known.expires_at().is_some_and(|end| end <= call.now);
    if !expired && known.request != new.request {
        let detail =
            "this `Idempotency-Key` was used for another request; use a new key for every new request";
        return Err(Problem::new(Kind::IdempotencyKeyReused, detail));
    }
    if known.done && !expired {
        match (known.answer, route.idempotency) {
            (Some(answer), _) => return Ok(Begun::Replay(answer)),
            // Not kept: it was too long, or holds a secret. The record stays as it is.
            (None, Idempotency::Secret | Idempotency::Required | Idempotency::None) => {
                let ids = IdMint::new(known.hash.to_string(), known.created_at);
                return Ok(Begun::Run(Box::new(Ticket { ids, again: true, held: None })));
            }
        }
    }
    if call.now < known.running_until {
        return Err(in_progress(((known.running_until - call.now).0 + 999) / 1000));
    }
    let created_at = if expired { new.created_at } else { known.created_at };
    let mine = KeyRecord { created_at, ..new };
    let write = Write::Replace { expected: version, record: Record::new(scope, &mine)? };
    match cx.table().transact(&[write]).await {
        Ok(()) => Ok(run(mine, version + 1, !expired)),
        Err(TransactError::Conflict(_)) => Err(in_progress(1)),
        Err(TransactError::Store(error)) => Err(error.into()),
    }
}

/// Records how the call ended
///
/// A refusal leaves the key open, with its ids: it had no effect, or effects that the next run meets. What is
/// lost here costs a client one lease of waiting and nothing else, so it is logged and not reported.
pub(crate) async fn end(
    cx: &Cx,
    route: &Route,
    scope: &Scope,
    ticket: Ticket,
    outcome: &Result<Finished, Problem>,
) {
    let Some((mut record, version)) = ticket.held else { return };
    match outcome {
        Ok(answer) => {
            record.done = true;
            let kept = route.idempotency == Idempotency::Required && answer.body.len() <= ANSWER_MAX;
            record.answer = kept.then(|| answer.clone());
        }
        Err(_) => record.running_until = Millis(0),
    }
    let stored = match Record::new(scope, &record) {
        Ok(record) => cx.table().transact(&[Write::Replace { expected: version, record }]).await,
        Err(error) => return tracing::error!(%error, "the answer cannot be written"),
    };
    if let Err(error) = stored {
        tracing::warn!(%error, "the answer was not kept: a repeat will run again");
    }
}

fn run(record: KeyRecord, version: u64, again: bool) -> Begun {
    let ids = IdMint::new(record.hash.to_string(), record.created_at);
    Begun::Run(Box::new(Ticket { ids, again, held: Some((record, version)) }))
}

fn in_progress(seconds: i64) -> Problem {
    let detail = "the same request is being handled; ask again with the same `Idempotency-Key`";
    Problem::new(Kind::RequestInProgress, detail).after(u32::try_from(seconds.clamp(1, 60)).unwrap_or(60))
}

fn key_of(call: &Admitted) -> Result<&str, Problem> {
    let missing = |detail: &str| Problem::new(Kind::IdempotencyKeyMissing, detail);
    let key = call.http.header(HEADER);
    let key = key.ok_or_else(|| {
        missing("send an `Idempotency-Key` that is new for every new request, such as a UUID")
    })?;
    if (1..=255).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()) {
        Ok(key)
    } else {
        Err(missing("an `Idempotency-Key` has 1 to 255 visible ASCII characters"))
    }
}
