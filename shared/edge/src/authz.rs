//! Who may do what: roles and their permissions, in one place
//!
//! A permission is `noun:verb`. Every endpoint names one; the adapter checks it once per call, before anything of
//! the call is read. What nobody is granted here only an admin may do, so a new endpoint is closed by default.

use crate::{Kind, Problem};
use weir_domain::actor::Actor;

/// A named set of permissions
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Role {
    /// As tokens carry it
    pub name: &'static str,
    /// `noun:verb`, `*:verb`, or `*` for everything
    pub permissions: &'static [&'static str],
}

/// Every role
pub const ROLES: &[Role] = &[
    Role { name: "viewer", permissions: &["*:read"] },
    Role {
        name: "developer",
        permissions: &[
            "*:read",
            "artifact:create",
            "definition:plan",
            "definition:upload",
            "intent:create",
            "promotion:create",
            "release:create",
            "version:create",
        ],
    },
    Role {
        name: "operator",
        permissions: &[
            "*:read",
            "agent:register",
            "artifact:create",
            "assignment:run",
            "definition:apply",
            "definition:plan",
            "definition:upload",
            "gate:decide",
            "intent:create",
            "intervention:decide",
            "operation:cancel",
            "operation:create",
            "operation:pause",
            "operation:reconcile",
            "operation:resume",
            "patch:create",
            "projection:rebuild",
            "promotion:create",
            "release:create",
            "version:create",
        ],
    },
    Role {
        name: "release_manager",
        permissions: &[
            "*:read",
            "gate:decide",
            "intent:create",
            "intervention:decide",
            "operation:cancel",
            "operation:create",
            "operation:pause",
            "operation:resume",
            "patch:create",
            "promotion:create",
            "release:create",
        ],
    },
    Role { name: "admin", permissions: &["*"] },
    Role { name: AGENT, permissions: &["agent:heartbeat", "artifact:read", "task:claim", "task:report"] },
];

/// The role of every registered agent, and of nobody else
pub const AGENT: &str = "agent";

impl Role {
    /// Whether the role has `permission`
    pub fn allows(&self, permission: &str) -> bool {
        self.permissions.iter().any(|granted| match granted.split_once(':') {
            Some(("*", verb)) => permission.rsplit(':').next() == Some(verb),
            Some(_) => *granted == permission,
            None => *granted == "*",
        })
    }
}

/// Refuses unless one of the actor's roles has `permission`; the refusal says which roles have
pub fn require(actor: &Actor, permission: &str) -> Result<(), Problem> {
    let held = ROLES.iter().filter(|role| actor.roles.iter().any(|name| name == role.name));
    if held.into_iter().any(|role| role.allows(permission)) {
        return Ok(());
    }
    let (actor, able) = (&actor.id, able(permission));
    let detail = format!("`{actor}` lacks the permission `{permission}`, which these roles have: {able}");
    Err(Problem::new(Kind::Forbidden, detail))
}

/// The roles that have `permission`, in words
pub fn able(permission: &str) -> String {
    let able = ROLES.iter().filter(|role| role.allows(permission));
    able.map(|role| format!("`{}`", role.name)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actor(roles: &[&str]) -> Actor {
        Actor { roles: roles.iter().map(|r| (*r).to_owned()).collect(), ..Actor::system("test") }
    }

    #[test]
    fn a_refusal_names_the_permission_and_who_has_it() {
        let problem = require(&actor(&["viewer", "made_up"]), "gate:decide").unwrap_err();
        assert_eq!(
            problem.detail,
            "`system:test` lacks the permission `gate:decide`, which these roles have: `operator`, `release_manager`, `admin`"
        );
    }

    #[test]
    fn what_is_granted_to_nobody_is_for_admins() {
        assert!(require(&actor(&["admin"]), "made:up").is_ok());
        assert!(require(&actor(&["operator"]), "made:up").is_err());
        assert!(require(&actor(&[]), "release:read").is_err());
        assert!(require(&actor(&["viewer"]), "release:read").is_ok());
        assert!(require(&actor(&["agent"]), "release:read").is_err());
    }
}
