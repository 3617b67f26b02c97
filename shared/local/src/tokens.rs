//! The people of the local stage and their tokens
//!
//! Random per stack and kept across restarts. The functions get digests only.

use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use weir_domain::actor::{Actor, ActorKind, Via};
use weir_edge::authn::dev_token::{DevActor, DevToken};

use crate::error::{Doing as _, Result};
use crate::state::StateDir;

const FILE: &str = "tokens.json";

/// One person and the token that proves it
#[derive(Clone, Serialize, Deserialize)]
pub struct Person {
    /// What the person is called
    pub name: String,
    /// What the person shows; a secret, although of this machine only
    pub token: String,
    /// As whom the API knows the person
    pub actor: Actor,
}

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Person").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Everybody with a token
#[derive(Debug, Clone)]
pub struct Tokens(Vec<Person>);

impl Tokens {
    /// Those of the last time, or new ones
    pub fn load(state: &StateDir) -> Result<Self> {
        if let Some(people) = state.read::<Vec<Person>>(FILE)
            && people.iter().map(|person| &person.actor).eq(cast().iter())
        {
            return Ok(Self(people));
        }
        let people = cast().into_iter().map(with_token).collect::<Result<Vec<_>>>()?;
        state.write(FILE, &people)?;
        Ok(Self(people))
    }

    /// The token of `name`
    pub fn token(&self, name: &str) -> Option<&str> {
        self.people().find(|person| person.name == name).map(|person| person.token.as_str())
    }

    /// Everybody
    pub fn people(&self) -> impl Iterator<Item = &Person> {
        self.0.iter()
    }

    /// What the API functions are given as `WEIR_DEV_TOKENS`
    pub fn environment(&self) -> String {
        let entry = |person: &Person| {
            let Actor { id, kind, on_behalf_of, groups, roles, via: _ } = person.actor.clone();
            let sha256 = hex::encode(Sha256::digest(person.token.as_bytes()));
            DevToken { sha256, actor: DevActor { id, kind, on_behalf_of, groups, roles }, tenant: None }
        };
        json!(self.0.iter().map(entry).collect::<Vec<_>>()).to_string()
    }
}

fn with_token(actor: Actor) -> Result<Person> {
    let mut bytes = [0; 24];
    let filled = getrandom::fill(&mut bytes).map_err(|error| std::io::Error::other(error.to_string()));
    filled.doing(|| "making a token".to_owned())?;
    Ok(Person { name: actor.id.clone(), token: format!("wdt_{}", hex::encode(bytes)), actor })
}

/// The cast of the example: who asks, who approves, who operates, who looks on
///
/// Alice and Bob have here what `infra/example/integrations.yaml` gives them in Slack.
fn cast() -> Vec<Actor> {
    [
        ("alice", ["developers", "release-managers"].as_slice(), "operator"),
        ("bob", &["release-managers"], "release_manager"),
        ("carol", &["operators"], "admin"),
        ("vera", &["viewers"], "viewer"),
    ]
    .into_iter()
    .map(|(id, groups, role)| Actor {
        id: id.to_owned(),
        kind: ActorKind::User,
        on_behalf_of: None,
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        roles: vec![role.to_owned()],
        via: Via::DevToken,
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_kept_and_only_their_digests_leave() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(folder.path()).unwrap();
        let first = Tokens::load(&state).unwrap();
        let again = Tokens::load(&state).unwrap();
        assert!(first.token("alice").is_some());
        assert_eq!(first.token("alice"), again.token("alice"));
        assert_ne!(first.token("alice"), first.token("bob"));
        let environment = first.environment();
        for person in first.people() {
            assert!(!environment.contains(&person.token));
            assert!(environment.contains(&hex::encode(Sha256::digest(person.token.as_bytes()))));
            assert!(!format!("{person:?}").contains(&person.token));
        }
    }
}
