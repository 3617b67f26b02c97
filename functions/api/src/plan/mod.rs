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

use weir_domain::{engine::Operation, plan::Plan, scope::Scope};
use weir_edge::{Cx, Problem, wire::plan::PlanRecord};
use weir_store::{Key, PlanRun, Query};

/// Runs of a plan that are read at a time: most have one
const RUNS_PAGE: usize = 100;

/// The plan with the operation that ran it last, whose patches count into its effective version
async fn with_run(cx: &Cx, scope: &Scope, plan: Plan) -> Result<PlanRecord, Problem> {
    let operation = last_run(cx, scope, &plan).await?;
    let patches = operation.as_ref().map_or(0, |operation| operation.patch_seq);
    let plan = Plan { effective_version: plan.effective_version.saturating_add(patches), ..plan };
    Ok(PlanRecord { plan, operation_id: operation.map(|operation| operation.info.operation_id) })
}

/// The operation that ran the plan last. Those of several attempts of a node have ids that are in no order
async fn last_run(cx: &Cx, scope: &Scope, plan: &Plan) -> Result<Option<Operation>, Problem> {
    let query = Query::Partition { pk: Key::plan_run_partition(scope, plan.plan_id), prefix: String::new() };
    let order = |operation: &Operation| {
        let attempt = operation.info.parent.map_or(0, |parent| parent.attempt);
        (operation.info.created_at, attempt)
    };
    let (mut last, mut after) = (None::<Operation>, None::<String>);
    loop {
        let (runs, next) = cx.table().list::<PlanRun>(&query, after.as_deref(), RUNS_PAGE).await?;
        for run in runs {
            let operation = cx.table().operation_get(scope, run.operation_id).await?;
            // A row is no proof: what the operation says counts.
            let operation = operation.filter(|operation| operation.info.plan_id == plan.plan_id);
            last = last.into_iter().chain(operation).max_by_key(order);
        }
        if next.is_none() {
            return Ok(last);
        }
        after = next;
    }
}
