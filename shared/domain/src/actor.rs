//! Who did it

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What kind of actor it is
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// A person
    User,
    /// A program under its own name (a deployment agent, a build)
    Service,
    /// An AI acting for somebody
    AiAgent,
    /// Weir itself
    System,
}

/// How the actor was recognised
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// A signed token of the identity provider
    Oidc,
    /// A token of the local stage
    DevToken,
    /// A signed callback of Slack
    Slack,
    /// The credential that an agent got when it registered
    AgentToken,
    /// A schedule
    Schedule,
    /// Weir itself
    System,
}

/// An authenticated principal, as it is recorded with everything that it does
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Actor {
    /// The OIDC subject, the dev token's name, or the agent's id
    pub id: String,
    /// What kind of actor it is
    pub kind: ActorKind,
    /// The person that it acts for, if any
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<String>,
    /// Groups, by which approvals are asked for
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Roles, by which calls are allowed
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// How it was recognised
    pub via: Via,
}

impl Actor {
    /// Weir itself, as `part`
    pub fn system(part: &str) -> Self {
        Self {
            id: format!("system:{part}"),
            kind: ActorKind::System,
            on_behalf_of: None,
            groups: Vec::new(),
            roles: Vec::new(),
            via: Via::System,
        }
    }

    /// The person behind the actor: an agent acting for somebody is that person
    /// wherever duties have to be separated
    pub fn person(&self) -> &str {
        self.on_behalf_of.as_deref().unwrap_or(&self.id)
    }

    /// Whether the actor belongs to one of `groups`
    pub fn in_any(&self, groups: &[String]) -> bool {
        self.groups.iter().any(|group| groups.contains(group))
    }
}
