//! Who the agent is: registered once, remembered in `agent.json`

use crate::{
    agent::{
        files::{self, FileError},
        site::Site,
    },
    api::{ApiError, Client},
};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    path::{Path, PathBuf},
};
use weir_domain::{canonical::Digest, definition::address::Address, id::AgentId};
use weir_edge::wire::{
    agent::{AgentRegister, AgentTarget},
    secret::Secret,
};

/// What the agent keeps of its registration
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Identity {
    /// The agent
    pub agent: AgentId,
    /// What it shows with every request
    pub credential: Secret,
    name: String,
    target: Address,
    /// Tells a new token from the one that was spent; a hash, since the token need not be kept
    token_hash: Digest,
}

/// An agent that cannot say who it is
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The folder is another agent's
    #[error("this folder belongs to agent `{name}` of `{target}`: use another one, or give a new token")]
    Another {
        /// Its name
        name: String,
        /// Its target
        target: Address,
    },
    /// Not registered, and no token to do so
    #[error("the agent is not registered: give a registration token with --token-file")]
    NoToken,
    /// The server refused
    #[error("the agent could not be registered: {0}")]
    Refused(#[source] ApiError),
    /// This machine's disk refused
    #[error(transparent)]
    Disk(#[from] FileError),
}

/// How the agent introduces itself
#[derive(Debug, Clone)]
pub struct Introduction {
    /// What people call it
    pub name: String,
    /// Where the service on its target answers
    pub base_url: String,
    /// Where its one-time token lies
    pub token_file: Option<PathBuf>,
    /// The kinds of task it can do
    pub capabilities: Vec<String>,
}

/// The remembered identity, or a new one where there is none or a token that was not spent yet
///
/// Killed between the server's answer and the write, it asks again with the same token and key, and is
/// given the same answer.
pub async fn identify(client: &Client, site: &Site, who: &Introduction) -> Result<Identity, IdentityError> {
    let path = site.path("agent.json");
    let known: Option<Identity> = files::read_json(&path)?;
    let token = who.token_file.as_deref().map(read_token).transpose()?.flatten();
    let (known, token) = match (known, token) {
        (Some(known), Some(token)) if known.token_hash == hash(&token) => (Some(known), None),
        (known, token) => (known, token),
    };
    let Some(token) = token else {
        return match known {
            Some(known) if known.name == who.name && known.target == site.target => Ok(known),
            Some(known) => Err(IdentityError::Another { name: known.name, target: known.target }),
            None => Err(IdentityError::NoToken),
        };
    };
    let target = AgentTarget { target: site.target.clone(), base_url: Some(who.base_url.clone()) };
    let body = AgentRegister {
        token: token.clone(),
        name: who.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        capabilities: who.capabilities.clone(),
        targets: vec![target],
    };
    let registered = client.agent_register(&body).await.map_err(IdentityError::Refused)?;
    let identity = Identity {
        agent: registered.agent.id,
        credential: registered.credential,
        name: who.name.clone(),
        target: site.target.clone(),
        token_hash: hash(&token),
    };
    files::write_json(&path, &identity)?;
    tracing::info!(agent.id = %identity.agent, "agent {} is registered", identity.agent);
    Ok(identity)
}

fn hash(token: &Secret) -> Digest {
    Digest::of_bytes(token.expose().as_bytes())
}

/// The token in the file; none where the file is gone, as it may be once the token is spent
fn read_token(path: &Path) -> Result<Option<Secret>, FileError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim()).filter(|text| !text.is_empty()).map(Secret::new)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::when("read", path)(error)),
    }
}
