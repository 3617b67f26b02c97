//! What happens to every request, in one order
//!
//! Body limit, authentication, authorization, reading, idempotency, the endpoint, the answer, one line of log.

use crate::{
    Call, Cx, Endpoint, Entry, Kind, Problem, Proof,
    authn::{self, Caller},
    authz, decode,
    idempotency::{self, Begun},
    large,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Instant};
use weir_domain::{
    id::{Id as _, RequestId},
    time::Millis,
};

/// A request, whoever carried it here
#[derive(Clone, Default)]
pub struct HttpRequest {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path as it was sent, percent-encoded
    pub path: String,
    /// The query string as it was sent, without its `?`
    pub query: String,
    /// Headers by their names in lower case
    pub headers: BTreeMap<String, String>,
    /// The body's bytes
    pub body: Vec<u8>,
}

impl HttpRequest {
    /// A header by its name in lower case
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// A response, whoever carries it on
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status
    pub status: u16,
    /// Headers by their names in lower case
    pub headers: BTreeMap<String, String>,
    /// The body: JSON, or nothing where the answer lies elsewhere
    pub body: String,
}

/// A call of somebody who is known and may make it, not yet read
pub(crate) struct Admitted {
    pub(crate) http: HttpRequest,
    pub(crate) params: Vec<(String, String)>,
    pub(crate) caller: Caller,
    pub(crate) now: Millis,
    pub(crate) request: RequestId,
}

/// What an endpoint answered
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Finished {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// The entry that answers `method` and `path`
pub fn find<'a>(entries: &'a [Entry], method: &str, path: &str) -> Result<&'a Entry, Problem> {
    let mut there = entries.iter().filter(|entry| entry.route.matches(path).is_some()).collect::<Vec<_>>();
    there.sort_by_key(|entry| std::cmp::Reverse(entry.route.specificity()));
    if let Some(entry) = there.iter().find(|entry| entry.route.method.as_str() == method) {
        return Ok(entry);
    }
    let methods: Vec<_> = there.iter().map(|entry| entry.route.method.as_str()).collect();
    if methods.is_empty() {
        return Err(Problem::new(Kind::NotFound, "no endpoint has this path"));
    }
    Err(Problem::new(Kind::MethodNotAllowed, format!("this path has {}", methods.join(", "))))
}

/// Answers one request to `entry`
pub async fn dispatch(entry: &Entry, cx: &Cx, http: HttpRequest) -> HttpResponse {
    let started = Instant::now();
    let now = cx.clock.now();
    let request = new_request(cx, now);
    let path = http.path.clone();
    let mut who = None;
    let outcome = answer(entry, cx, http, now, request, &mut who).await;
    let response = match &outcome {
        Ok(finished) => respond(finished, request),
        Err(problem) => refuse(problem, &path, request),
    };
    log(entry, request, who.as_ref(), &outcome, response.status, started);
    response
}

/// Answers a request to `entry` that could not be carried here
pub(crate) fn turn_away(entry: &Entry, cx: &Cx, problem: Problem) -> HttpResponse {
    let request = new_request(cx, cx.clock.now());
    let response = refuse(&problem, entry.route.path, request);
    log(entry, request, None, &Err(problem), response.status, Instant::now());
    response
}

fn new_request(cx: &Cx, now: Millis) -> RequestId {
    RequestId::new(now.0, u128::from(cx.clock.random()) << 16 | u128::from(cx.clock.random() & 0xFFFF))
}

/// Answers a request that no entry takes, or that could not be carried here
pub fn refuse(problem: &Problem, path: &str, request: RequestId) -> HttpResponse {
    let request = request.to_string();
    let mut headers = usual_headers("application/problem+json", &request);
    if let Some(seconds) = problem.retry_after {
        headers.insert("retry-after".to_owned(), seconds.to_string());
    }
    if problem.kind == Kind::Unauthenticated {
        headers.insert("www-authenticate".to_owned(), "Bearer".to_owned());
    }
    let body = serde_json::to_string(&problem.body(path, &request)).unwrap_or_default();
    HttpResponse { status: problem.kind.status(), headers, body }
}

