//! `policy`: who must agree, and what else must be so

use super::{Environment, Finding, GateConfig, Ownership, Ref, Risk, Spec, Weight};
use crate::definition::{address::Kind, codes::Code};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What must be so before a release is brought to an environment (requirement 004)
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
    /// How many distinct people must approve, where the kind is `approval`
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(range(min = 1, max = 20))]
    pub required_approvals: u32,
    /// What is waited for, where the kind is `gate`: a node of its own in every plan that it holds for
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateConfig>,
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
    /// Whose scenario packs may be imported, where the kind is `packs`: name → P-256 public key in PEM
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub signers: BTreeMap<String, String>,
    /// How risky a scenario of their packs may be; `medium` when left out
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_risk: Option<Risk>,
}

/// What a policy rules
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PolicyKind {
    /// The approval of promotions: the strictest of all that hold together make one gate
    Approval,
    /// A gate of its own
    Gate,
    /// Whose scenario packs may be imported
    Packs,
}

impl PolicyKind {
    /// How the kind of packs is written, for who has to know before policies are read as such
    pub const PACKS: &'static str = "packs";
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
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
        for policy in policies.into_iter().filter(|policy| policy.kind == PolicyKind::Approval) {
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
        let mut found: Vec<Finding> = self.eligible_groups.iter().enumerate().filter_map(prefixed).collect();
        found.extend(self.misfits());
        found
    }

    fn weigh_create(after: &Self) -> Weight {
        match after.signers.keys().next() {
            Some(_) => Weight::narrowing(after.trusting(after.signers.keys())),
            None => Weight::reversible(),
        }
    }

    fn weigh_update(before: &Self, after: &Self) -> Weight {
        let mut weight = Weight::reversible();
        let is_new = |(name, key): &(&String, &String)| before.signers.get(*name) != Some(*key);
        let new: Vec<&String> = after.signers.iter().filter(is_new).map(|(name, _)| name).collect();
        if !new.is_empty() {
            weight = weight.and(Weight::narrowing(after.trusting(new)));
        }
        if before.risk_allowed() < after.risk_allowed() {
            weight = weight.and(Weight::narrowing("riskier packs may be imported"));
        }
        if before.kind != after.kind || before.gate != after.gate {
            weight = weight.and(Weight::narrowing("its gate asks for something else"));
        }
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

impl Policy {
    /// How risky a scenario of the signers' packs may be
    pub fn risk_allowed(&self) -> Risk {
        self.max_risk.unwrap_or_default()
    }

    fn trusting<'a>(&self, signers: impl IntoIterator<Item = &'a String>) -> String {
        let names: Vec<_> = signers.into_iter().map(|name| format!("`{name}`")).collect();
        format!("scenarios that {} has signed may be imported", names.join(", "))
    }

    /// What a policy of packs says that nothing reads, and keys that are none
    fn wrong_signers(&self) -> Vec<Finding> {
        let finding = |path: String, code, message: &str| Finding {
            path,
            code,
            message: message.to_owned(),
            help: None,
        };
        if self.signers.is_empty() {
            return vec![finding(String::new(), Code::MissingField, "`signers` is missing")];
        }
        if self.gate.is_some() || self.required_approvals > 0 || !self.environments.is_empty() {
            let message = "a policy of packs asks for no approval and has no environment";
            return vec![finding("kind".to_owned(), Code::Contradiction, message)];
        }
        let unreadable = |(_, key): &(&String, &String)| crate::definition::pack::key_id(key).is_none();
        let wrong = self.signers.iter().filter(unreadable).map(|(name, _)| {
            finding(format!("signers.{name}"), Code::Format, "this is no P-256 public key in PEM")
        });
        wrong.collect()
    }

    /// What its kind asks for and is not there, or is there and nothing reads it
    fn misfits(&self) -> Vec<Finding> {
        let finding = |path: &str, code, message: &str| {
            vec![Finding { path: path.to_owned(), code, message: message.to_owned(), help: None }]
        };
        let approves = self.required_approvals > 0
            || !self.eligible_groups.is_empty()
            || self.require_sod
            || self.expires_after_s.is_some();
        let trusts = !self.signers.is_empty() || self.max_risk.is_some();
        match (self.kind, &self.gate) {
            (PolicyKind::Packs, _) => self.wrong_signers(),
            (PolicyKind::Approval | PolicyKind::Gate, _) if trusts => finding(
                "kind",
                Code::Contradiction,
                "a policy that says whose packs are trusted is of the kind `packs`",
            ),
            (PolicyKind::Approval, Some(_)) => {
                finding("gate", Code::Contradiction, "a policy with a `gate` is of the kind `gate`")
            }
            (PolicyKind::Approval, None) if self.required_approvals == 0 => {
                finding("", Code::MissingField, "`required_approvals` is missing")
            }
            (PolicyKind::Approval, None) => Vec::new(),
            (PolicyKind::Gate, None) => finding("", Code::MissingField, "`gate` is missing"),
            (PolicyKind::Gate, Some(_)) if approves => {
                let message = "a policy of the kind `gate` says in `gate.approval` who must approve";
                finding("kind", Code::Contradiction, message)
            }
            (PolicyKind::Gate, Some(gate)) => gate.findings("gate"),
        }
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
