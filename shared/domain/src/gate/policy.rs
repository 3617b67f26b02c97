//! Gates that look at the plan: a rule that holds denies it

use super::{
    answer::{Earliest, GateAnswer},
    verdict::{ReasonCode, Verdict, VerdictResult},
};
use crate::{
    actor::Actor,
    definition::{
        address::Address,
        spec::{Condition, PolicyGate, Principal, Risk},
    },
    operation::OperationType,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What rules may ask about a plan
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanFacts {
    /// What kind of operation it is
    pub operation_type: OperationType,
    /// Who asked for it
    pub requested_by: Actor,
    /// The environment that it changes
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Address>,
    /// Whether that serves users
    pub production: bool,
    /// How many targets it changes
    pub targets: u32,
    /// How many nodes it has
    pub nodes: u32,
    /// How risky its scenario is said to be
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<Risk>,
    /// The version that it brings
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// Whether all that `condition` says is so
pub fn holds(condition: &Condition, facts: &PlanFacts) -> bool {
    let any = |empty: bool, fits: bool| empty || fits;
    let principal = |principal: &Principal| match principal {
        Principal::User(id) => id == facts.requested_by.person() || *id == facts.requested_by.id,
        Principal::Group(group) => facts.requested_by.groups.contains(group),
    };
    let environment = |address: &Address| condition.environments.iter().any(|it| it.address() == address);
    // A build, `1.0.0+001`, is no pre-release.
    let prerelease =
        || facts.version.as_deref().is_some_and(|it| it.split('+').next().is_some_and(|it| it.contains('-')));
    any(condition.operation_types.is_empty(), condition.operation_types.contains(&facts.operation_type))
        && any(condition.environments.is_empty(), facts.environment.as_ref().is_some_and(environment))
        && condition.production.is_none_or(|production| production == facts.production)
        && any(condition.requested_by.is_empty(), condition.requested_by.iter().any(principal))
        && any(condition.actor_kinds.is_empty(), condition.actor_kinds.contains(&facts.requested_by.kind))
        && condition.targets_above.is_none_or(|limit| facts.targets > limit)
        && condition.nodes_above.is_none_or(|limit| facts.nodes > limit)
        // A risk that nobody has said may be any.
        && condition.risk_at_least.is_none_or(|least| facts.risk.is_none_or(|risk| risk >= least))
        && condition.prerelease.is_none_or(|asked| asked == prerelease())
}

/// What rules answer
pub(super) fn answer(gate: &PolicyGate, facts: Option<&PlanFacts>) -> GateAnswer {
    let denies = facts.and_then(|facts| {
        gate.rules.iter().find(|rule| {
            holds(&rule.when, facts) && !rule.unless.as_ref().is_some_and(|unless| holds(unless, facts))
        })
    });
    let (result, reason, earliest) = match (facts, denies) {
        (_, Some(_)) => (VerdictResult::Deny, ReasonCode::RuleDenies, Earliest::Never {}),
        (Some(_), None) => (VerdictResult::Allow, ReasonCode::NoRuleDenies, Earliest::Now {}),
        // Nothing was read to decide on.
        (None, None) => (VerdictResult::Pending, ReasonCode::RuleDenies, Earliest::Unknown {}),
    };
    GateAnswer {
        verdict: Verdict::new(result, reason),
        inputs: json!({ "facts": facts, "rules": gate.rules, "denied_by": denies }),
        what: denies.map_or_else(|| "rules that hold".to_owned(), |rule| rule.deny.clone()),
        who: "nobody: change the plan, or the policy".to_owned(),
        earliest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::ActorKind;
    use proptest::prelude::*;
    use serde_json::Value;

    fn facts() -> PlanFacts {
        PlanFacts {
            operation_type: OperationType::Promote,
            requested_by: Actor {
                kind: ActorKind::AiAgent,
                on_behalf_of: Some("ann".to_owned()),
                groups: vec!["developers".to_owned()],
                ..Actor::system("ai")
            },
            environment: Some("environment.production".parse().unwrap()),
            production: true,
            targets: 10,
            nodes: 40,
            risk: Some(Risk::Medium),
            version: Some("2.0.0-rc.1".to_owned()),
        }
    }

    fn denied(rule: Value) -> bool {
        let gate: PolicyGate = serde_json::from_value(json!({ "rules": [rule] })).unwrap();
        answer(&gate, Some(&facts())).verdict.result == VerdictResult::Deny
    }

    #[test]
    fn each_field_of_a_condition_asks_for_what_it_says() {
        for (condition, expected) in [
            (json!({"operation_types": ["deploy", "promote"]}), true),
            (json!({"operation_types": ["rollback"]}), false),
            (json!({"environments": ["environment.production"]}), true),
            (json!({"environments": ["environment.staging"]}), false),
            (json!({"production": true}), true),
            (json!({"production": false}), false),
            (json!({"requested_by": ["user:ann"]}), true),
            (json!({"requested_by": ["user:system:ai"]}), true),
            (json!({"requested_by": ["group:developers", "user:bob"]}), true),
            (json!({"requested_by": ["group:ops"]}), false),
            (json!({"actor_kinds": ["ai_agent"]}), true),
            (json!({"actor_kinds": ["user"]}), false),
            (json!({"targets_above": 9}), true),
            (json!({"targets_above": 10}), false),
            (json!({"nodes_above": 39}), true),
            (json!({"nodes_above": 40}), false),
            (json!({"risk_at_least": "medium"}), true),
            (json!({"risk_at_least": "high"}), false),
            (json!({"prerelease": true}), true),
            (json!({"prerelease": false}), false),
            (json!({"production": true, "targets_above": 10}), false),
            (json!({}), true),
        ] {
            let rule = json!({ "deny": "no", "when": condition });
            assert_eq!(denied(rule), expected, "{condition}");
        }
    }

    #[test]
    fn an_exception_and_a_risk_that_nobody_has_said() {
        let unless = json!({"deny": "no", "when": {"production": true}, "unless": {"targets_above": 9}});
        assert!(!denied(unless));
        let high: Condition = serde_json::from_value(json!({"risk_at_least": "critical"})).unwrap();
        assert!(holds(&high, &PlanFacts { risk: None, ..facts() }));
        let pre: Condition = serde_json::from_value(json!({"prerelease": true})).unwrap();
        assert!(!holds(&pre, &PlanFacts { version: Some("1.0.0+a-b".to_owned()), ..facts() }));
    }

    proptest! {
        /// Any rule that holds denies, wherever it stands among others, and its reason is told
        #[test]
        fn a_rule_that_holds_denies_whatever_the_others_say(holding in prop::collection::vec(any::<bool>(), 1..12)) {
            let rules: Vec<Value> = (0..).zip(&holding)
                .map(|(i, holds)| json!({ "deny": format!("rule {i}"), "when": {"production": holds} }))
                .collect();
            let gate: PolicyGate = serde_json::from_value(json!({ "rules": rules })).unwrap();
            let answer = answer(&gate, Some(&facts()));
            match holding.iter().position(|holds| *holds) {
                Some(first) => {
                    prop_assert_eq!(answer.verdict.result, VerdictResult::Deny);
                    prop_assert_eq!(answer.what, format!("rule {first}"));
                }
                None => prop_assert_eq!(answer.verdict.result, VerdictResult::Allow),
            }
        }
    }
}
