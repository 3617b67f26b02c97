//! Plans: what will run, to be read before it does

mod get;
mod list;
mod template_get;
mod template_list;
#[cfg(test)]
mod tests;

pub use get::PlanGet;
pub use list::PlanList;
pub use template_get::PlanTemplateGet;
pub use template_list::PlanTemplateList;

use weir_domain::{plan::Plan, scope::Scope};
use weir_edge::{Cx, Problem, wire::plan::PlanRecord};
use weir_store::{Key, PlanRun, Query};

/// The plan with the operation that runs it, whose patches count into its effective version
async fn with_run(cx: &Cx, scope: &Scope, plan: Plan) -> Result<PlanRecord, Problem> {
    let query = Query::Partition { pk: Key::plan_run_partition(scope, plan.plan_id), prefix: String::new() };
    let (runs, _) = cx.table().list::<PlanRun>(&query, None, 1).await?;
    let Some(run) = runs.into_iter().next() else { return Ok(PlanRecord { plan, operation_id: None }) };
    let operation = cx.table().operation_get(scope, run.operation_id).await?;
    // A row is no proof: what the operation says counts.
    let operation = operation.filter(|operation| operation.info.plan_id == plan.plan_id);
    let patches = operation.as_ref().map_or(0, |operation| operation.patch_seq);
    let plan = Plan { effective_version: plan.effective_version.saturating_add(patches), ..plan };
    Ok(PlanRecord { plan, operation_id: operation.map(|operation| operation.info.operation_id) })
}
