//! What a plan would mean, to be read before anything runs

use super::DEPLOY_HOST;
use crate::{
    definition::{
        address::Address,
        spec::{OnFailure as Failed, Reversibility},
    },
    gate::GateSpec,
    plan::{BindingStatus, Graph, NodeId, NodeType, OnFailure, Plan, PlanContext, PlanNode},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Targets and nodes that are named one by one; the others are counted
const NAMED_MAX: usize = 100;

/// What a plan would mean
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Preview {
    /// The gates that will be met, in the order of the plan
    pub gates: Vec<GateAhead>,
    /// What it touches
    pub blast_radius: BlastRadius,
    /// Who has to agree, gate by gate; empty where nobody has to
    pub quorum: Vec<Quorum>,
    /// What can be got back
    pub reversibility: Reversibility,
    /// Why
    pub reversibility_reasons: Vec<String>,
    /// What has no provider: while there is anything here, it cannot be started
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

/// A gate that will be met
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GateAhead {
    /// The node that waits for it
    pub node_id: NodeId,
    /// What it asks for
    pub gate: GateSpec,
}

/// What a plan touches
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BlastRadius {
    /// The resources that it is about: a service, an environment
    pub resources: BTreeSet<Address>,
    /// Its targets, the first hundred
    pub targets: BTreeSet<Address>,
    /// How many targets there are
    pub target_count: usize,
    /// How many nodes do something, those of the operations that it runs included
    pub jobs: usize,
    /// How many nodes are done by hand
    pub by_hand: usize,
    /// How many operations it runs besides its own
    pub sub_operations: usize,
    /// The resources that nothing else may use meanwhile
    pub exclusive: BTreeSet<Address>,
}

/// Who has to agree at one gate
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Quorum {
    /// The node that waits
    pub node_id: NodeId,
    /// How many different people
    pub required_approvals: u32,
    /// Of which groups; anyone who may decide where nothing is said
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eligible_groups: Option<Vec<String>>,
    /// Whether whoever asks for it may not agree
    pub require_sod: bool,
}

/// What `plan` with its `graph` would mean; `children` are the plans of the operations that it runs
pub fn preview(plan: &Plan, graph: &Graph, children: &[(&Plan, &Graph)]) -> Preview {
    let all: Vec<(&Plan, &Graph)> = std::iter::once((plan, graph)).chain(children.iter().copied()).collect();
    let nodes = || all.iter().flat_map(|(_, graph)| graph.nodes());
    let gates = nodes().filter_map(|node| {
        node.gate.as_ref().map(|gate| GateAhead { node_id: node.node_id.clone(), gate: gate.clone() })
    });
    let gates: Vec<_> = gates.collect();
    let targets: BTreeSet<&Address> = nodes().filter_map(|node| node.target.as_ref()).collect();
    let of_type = |wanted: NodeType| nodes().filter(|node| node.node_type == wanted).count();
    let (reversibility, reversibility_reasons) = reversibility(plan, &all);
    Preview {
        quorum: gates.iter().filter_map(quorum).collect(),
        gates,
        blast_radius: BlastRadius {
            resources: subjects(plan),
            target_count: targets.len(),
            targets: targets.into_iter().take(NAMED_MAX).cloned().collect(),
            jobs: of_type(NodeType::Job) + of_type(NodeType::Change),
            by_hand: of_type(NodeType::Intervention),
            sub_operations: children.len(),
            exclusive: plan.exclusive.clone(),
        },
        reversibility,
        reversibility_reasons,
        missing: all.iter().flat_map(|(plan, _)| missing(plan)).collect(),
    }
}

/// What of the plan's requirements has no provider, with the reason
pub fn missing(plan: &Plan) -> Vec<String> {
    let unbound = plan.bindings.iter().filter(|it| it.binding_status == BindingStatus::Unbound);
    let told = unbound.map(|it| {
        format!("`{}` asks for `{}` ({})", it.requirement_id, it.capability_key, it.resolution_reason)
    });
    told.collect()
}

fn subjects(plan: &Plan) -> BTreeSet<Address> {
    match &plan.context {
        PlanContext::Delivery(context) => {
            [&context.service, &context.environment].into_iter().cloned().collect()
        }
        PlanContext::Scenario(context) => {
            std::iter::once(&context.resource).chain(&context.environment).cloned().collect()
        }
        PlanContext::Definition(_) | PlanContext::None {} => BTreeSet::new(),
    }
}

fn quorum(ahead: &GateAhead) -> Option<Quorum> {
    match &ahead.gate {
        GateSpec::Approval(approval) => Some(Quorum {
            node_id: ahead.node_id.clone(),
            required_approvals: approval.rule.required_approvals,
            eligible_groups: approval.rule.eligible_groups.clone(),
            require_sod: approval.rule.require_sod,
        }),
        GateSpec::Manual(manual) => Some(Quorum {
            node_id: ahead.node_id.clone(),
            required_approvals: 1,
            eligible_groups: (!manual.groups.is_empty()).then(|| manual.groups.clone()),
            require_sod: manual.require_sod,
        }),
        GateSpec::FreezeWindow(_)
        | GateSpec::Schedule(_)
        | GateSpec::Dependency(_)
        | GateSpec::Policy(_)
        | GateSpec::Security(_) => None,
    }
}

/// A delivery that fails brings back what was there, where its environment says so; what else a job does is only undone
/// where something names what undoes it, and a failure asks for that
fn reversibility(plan: &Plan, all: &[(&Plan, &Graph)]) -> (Reversibility, Vec<String>) {
    let nodes = || all.iter().flat_map(|(_, graph)| graph.nodes());
    let rolls_back = nodes().any(|node| node.on_failure == OnFailure::Rollback);
    let is_lasting = |node: &&PlanNode| {
        node.node_type == NodeType::Job
            && !brings_back(plan, node)
            && !(rolls_back && node.compensation.is_some())
    };
    let lasting = nodes().filter(is_lasting);
    let mut reasons: Vec<String> = lasting.map(|node| format!("nothing undoes `{}`", node.node_id)).collect();
    if reasons.is_empty() {
        return (Reversibility::Reversible, vec![got_back(plan)]);
    }
    let more = reasons.len().saturating_sub(NAMED_MAX);
    reasons.truncate(NAMED_MAX);
    if more > 0 {
        reasons.push(format!("and {more} more"));
    }
    (Reversibility::Irreversible, reasons)
}

/// Whether the delivery itself puts there again what the node replaces
fn brings_back(plan: &Plan, node: &PlanNode) -> bool {
    let contract = node.job_contract.as_ref();
    matches!(plan.context, PlanContext::Delivery(_))
        && contract.is_some_and(|it| it.capability == DEPLOY_HOST)
}

fn got_back(plan: &Plan) -> String {
    let PlanContext::Delivery(context) = &plan.context else {
        return "whatever it does is undone when it fails, or it only looks".to_owned();
    };
    let environment = &context.environment;
    match context.delivery.on_failure {
        Failed::Rollback => format!("`{environment}` brings back what ran before when it fails"),
        Failed::Stop => {
            format!("`{environment}` stops where it fails; what ran before can be promoted again")
        }
    }
}
