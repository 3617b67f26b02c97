//! Agents: `wea_<agent id>_<secret>`, of which only the hash is kept
//!
//! What is kept of one never changes once its agent has sent a heartbeat, so a process reads it once in a while and not
//! for every call.

use super::{Caller, is_secret_of, new_secret, unknown};
use crate::{Cx, Problem, Proof, authz, wire::secret::Secret};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};
use weir_domain::{
    actor::{Actor, ActorKind, Via},
    canonical::Digest,
    definition::address::Address,
    id::{AgentId, BODY_LEN, Id},
    scope::Scope,
    time::Millis,
};
use weir_store::{Entity, Key};

/// What every agent's credential begins with
pub const PREFIX: &str = "wea_";

/// How long a process goes by what it has read of a credential
const KNOWN_FOR: Millis = Millis::from_secs(60);

/// Credentials that one process knows at a time
const KNOWN_MAX: usize = 1_000;

/// What is kept of an agent's credential: in the workspace's scope, since a credential must lead to its scope
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentCredential {
    /// Whose it is
    pub agent: AgentId,
    /// The scope that the agent lives in
    pub scope: Scope,
    /// The targets that it was registered for
    pub targets: Vec<Address>,
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
    pub fn issue(agent: AgentId, scope: &Scope, targets: Vec<Address>) -> Result<(Secret, Self), Problem> {
        let secret = new_secret(&format!("{PREFIX}{agent}_"))?;
        let hash = Digest::of_bytes(secret.expose().as_bytes());
        Ok((secret, Self { agent, scope: scope.clone(), targets, hash }))
    }
}

/// The credentials that were recognised lately, each with when it was read
#[derive(Debug, Default)]
pub(crate) struct Known(Mutex<BTreeMap<AgentId, (Millis, Arc<AgentCredential>)>>);

impl Known {
    fn get(&self, agent: AgentId, now: Millis) -> Option<Arc<AgentCredential>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&agent).filter(|(read, _)| now < *read + KNOWN_FOR).map(|(_, it)| Arc::clone(it))
    }

    fn put(&self, credential: &Arc<AgentCredential>, now: Millis) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(credential.agent, (now, Arc::clone(credential)));
    }
}

/// The agent that `token` names, if the token is its credential
pub(super) async fn recognise(cx: &Cx, token: &str, now: Millis) -> Result<Caller, Problem> {
    let agent = agent_of(token).ok_or_else(unknown)?;
    let known = cx.credentials.get(agent, now).filter(|known| is_secret_of(&known.hash, token));
    let credential = match known {
        Some(known) => known,
        None => read(cx, agent, token, now).await?,
    };
    let scope = credential.scope.clone();
    Ok(Caller { actor: actor(agent), proof: Proof::Agent(credential), scope })
}

async fn read(cx: &Cx, agent: AgentId, token: &str, now: Millis) -> Result<Arc<AgentCredential>, Problem> {
    let key = AgentCredential::key_of(&cx.workspace(), agent);
    let (credential, _) = cx.table().read::<AgentCredential>(&key).await?.ok_or_else(unknown)?;
    if !is_secret_of(&credential.hash, token) {
        return Err(unknown());
    }
    let credential = Arc::new(credential);
    cx.credentials.put(&credential, now);
    Ok(credential)
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
        let (secret, kept) =
            AgentCredential::issue(agent, &"harbor/acme".parse().unwrap(), Vec::new()).unwrap();
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
