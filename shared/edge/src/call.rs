//! One call of an endpoint, as its handler gets it

use crate::{
    Endpoint, Kind, Problem,
    authn::{agent::AgentCredential, registration::RegistrationToken},
};
use serde_json::Value;
use std::sync::Arc;
use weir_domain::{
    actor::Actor,
    audit::AuditEvent,
    id::{AgentId, Id, RequestId},
    scope::Scope,
    time::Millis,
};
use weir_orchestration::callbacks::CallbackRow;

/// A call that has been let in: who, where, what
pub struct Call<E: Endpoint> {
    /// Who it is recorded as
    pub actor: Actor,
    /// By what the caller was recognised
    pub proof: Proof,
    /// Whose data it is about
    pub scope: Scope,
    /// What was read from the path
    pub path: E::Path,
    /// What was read from the query string
    pub query: E::Query,
    /// What was read from the body
    pub body: E::Body,
    /// When the call came in
    pub now: Millis,
    /// The request, as log and problem know it
    pub request: RequestId,
    /// Makes the ids of what the call creates
    pub ids: IdMint,
    /// Whether the call repeats one that was cut off, or whose answer is not stored: what it would create may
    /// be there already, under the ids that `ids` gives again
    pub again: bool,
}

/// By what a caller was recognised
#[derive(Debug, Clone)]
pub enum Proof {
    /// A bearer token of a person or a program
    Token,
    /// The credential of a registered agent
    Agent(Arc<AgentCredential>),
    /// A one-time registration token that is not spent yet, or was spent by this very call when it was cut off
    Registration(Box<RegistrationToken>),
    /// A signature of Slack; the actor is not known until the handler has read who clicked
    Slack,
    /// The token of a callback; which attempt it may end
    Callback(Box<CallbackRow>),
    /// None was asked for
    Nothing,
}

impl<E: Endpoint> Call<E> {
    /// The agent that calls
    pub fn agent(&self) -> Result<AgentId, Problem> {
        self.credential().map(|credential| credential.agent)
    }

    /// What is kept of the credential of the agent that calls
    pub fn credential(&self) -> Result<&AgentCredential, Problem> {
        match &self.proof {
            Proof::Agent(credential) => Ok(credential),
            Proof::Token | Proof::Registration(_) | Proof::Slack | Proof::Callback(_) | Proof::Nothing => {
                Err(Problem::new(Kind::Forbidden, "only an agent, with its own credential, may do this"))
            }
        }
    }

    /// That the caller did `action` (`noun.verb`) to `subject` (its kind and id), for [`crate::Cx::commit`]
    ///
    /// Derived like every id of the call: a repeat of it makes the same event, by which the first is recognised.
    pub fn audit(&self, action: &str, subject: (&str, String), metadata: Value) -> AuditEvent {
        let (id, at) = (self.ids.id("audit"), self.ids.created_at().into());
        AuditEvent::new(id, at, self.actor.clone(), action, subject, metadata, Some(self.request))
    }

    /// The workspace's scope, for what is the whole workspace's
    pub fn workspace_scope(&self) -> Result<&Scope, Problem> {
        if self.scope.tenant.is_none() {
            Ok(&self.scope)
        } else {
            let detail =
                "this is the whole workspace's: ask as somebody of the workspace, without `Weir-Tenant`";
            Err(Problem::new(Kind::Forbidden, detail))
        }
    }

    /// The tenant's scope, for what exists only within a tenant
    pub fn tenant_scope(&self) -> Result<&Scope, Problem> {
        if self.scope.tenant.is_some() {
            Ok(&self.scope)
        } else {
            Err(Problem::new(
                Kind::TenantRequired,
                "say which tenant: header `Weir-Tenant`, its name or external id",
            ))
        }
    }
}

/// Makes ids that are the same for whoever repeats the call
///
/// They are derived from who calls what with which key and from when that was first seen, so a handler that is
/// run again after a crash meets its own records instead of making a second set.
#[derive(Debug, Clone)]
pub struct IdMint {
    seed: String,
    created_at: Millis,
}

impl IdMint {
    /// Ids derived from `seed`, all made at `created_at`
    pub const fn new(seed: String, created_at: Millis) -> Self {
        Self { seed, created_at }
    }

    /// The id of what the call creates as `what`: `release`, `audit`, `node 3`, …
    pub fn id<I: Id>(&self, what: &str) -> I {
        I::derived(self.created_at.0, &format!("{}:{what}", self.seed))
    }

    /// When the call was first seen: the `created_at` of what it creates
    pub const fn created_at(&self) -> Millis {
        self.created_at
    }
}
