//! Agents: `wea_<agent id>_<secret>`, of which only the hash is kept

use super::{Caller, is_secret_of, new_secret, unknown};
use crate::{Cx, Problem, Proof, authz, wire::secret::Secret};
use serde::{Deserialize, Serialize};
use weir_domain::{
    actor::{Actor, ActorKind, Via},
    canonical::Digest,
    id::{AgentId, BODY_LEN, Id},
    scope::Scope,
};
use weir_store::{Entity, Key};

/// What every agent's credential begins with
pub const PREFIX: &str = "wea_";

/// What is kept of an agent's credential: in the workspace's scope, since a credential must lead to its scope
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentCredential {
    /// Whose it is
    pub agent: AgentId,
    /// The scope that the agent lives in
    pub scope: Scope,
    /// The hash of the whole credential
    pub hash: Digest,
}

impl Entity for AgentCredential {
    const KIND: &'static str = "agent-credential";

    fn key(&self, scope: &Scope) -> Key {
        Self::key_of(scope, self.agent)
    }
}

impl AgentCredential {
    /// Where the credential of `agent` is kept
    pub fn key_of(scope: &Scope, agent: AgentId) -> Key {
        Key::entity(&scope.outer(), Self::KIND, agent)
    }

    /// A new credential for `agent`, and what is kept of it
    pub fn issue(agent: AgentId, scope: &Scope) -> Result<(Secret, Self), Problem> {
        let secret = new_secret(&format!("{PREFIX}{agent}_"))?;
        let hash = Digest::of_bytes(secret.expose().as_bytes());
        Ok((secret, Self { agent, scope: scope.clone(), hash }))
    }
}

/// The agent that `token` names, if the token is its credential
pub(super) async fn recognise(cx: &Cx, token: &str) -> Result<Caller, Problem> {
    let agent = agent_of(token).ok_or_else(unknown)?;
    let key = AgentCredential::key_of(&cx.workspace(), agent);
    let (credential, _) = cx.table().read::<AgentCredential>(&key).await?.ok_or_else(unknown)?;
    if !is_secret_of(&credential.hash, token) {
        return Err(unknown());
    }
    Ok(Caller { actor: actor(agent), proof: Proof::Agent(agent), scope: credential.scope })
}

/// An agent as it is recorded with what it does
pub fn actor(agent: AgentId) -> Actor {
    Actor {
        id: agent.to_string(),
        kind: ActorKind::Service,
        on_behalf_of: None,
        groups: Vec::new(),
        roles: vec![authz::AGENT.to_owned()],
        via: Via::AgentToken,
    }
}

fn agent_of(token: &str) -> Option<AgentId> {
    let rest = token.strip_prefix(PREFIX)?;
    let (agent, secret) = rest.split_at_checked(AgentId::PREFIX.len() + 1 + BODY_LEN)?;
    secret.strip_prefix('_').filter(|secret| !secret.is_empty())?;
    agent.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_leads_to_its_agent_and_is_kept_as_a_hash() {
        let agent = AgentId::derived(1, "a");
        let (secret, kept) = AgentCredential::issue(agent, &"harbor/acme".parse().unwrap()).unwrap();
        assert_eq!(agent_of(secret.expose()), Some(agent));
        assert!(is_secret_of(&kept.hash, secret.expose()));
        assert!(!serde_json::to_string(&kept).unwrap().contains(secret.expose()));
        for text in
            ["wea_", "wea_agt_1_x", &format!("wea_{agent}"), &format!("wea_{agent}_"), &format!("{agent}_x")]
        {
            assert_eq!(agent_of(text), None, "{text}");
        }
    }
}
