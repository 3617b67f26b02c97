//! From what a policy or a template says to what a plan's gate asks for

use super::spec::{ApprovalGate, Dependency, DependencyGate, FreezeGate, GateSpec, ScheduleGate};
use crate::definition::{
    address::Address,
    spec::{ApprovalConfig, ApprovalRule, DependencyConfig, Environment, GateConfig},
};
use serde_json::{Map, Value};

/// What a gate is laid in
#[derive(Debug, Clone, Copy)]
pub struct GateContext<'a> {
    /// The environment that the plan changes, if it changes one
    pub environment: Option<(&'a Address, &'a Environment)>,
    /// The policy that asks for the gate, if one does
    pub policy: Option<&'a Address>,
    /// What the intent gives the plan
    pub inputs: &'a Map<String, Value>,
}

/// Why a gate cannot be laid
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GateConfigError {
    /// It asks for nothing, or for several things
    #[error("a gate asks for exactly one thing")]
    NotOne,
    /// It needs an environment and there is none
    #[error("a freeze window is one of an environment, and this plan changes none")]
    NoEnvironment,
    /// The operation that it waits for is not known
    #[error("the input `{0}` is not the id of an operation that could be waited for")]
    NoOperation(String),
}

impl GateSpec {
    /// What `config` asks for in `context`
    pub fn of(config: &GateConfig, context: &GateContext<'_>) -> Result<Self, GateConfigError> {
        let all = [
            config.approval.as_ref().map(|it| Ok(Self::Approval(approval(it, context)))),
            config.freeze_window.as_ref().map(|it| {
                let (address, spec) = context.environment.ok_or(GateConfigError::NoEnvironment)?;
                Ok(Self::FreezeWindow(FreezeGate::of(address, spec, it.on_freeze)))
            }),
            config.manual.as_ref().map(|it| Ok(Self::Manual(it.clone()))),
            config.schedule.as_ref().map(|it| {
                let environment = context.environment.map(|(address, _)| address.clone());
                Ok(Self::Schedule(ScheduleGate { schedule: it.clone(), environment }))
            }),
            config.dependency.as_ref().map(|it| dependency(it, context).map(Self::Dependency)),
            config.policy.as_ref().map(|it| Ok(Self::Policy(it.clone()))),
            config.security.as_ref().map(|it| Ok(Self::Security(it.clone()))),
        ];
        let mut said = all.into_iter().flatten();
        match (said.next(), said.next()) {
            (Some(one), None) => one,
            (None | Some(_), _) => Err(GateConfigError::NotOne),
        }
    }
}

fn approval(config: &ApprovalConfig, context: &GateContext<'_>) -> ApprovalGate {
    let groups = &config.eligible_groups;
    ApprovalGate {
        rule: ApprovalRule {
            required_approvals: config.required_approvals,
            eligible_groups: (!groups.is_empty()).then(|| groups.clone()),
            require_sod: config.require_sod,
            expires_after_s: config.expires_after_s,
        },
        policies: context.policy.cloned().into_iter().collect(),
        reasons: Vec::new(),
    }
}

fn dependency(
    config: &DependencyConfig,
    context: &GateContext<'_>,
) -> Result<DependencyGate, GateConfigError> {
    let on = match (&config.operation, &config.release) {
        (Some(text), None) => {
            let given = match text.strip_prefix("inputs.") {
                Some(name) => context.inputs.get(name).and_then(Value::as_str).unwrap_or_default(),
                None => text,
            };
            let operation = given.parse().map_err(|_| GateConfigError::NoOperation(text.clone()))?;
            Dependency::Operation(operation)
        }
        (None, Some(release)) => Dependency::Release(release.clone()),
        (None, None) | (Some(_), Some(_)) => return Err(GateConfigError::NotOne),
    };
    Ok(DependencyGate { on, expires_after_s: config.expires_after_s })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn spec(config: Value, inputs: Value) -> Result<GateSpec, GateConfigError> {
        let config: GateConfig = serde_json::from_value(config).unwrap();
        let inputs = inputs.as_object().cloned().unwrap_or_default();
        GateSpec::of(&config, &GateContext { environment: None, policy: None, inputs: &inputs })
    }

    #[test]
    fn a_gate_asks_for_one_thing_that_is_there() {
        assert_eq!(spec(json!({}), json!({})), Err(GateConfigError::NotOne));
        let two = json!({"manual": {"people": ["bob"]}, "schedule": {"not_before": "2026-11-21T00:00:00Z"}});
        assert_eq!(spec(two, json!({})), Err(GateConfigError::NotOne));
        assert_eq!(spec(json!({"freeze_window": {}}), json!({})), Err(GateConfigError::NoEnvironment));
    }

    #[test]
    fn an_operation_may_be_one_that_the_intent_names() {
        let config = json!({"dependency": {"operation": "inputs.after"}});
        let operation = "op_01ARZ3NDEKTSV4RRFFQ69G5FAV";
        let gate = spec(config.clone(), json!({"after": operation})).unwrap();
        assert!(
            matches!(&gate, GateSpec::Dependency(DependencyGate { on: Dependency::Operation(id), .. })
                if id.to_string() == operation),
            "{gate:?}"
        );
        assert_eq!(
            spec(config, json!({"after": "yesterday"})),
            Err(GateConfigError::NoOperation("inputs.after".into()))
        );
    }

    #[test]
    fn every_kind_reads_back_from_a_plan() {
        for config in [
            json!({"approval": {"required_approvals": 1}}),
            json!({"manual": {"groups": ["ops"], "expires_after_s": 600}}),
            json!({"schedule": {"windows": [{"days": ["sat"], "from": "22:00", "until": "04:00"}], "time_zone": "UTC"}}),
            json!({"dependency": {"release": {"service": "service.db", "environment": "environment.production"}}}),
            json!({"dependency": {"operation": "op_01ARZ3NDEKTSV4RRFFQ69G5FAV"}}),
            json!({"policy": {"rules": [{"deny": "no", "when": {"production": true}}]}}),
            json!({"security": {"require": ["signature"]}}),
        ] {
            let gate = spec(config, json!({})).unwrap();
            let stored = serde_json::to_value(&gate).unwrap();
            assert_eq!(stored["kind"], gate.kind());
            assert_eq!(serde_json::from_value::<GateSpec>(stored).unwrap(), gate);
        }
    }
}
