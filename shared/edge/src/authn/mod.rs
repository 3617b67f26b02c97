//! Who calls: once per call, before anything of it is read
//!
//! A refusal says that the caller is not known and never why: a wrong secret, an unknown agent and a spent token
//! look the same. Secrets are compared by their hashes, in constant time.

pub mod agent;
pub mod callback;
pub mod dev_token;
pub mod registration;
pub mod slack;
mod tenant;

pub use tenant::tenant_named;

use crate::{Auth, Cx, Kind, Problem, Proof, Route, router::HttpRequest, wire::secret::Secret};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use weir_domain::{actor::Actor, actor::ActorKind, canonical::Digest, scope::Scope, time::Millis};

/// Names the tenant that a call is about, by its name or its external id
pub const TENANT_HEADER: &str = "weir-tenant";

/// A caller that is known
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who it is recorded as
    pub actor: Actor,
    /// By what it was recognised
    pub proof: Proof,
    /// Whose data it asks about
    pub scope: Scope,
}

/// Recognises the caller of `route`, as the route wants it done
pub async fn authenticate(
    cx: &Cx,
    route: &Route,
    request: &HttpRequest,
    now: Millis,
) -> Result<Caller, Problem> {
    match route.auth {
        Auth::Public => Ok(Caller { actor: nobody(), proof: Proof::Nothing, scope: cx.workspace() }),
        Auth::SlackSignature => slack::recognise(cx, request, now).await,
        Auth::Registration => registration::recognise(cx, request, now).await,
        Auth::Callback => callback::recognise(cx, request, now).await,
        Auth::Agent => agent::recognise(cx, bearer(request)?, now).await,
        Auth::Bearer => match bearer(request)? {
            token if token.starts_with(agent::PREFIX) => agent::recognise(cx, token, now).await,
            token => dev_token::recognise(cx, request, token).await,
        },
    }
}

/// An actor for calls that nobody has to be known for
fn nobody() -> Actor {
    Actor { kind: ActorKind::Service, ..Actor::system("anonymous") }
}

/// The one answer to every caller that is not recognised
pub fn unknown() -> Problem {
    let detail = "send a valid credential as `Authorization: Bearer …`; this one is missing, unknown, spent or expired";
    Problem::new(Kind::Unauthenticated, detail)
}

fn bearer(request: &HttpRequest) -> Result<&str, Problem> {
    let header = request.header("authorization").ok_or_else(unknown)?;
    let (scheme, token) = header.split_once(' ').ok_or_else(unknown)?;
    let token = token.trim();
    if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.len() <= 8192 {
        Ok(token)
    } else {
        Err(unknown())
    }
}

/// Whether `secret` is what `hash` was made of, in a time that does not depend on where they differ
pub fn is_secret_of(hash: &Digest, secret: &str) -> bool {
    Digest::of_bytes(secret.as_bytes()).as_str().as_bytes().ct_eq(hash.as_str().as_bytes()).into()
}

/// 256 bits from the operating system, after `prefix`
pub fn new_secret(prefix: &str) -> Result<Secret, Problem> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| Problem::internal(error.to_string()))?;
    Ok(Secret::new(format!("{prefix}{}", hex::encode(bytes))))
}

/// The SHA-256 of `text`, in hexadecimal
fn sha256_hex(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}
