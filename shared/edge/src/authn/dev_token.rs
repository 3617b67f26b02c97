//! Tokens of the local stage: a list of hashes in the environment, each with the actor that it stands for
//!
//! [`crate::config::Config`] refuses to start a function of any other stage with such a list.

use super::{Caller, sha256_hex, tenant, unknown};
use crate::{Cx, Problem, Proof, config::LOCAL, router::HttpRequest};
use serde::{Deserialize, Serialize};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};
use weir_domain::{
    actor::{Actor, ActorKind, Via},
    scope::Name,
};

/// One token of the local stage
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DevToken {
    /// SHA-256 of the token, 64 hexadecimal digits
    pub sha256: String,
    /// Who it stands for
    pub actor: DevActor,
    /// The only tenant that its holder may name; with none, any of the workspace
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Name>,
}

/// Who a token stands for
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DevActor {
    /// The actor's id
    pub id: String,
    /// What kind of actor it is
    pub kind: ActorKind,
    /// The person that it acts for, if any
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<String>,
    /// Its groups
    #[serde(default)]
    pub groups: Vec<String>,
    /// Its roles
    #[serde(default)]
    pub roles: Vec<String>,
}

impl From<DevActor> for Actor {
    fn from(actor: DevActor) -> Self {
        let DevActor { id, kind, on_behalf_of, groups, roles } = actor;
        Self { id, kind, on_behalf_of, groups, roles, via: Via::DevToken }
    }
}

/// The caller who holds `token`
pub(super) async fn recognise(cx: &Cx, request: &HttpRequest, token: &str) -> Result<Caller, Problem> {
    let found =
        find(&cx.config.dev_tokens, token).filter(|_| cx.config.stage == LOCAL).ok_or_else(unknown)?;
    let scope = tenant::choose(cx, found.tenant.as_ref(), request).await?;
    Ok(Caller { actor: found.actor.clone().into(), proof: Proof::Token, scope })
}

/// Looks at every token of the list, so that the time taken tells nothing of which one it is
fn find<'a>(tokens: &'a [DevToken], token: &str) -> Option<&'a DevToken> {
    let hash = sha256_hex(token);
    let mut found = u32::MAX;
    for (place, candidate) in (0u32..).zip(tokens) {
        let same: Choice = candidate.sha256.as_bytes().ct_eq(hash.as_bytes());
        found.conditional_assign(&place, same);
    }
    tokens.get(usize::try_from(found).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_by_its_hash_alone() {
        let token = |name: &str| -> DevToken {
            let text =
                format!(r#"{{"sha256":"{}","actor":{{"id":"{name}","kind":"user"}}}}"#, sha256_hex(name));
            serde_json::from_str(&text).unwrap()
        };
        let tokens = [token("alice"), token("bob")];
        assert_eq!(find(&tokens, "bob").unwrap().actor.id, "bob");
        assert_eq!(find(&tokens, &sha256_hex("bob")), None);
        assert_eq!(find(&[], ""), None);
    }
}
