//! The planner of changes to the definition: an approval where one is due, then group after group
//!
//! One group is one compare-and-swap of the state, so groups run one after the other: two at a time would
//! only make each other stale.

use super::{APPLY_GROUP, PlanError, REBUILD_ROWS, fragment::object};
use crate::{
    canonical::Digest,
    definition::spec::ApprovalRule,
    gate::{ApprovalGate, GateSpec},
    plan::{Backoff, Executor, Graph, Idempotency, JobContract, NodeId, NodeType, PlanNode},
};
use serde_json::json;
use std::collections::BTreeSet;

/// A group is at most eighty resources: some reads, two transactions, one compare-and-swap
const GROUP_TIMEOUT_S: u32 = 120;

/// Within what a function may run; an attempt that had to stop finds what the one before it wrote unchanged
const REBUILD_TIMEOUT_S: u32 = 840;

/// Who has to agree to a change that cannot be taken back or narrows what is allowed
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// How many different people
    pub required: u32,
    /// Of which groups; anyone may decide when there is none
    pub groups: Vec<String>,
    /// Which changes ask for it, in words
    pub reasons: Vec<String>,
}

/// A planned change of the definition
#[derive(Debug, Clone, PartialEq)]
pub struct DefinitionRequest {
    /// The digest of the change plan, to which an approval is bound
    pub change_plan_digest: Digest,
    /// What each group is called, for people
    pub groups: Vec<String>,
    /// Who has to agree, if anybody
    pub approval: Option<Approval>,
}

/// Plans the apply of a definition
pub fn plan_definition(request: &DefinitionRequest) -> Result<Graph, PlanError> {
    let mut nodes: Vec<PlanNode> = Vec::new();
    if let Some(approval) = &request.approval {
        let mut gate = PlanNode::new("approval".parse()?, NodeType::Gate, "Approval", Executor::Decide);
        let rule = ApprovalRule {
            required_approvals: approval.required,
            eligible_groups: (!approval.groups.is_empty()).then(|| approval.groups.clone()),
            require_sod: true,
            expires_after_s: None,
        };
        let (policies, reasons) = (Vec::new(), approval.reasons.clone());
        gate.gate = Some(GateSpec::Approval(ApprovalGate { rule, policies, reasons }));
        nodes.push(gate);
    }
    for (index, title) in request.groups.iter().enumerate() {
        let id: NodeId = format!("change.group-{}", index + 1).parse()?;
        let mut node = PlanNode::new(id, NodeType::Change, title.clone(), Executor::Job);
        node.depends_on =
            nodes.last().map(|before| BTreeSet::from([before.node_id.clone()])).unwrap_or_default();
        node.requires = vec![APPLY_GROUP.to_owned()];
        node.job_contract = Some(JobContract {
            capability: APPLY_GROUP.to_owned(),
            inputs: object(json!({ "change_plan": request.change_plan_digest, "group": index })),
            outputs: Vec::new(),
            timeout_s: GROUP_TIMEOUT_S,
            attempts: 10,
            backoff: Backoff { base_s: 1, factor: 2, max_s: 30 },
            idempotency: Idempotency::Natural,
            secrets: Vec::new(),
            deadline_s: None,
        });
        nodes.push(node);
    }
    Ok(Graph::new(nodes)?)
}

/// Plans that the table's rows of the definition are made again from the ledger
pub fn plan_rebuild() -> Result<Graph, PlanError> {
    let title = "Make the rows of the definition again";
    let mut node = PlanNode::new("rebuild".parse()?, NodeType::Job, title, Executor::Job);
    node.requires = vec![REBUILD_ROWS.to_owned()];
    node.job_contract = Some(JobContract {
        capability: REBUILD_ROWS.to_owned(),
        inputs: serde_json::Map::new(),
        outputs: Vec::new(),
        timeout_s: REBUILD_TIMEOUT_S,
        attempts: 5,
        backoff: Backoff { base_s: 1, factor: 2, max_s: 30 },
        idempotency: Idempotency::Natural,
        secrets: Vec::new(),
        deadline_s: None,
    });
    Ok(Graph::new(vec![node])?)
}