async fn answer(
    entry: &Entry,
    cx: &Cx,
    http: HttpRequest,
    now: Millis,
    request: RequestId,
    who: &mut Option<Caller>,
) -> Result<Finished, Problem> {
    let route = &entry.route;
    if http.method != route.method.as_str() {
        return Err(Problem::new(Kind::MethodNotAllowed, format!("this path has {}", route.method.as_str())));
    }
    let params = route.matches(&http.path);
    let params = params.ok_or_else(|| Problem::new(Kind::NotFound, "no endpoint has this path"))?;
    if http.body.len() > route.body_limit {
        let detail = format!("the body has {} bytes and may have {}", http.body.len(), route.body_limit);
        return Err(Problem::new(Kind::BodyTooLarge, detail));
    }
    let caller = authn::authenticate(cx, route, &http, now).await?;
    *who = Some(caller.clone());
    match &caller.proof {
        Proof::Token | Proof::Agent(_) => authz::require(&caller.actor, route.permission)?,
        // What these may do is what their proof says; the handler looks at that.
        Proof::Registration(_) | Proof::Slack | Proof::Callback(_) | Proof::Nothing => {}
    }
    (entry.run)(cx, Admitted { http, params, caller, now, request }).await
}

/// Reads the call, runs it unless it was answered before, and keeps the answer
pub(crate) async fn run<E: Endpoint>(cx: &Cx, call: Admitted) -> Result<Finished, Problem> {
    idempotency::check(&E::ROUTE, &call)?;
    let path = decode::path(call.params.clone())?;
    let query = decode::query(&call.http.query)?;
    let body = decode::body(E::ROUTE.auth, call.http.header("content-type"), &call.http.body)?;
    let ticket = match idempotency::begin(cx, &E::ROUTE, &call).await? {
        Begun::Run(ticket) => ticket,
        Begun::Replay(mut answer) => {
            answer.headers.insert("idempotency-replayed".to_owned(), "true".to_owned());
            return Ok(answer);
        }
    };
    let Admitted { caller, now, request, .. } = call;
    let Caller { actor, proof, scope } = caller;
    let (ids, again, keyed) = (ticket.ids.clone(), ticket.again, scope.clone());
    let outcome =
        E::handle(cx, Call { actor, proof, scope, path, query, body, now, request, ids, again }).await;
    let outcome = outcome.and_then(|answer| {
        Ok(Finished {
            status: answer.status.unwrap_or(E::ROUTE.success),
            headers: answer.headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            body: serde_json::to_string(&answer.body)?,
        })
    });
    idempotency::end(cx, &E::ROUTE, &keyed, *ticket, &outcome).await;
    large::fitting(cx, &E::ROUTE, outcome?).await
}

fn respond(finished: &Finished, request: RequestId) -> HttpResponse {
    let mut headers = usual_headers("application/json", &request.to_string());
    headers.extend(finished.headers.clone());
    HttpResponse { status: finished.status, headers, body: finished.body.clone() }
}

/// Nothing that is answered here may be kept by a cache: it is one caller's
fn usual_headers(content_type: &str, request: &str) -> BTreeMap<String, String> {
    [("content-type", content_type), ("cache-control", "no-store"), ("x-request-id", request)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// One line a call: ids and kinds, never what was sent or answered
fn log(
    entry: &Entry,
    request: RequestId,
    who: Option<&Caller>,
    outcome: &Result<Finished, Problem>,
    status: u16,
    started: Instant,
) {
    let operation = entry.route.operation;
    let actor = who.map_or("-", |who| who.actor.id.as_str());
    let scope = who.map(|who| who.scope.to_string()).unwrap_or_default();
    let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    match outcome {
        Ok(_) => tracing::info!(%request, operation, status, actor, scope, micros, "answered"),
        Err(problem) => {
            let (code, cause) = (problem.kind.code(), chain(problem));
            if status >= 500 {
                tracing::error!(%request, operation, status, code, actor, scope, micros, cause, "failed");
            } else {
                tracing::info!(%request, operation, status, code, actor, scope, micros, cause, "refused");
            }
        }
    }
}

/// An error with what caused it, and what caused that
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
