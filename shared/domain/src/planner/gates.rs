//! The gates of a delivery, stage after stage
//!
//! | stage | gates | why there |
//! |---|---|---|
//! | 1 | rules | nobody is asked about what may not be |
//! | 2 | approvals, hands, dependencies, attestations | side by side: each may take days |
//! | 3 | freeze windows | what was agreed to days ago must not slip past a window that began meanwhile |
//! | 4 | schedules | a maintenance window may be over when a freeze ends; they look at both |
//!
//! Stages 3 and 4 stand again before every further batch. A stage that nothing asks for is left out.

use super::{
    EVIDENCE, PlanError,
    delivery::{DeliveryRequest, decided},
};
use crate::{
    definition::{
        address::Address,
        spec::{ApprovalRule, GateConfig, OnFreeze, Policy, PolicyKind},
    },
    gate::{ApprovalGate, FreezeGate, GateContext, GateSpec},
    plan::{Executor, NodeId, NodeType, PlanNode},
};
use serde_json::{Map, json};
use std::collections::BTreeSet;

/// The gate that `config` asks for, as a node of a plan
pub fn gate_node(
    id: NodeId,
    title: &str,
    config: &GateConfig,
    context: &GateContext<'_>,
) -> Result<PlanNode, PlanError> {
    let spec = GateSpec::of(config, context);
    let spec = spec.map_err(|cause| PlanError::Gate { node: id.clone(), cause })?;
    let mut node = PlanNode::new(id, NodeType::Gate, title, Executor::Decide);
    node.requires = context.policy.map(ToString::to_string).into_iter().collect();
    node.gate = Some(spec);
    Ok(node)
}

/// Some gates, and those of them that what comes next waits for
pub(super) struct Gates {
    pub nodes: Vec<PlanNode>,
    pub last: BTreeSet<NodeId>,
}

impl Gates {
    /// Lays `stage` behind what there is; an empty one changes nothing
    fn stage(&mut self, stage: Vec<PlanNode>) {
        if stage.is_empty() {
            return;
        }
        let last = stage.iter().map(|node| node.node_id.clone()).collect();
        let before = std::mem::replace(&mut self.last, last);
        self.nodes.extend(stage.into_iter().map(|node| PlanNode { depends_on: before.clone(), ..node }));
    }
}

/// The gates that stand before everything, and the statement of what they decided
pub(super) fn before(request: &DeliveryRequest<'_>) -> Result<Vec<PlanNode>, PlanError> {
    let mut gates = Gates { nodes: Vec::new(), last: BTreeSet::new() };
    let mut stages: [Vec<PlanNode>; 4] = Default::default();
    let [rules, waits, freezes, schedules] = &mut stages;
    waits.extend(approval(request)?);
    freezes.push(freeze("freeze", request, request.environment_spec.on_freeze)?);
    for (node, stage) in asked_by_policies(request, "gate")? {
        match stage {
            Stage::Rules => rules.push(node),
            Stage::Waits => waits.push(node),
            Stage::Freezes => freezes.push(node),
            Stage::Schedules => schedules.push(node),
        }
    }
    stages.into_iter().for_each(|stage| gates.stage(stage));
    let mut decision = PlanNode::new("decision".parse()?, NodeType::Evidence, "Decision", Executor::Decide);
    decision.job_contract = Some(decided(EVIDENCE, json!({ "packet_type": "release_decision" })));
    gates.stage(vec![decision]);
    Ok(gates.nodes)
}

/// The gates that stand again before the batch `number`
///
/// What runs is never refused half-way: a freeze that would refuse a new delivery holds this one.
pub(super) fn between(
    request: &DeliveryRequest<'_>,
    number: u32,
    after: BTreeSet<NodeId>,
) -> Result<Gates, PlanError> {
    let mut gates = Gates { nodes: Vec::new(), last: after };
    gates.stage(vec![freeze(&format!("freeze-{number}"), request, OnFreeze::Wait)?]);
    let again = asked_by_policies(request, &format!("gate-{number}"))?;
    let again = again.into_iter().filter(|(_, stage)| *stage == Stage::Schedules).map(|(node, _)| node);
    gates.stage(again.collect());
    gates.nodes.iter_mut().for_each(|node| node.batch = Some(number));
    Ok(gates)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Rules,
    Waits,
    Freezes,
    Schedules,
}

const fn stage_of(spec: &GateSpec) -> Stage {
    match spec {
        GateSpec::Policy(_) => Stage::Rules,
        GateSpec::Approval(_) | GateSpec::Manual(_) | GateSpec::Dependency(_) | GateSpec::Security(_) => {
            Stage::Waits
        }
        GateSpec::FreezeWindow(_) => Stage::Freezes,
        GateSpec::Schedule(_) => Stage::Schedules,
    }
}

/// A gate for each policy that asks for one of its own
fn asked_by_policies(
    request: &DeliveryRequest<'_>,
    prefix: &str,
) -> Result<Vec<(PlanNode, Stage)>, PlanError> {
    let inputs = Map::new();
    let mut nodes = Vec::new();
    for (address, policy) in &request.policies {
        let (PolicyKind::Gate, Some(config)) = (policy.kind, &policy.gate) else { continue };
        let context = GateContext {
            environment: Some((request.environment, request.environment_spec)),
            policy: Some(address),
            inputs: &inputs,
        };
        let name = address.to_string().replacen("policy.", "", 1);
        let title = policy.display_name.clone().unwrap_or_else(|| name.clone());
        let node = gate_node(format!("{prefix}.{name}").parse()?, &title, config, &context)?;
        if let Some(stage) = node.gate.as_ref().map(stage_of) {
            nodes.push((node, stage));
        }
    }
    Ok(nodes)
}

/// The one approval that the environment and its policies ask for together
fn approval(request: &DeliveryRequest<'_>) -> Result<Option<PlanNode>, PlanError> {
    let policies = request.policies.iter().map(|(_, policy)| *policy);
    let rule = ApprovalRule::of(request.environment_spec, policies);
    if rule.required_approvals == 0 {
        return Ok(None);
    }
    let asks = |(address, policy): &(&Address, &Policy)| {
        (policy.kind == PolicyKind::Approval).then(|| (*address).clone())
    };
    let mut approval = PlanNode::new("approval".parse()?, NodeType::Gate, "Approval", Executor::Decide);
    approval.gate = Some(GateSpec::Approval(ApprovalGate {
        rule,
        policies: request.policies.iter().filter_map(asks).collect(),
        reasons: vec![format!("{} asks for it", request.environment)],
    }));
    Ok(Some(approval))
}

fn freeze(id: &str, request: &DeliveryRequest<'_>, on_freeze: OnFreeze) -> Result<PlanNode, PlanError> {
    let mut node = PlanNode::new(id.parse()?, NodeType::Gate, "Freeze windows", Executor::Decide);
    let gate = FreezeGate::of(request.environment, request.environment_spec, on_freeze);
    node.gate = Some(GateSpec::FreezeWindow(gate));
    Ok(node)
}
