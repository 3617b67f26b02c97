//! `policy`: who must agree

use super::{Environment, Finding, Ownership, Ref, Spec, Weight};
use crate::definition::{address::Kind, codes::Code};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who must agree before a release is brought to an environment (requirement 004)
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// What it rules
    pub kind: PolicyKind,
    /// As people read it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Where it holds, besides the environments whose `policy_refs` name it
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<Ref<Environment>>,
    /// How many distinct people must approve
    #[schemars(range(min = 1, max = 20))]
    pub required_approvals: u32,
    /// Whose approval counts, as names of groups; anybody's who may approve when left out
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub eligible_groups: Vec<String>,
    /// Separation of duties: whoever requested it may not approve it, nor may an agent acting for them
    #[serde(default)]
    pub require_sod: bool,
    /// Seconds after which an approval that was not used counts no more; never when left out
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 60, max = 31536000))]
    pub expires_after_s: Option<u32>,
}

/// What a policy rules
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PolicyKind {
    /// The approval of promotions
    Approval,
}

/// What an environment and its policies ask for together
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalRule {
    /// How many distinct people must approve
    pub required_approvals: u32,
    /// Whose approval counts: `None` for anybody's who may approve, empty for nobody's
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eligible_groups: Option<Vec<String>>,
    /// Whether whoever requested it may not approve it
    pub require_sod: bool,
    /// Seconds after which an approval counts no more
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after_s: Option<u32>,
}

impl ApprovalRule {
    /// The strictest of `environment` and of every policy that holds there
    ///
    /// The caller chooses the policies: those in its `policy_refs`, and those whose `environments` hold it.
    pub fn of<'a>(environment: &Environment, policies: impl IntoIterator<Item = &'a Policy>) -> Self {
        let mut rule = Self {
            required_approvals: environment.required_approvals,
            eligible_groups: None,
            require_sod: environment.require_sod,
            expires_after_s: None,
        };
        for policy in policies {
            rule.required_approvals = rule.required_approvals.max(policy.required_approvals);
            rule.require_sod |= policy.require_sod;
            rule.expires_after_s = [rule.expires_after_s, policy.expires_after_s].into_iter().flatten().min();
            if !policy.eligible_groups.is_empty() {
                let kept = |group: &String| policy.eligible_groups.contains(group);
                rule.eligible_groups = Some(match rule.eligible_groups {
                    None => policy.eligible_groups.clone(),
                    Some(groups) => groups.into_iter().filter(kept).collect(),
                });
            }
        }
        rule
    }
}

impl Spec for Policy {
    const KIND: Kind = Kind::Policy;
    const OWNERSHIP: Ownership = Ownership::Either;
    const PROVIDER: &'static str = "weir.gates";

    fn findings(&self) -> Vec<Finding> {
        let prefixed = |(i, group): (usize, &String)| {
            group.strip_prefix("group:").map(|name| Finding {
                path: format!("eligible_groups.{i}"),
                code: Code::Format,
                message: "groups are named here without `group:`".to_owned(),
                help: Some(format!("write `{name}`")),
            })
        };
        self.eligible_groups.iter().enumerate().filter_map(prefixed).collect()
    }

    fn weigh_update(before: &Self, after: &Self) -> Weight {
        let mut weight = Weight::reversible();
        if after.required_approvals < before.required_approvals {
            let (from, to) = (before.required_approvals, after.required_approvals);
            weight = weight.and(Weight::narrowing(format!("fewer people must approve: {from} → {to}")));
        }
        if before.require_sod && !after.require_sod {
            weight = weight.and(Weight::narrowing("separation of duties is turned off"));
        }
        let wider = if after.eligible_groups.is_empty() {
            !before.eligible_groups.is_empty()
        } else {
            !before.eligible_groups.is_empty()
                && after.eligible_groups.iter().any(|g| !before.eligible_groups.contains(g))
        };
        if wider {
            weight = weight.and(Weight::narrowing("people may approve who could not before"));
        }
        if before.environments.iter().any(|environment| !after.environments.contains(environment)) {
            weight = weight.and(Weight::narrowing("it no longer holds in an environment"));
        }
        let lasts = |it: &Self| it.expires_after_s.unwrap_or(u32::MAX);
        if lasts(before) < lasts(after) {
            weight = weight.and(Weight::narrowing("approvals stay valid for longer"));
        }
        weight
    }

    fn weigh_delete(_: &Self) -> Weight {
        Weight::narrowing("approvals that it asks for are asked for no more")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_strictest_of_all_rules_holds() {
        let environment: Environment =
            serde_json::from_value(json!({"order_index": 2, "required_approvals": 1})).unwrap();
        let policy = |value| serde_json::from_value::<Policy>(value).unwrap();
        let wide = policy(
            json!({"kind": "approval", "required_approvals": 2, "eligible_groups": ["a", "b"], "expires_after_s": 600}),
        );
        let strict = policy(
            json!({"kind": "approval", "required_approvals": 1, "eligible_groups": ["b", "c"], "require_sod": true}),
        );
        let rule = ApprovalRule::of(&environment, [&wide, &strict]);
        assert_eq!(
            serde_json::to_value(&rule).unwrap(),
            json!({
                "required_approvals": 2, "eligible_groups": ["b"], "require_sod": true, "expires_after_s": 600
            })
        );
        assert_eq!(ApprovalRule::of(&environment, []).eligible_groups, None);
    }
}
