//! The way back of a scenario that has failed: the jobs that it has done are undone, the last of them first
//!
//! Only what ended well is undone. A job that failed, or whose end nobody knows, is left to who looks at the failure:
//! undoing what was not done may do more harm than the failure.

use super::child::child_id;
use crate::{
    Engine, EngineError,
    rollback::{self, WayBack, rollback_id},
};
use futures::{FutureExt as _, future::BoxFuture};
use serde_json::Map;
use std::collections::BTreeMap;
use weir_domain::{
    definition::expression::outputs_named,
    engine::{NodeRun, Operation},
    operation::OperationStatus,
    plan::{Graph, NodeStatus, NodeType, OnFailure, Plan, PlanContext, PlanNode, ScenarioContext},
    planner::{Done, Undoing, plan_undo},
};
use weir_store::{Entity as _, Key};

/// Starts the rollback of `failed`, once, if the failure of one of its nodes asks for that
pub(super) async fn start_rollback(
    engine: &Engine,
    failed: &Operation,
    nodes: &[NodeRun],
) -> Result<(), EngineError> {
    let asks =
        |node: &NodeRun| node.status == NodeStatus::Failed && node.terms.on_failure == OnFailure::Rollback;
    if failed.status != OperationStatus::Failed || !nodes.iter().any(asks) {
        return Ok(());
    }
    let graph = match plan_undo(&undoing(engine, failed, nodes).await?) {
        Ok(Some(graph)) => graph,
        Ok(None) => {
            let why = "nothing is rolled back: nothing that was done names what undoes it".to_owned();
            return rollback::none(engine, failed, why).await;
        }
        Err(error) => {
            let why = format!("nothing is rolled back, and what was done is left as it is: {error}");
            return rollback::none(engine, failed, why).await;
        }
    };
    let key = Key::entity(&failed.info.scope, Plan::KIND, failed.info.plan_id);
    let missing = || EngineError::Inconsistent(format!("there is no plan `{}`", failed.info.plan_id));
    let (plan, _) = engine.table.read::<Plan>(&key).await?.ok_or_else(missing)?;
    place(engine, failed, plan, graph).await
}

async fn place(engine: &Engine, failed: &Operation, plan: Plan, graph: Graph) -> Result<(), EngineError> {
    let PlanContext::Scenario(context) = plan.context else {
        return Err(EngineError::Inconsistent(format!("plan `{}` runs no scenario", plan.plan_id)));
    };
    let subject = context.resource.clone();
    let context =
        ScenarioContext { action: "rollback".to_owned(), outputs: BTreeMap::new(), part_of: None, ..context };
    let is_own = |requirement: &str| requirement.starts_with("undo.");
    let bindings = plan.bindings.into_iter().filter(|binding| is_own(&binding.requirement_id)).collect();
    let (scenario, context) = (plan.scenario_ref, PlanContext::Scenario(context));
    rollback::place(engine, failed, WayBack { subject, scenario, context, graph, bindings }).await
}

/// What the operation has done, with what each job gave that has to be known to undo it
fn undoing<'a>(
    engine: &'a Engine,
    operation: &'a Operation,
    nodes: &'a [NodeRun],
) -> BoxFuture<'a, Result<Undoing, EngineError>> {
    async move {
        let graph = engine.graph_of(operation).await?;
        let (mut done, mut children) = (BTreeMap::new(), BTreeMap::new());
        for node in nodes.iter().filter(|node| node.status == NodeStatus::Succeeded) {
            let Some(plan_node) = graph.node(node.ordinal) else { continue };
            done.insert(node.ordinal, known(engine, operation, plan_node, node).await?);
            if plan_node.node_type == NodeType::SubOperation {
                let id = child_id(operation.info.operation_id, node.ordinal, node.attempt);
                let Some(child) = engine.table.operation_get(&operation.info.scope, id).await? else {
                    continue;
                };
                if is_taken_back(engine, &child).await? {
                    continue;
                }
                let nodes = engine.all_nodes(&child).await?;
                children.insert(node.ordinal, undoing(engine, &child, &nodes).await?);
            }
        }
        Ok(Undoing { graph, done, children })
    }
    .boxed()
}

/// Whether the operation takes itself back, or has: a person has marked its node as done since
///
/// What that way back could not undo is told as left as it is, and is not tried a second time.
async fn is_taken_back(engine: &Engine, child: &Operation) -> Result<bool, EngineError> {
    let Some(id) = rollback_id(child) else { return Ok(false) };
    Ok(engine.table.operation_get(&child.info.scope, id).await?.is_some())
}

/// What has to be known of a node that was done to undo it
async fn known(
    engine: &Engine,
    operation: &Operation,
    plan_node: &PlanNode,
    node: &NodeRun,
) -> Result<Done, EngineError> {
    let info = &operation.info;
    let gave = match needs_outputs(plan_node) {
        true => engine.outputs(info.operation_id, plan_node, node).await?,
        false => Map::new(),
    };
    let replaced = match plan_node.compensation.is_some() {
        true => engine.replaced_inputs(&info.scope, node).await?,
        false => Map::new(),
    };
    Ok(Done { gave: Some(gave), replaced })
}

fn needs_outputs(node: &PlanNode) -> bool {
    let inputs = node.compensation.as_ref().map(|it| it.job_contract.inputs.clone().into());
    inputs.is_some_and(|inputs| !outputs_named(&inputs).is_empty())
}
