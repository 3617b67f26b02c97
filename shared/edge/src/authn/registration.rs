//! Registration tokens: each makes one agent, once, for the targets it names

use super::{Caller, new_secret, unknown};
use crate::{Cx, Problem, Proof, router::HttpRequest, wire::secret::Secret};
use serde::{Deserialize, Serialize};
use weir_domain::{
    actor::{Actor, ActorKind, Via},
    canonical::Digest,
    definition::address::Address,
    id::AgentId,
    scope::Scope,
    time::Millis,
};
use weir_store::{Entity, Key};

/// What every registration token begins with
pub const PREFIX: &str = "wrt_";

/// How long a token can be used
pub const LIFETIME: Millis = Millis::from_secs(3600);

/// What is kept of a registration token: in the workspace's scope, by its hash, until it expires
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistrationToken {
    /// The token's hash
    pub hash: Digest,
    /// The scope that its agent will live in
    pub scope: Scope,
    /// The targets that its agent may serve
    pub targets: Vec<Address>,
    /// Who asked for it
    pub created_by: Actor,
    /// When it stops working
    pub expires_at: Millis,
    /// The agent that it was spent on
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent_on: Option<AgentId>,
}

impl Entity for RegistrationToken {
    const KIND: &'static str = "token";

    fn key(&self, scope: &Scope) -> Key {
        Key::token(&scope.outer(), &self.hash)
    }

    fn expires_at(&self) -> Option<Millis> {
        Some(self.expires_at)
    }
}

impl RegistrationToken {
    /// A new token's text and its hash
    pub fn issue() -> Result<(Secret, Digest), Problem> {
        let secret = new_secret(PREFIX)?;
        let hash = Digest::of_bytes(secret.expose().as_bytes());
        Ok((secret, hash))
    }
}

#[derive(Deserialize)]
struct TokenField {
    token: Secret,
}

/// The holder of the token in the body. A spent token is let through: only the handler can tell whether it was
/// spent by this very call
pub(super) async fn recognise(cx: &Cx, request: &HttpRequest, now: Millis) -> Result<Caller, Problem> {
    let field: TokenField = serde_json::from_slice(&request.body).map_err(|_| unknown())?;
    let hash = Digest::of_bytes(field.token.expose().as_bytes());
    let found = cx.table().read::<RegistrationToken>(&Key::token(&cx.workspace(), &hash)).await?;
    let (token, _) = found.filter(|(token, _)| now < token.expires_at).ok_or_else(unknown)?;
    let actor = Actor {
        id: format!("registration-token:{}", hash.short()),
        kind: ActorKind::Service,
        on_behalf_of: None,
        groups: Vec::new(),
        roles: Vec::new(),
        via: Via::AgentToken,
    };
    let scope = token.scope.clone();
    Ok(Caller { actor, proof: Proof::Registration(Box::new(token)), scope })
}
