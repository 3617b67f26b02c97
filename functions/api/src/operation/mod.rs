//! Operations: plans that run

mod ahead;
#[cfg(test)]
mod ahead_tests;
mod cancel;
mod create;
mod explain;
#[cfg(test)]
mod explain_tests;
#[cfg(test)]
mod fresh_tests;
mod get;
#[cfg(test)]
mod hold_tests;
mod list;
mod looked;
mod pause;
#[cfg(test)]
mod queue_tests;
mod resume;
mod retry;
#[cfg(test)]
mod retry_tests;
#[cfg(test)]
mod rollback_tests;
mod run_get;
mod run_list;
mod run_reconcile;
#[cfg(test)]
mod run_tests;
mod runs;
#[cfg(test)]
mod tests;
mod timeline;
mod view;
mod waits;
mod wish;

pub use cancel::OperationCancel;
pub use create::OperationCreate;
pub use explain::OperationExplain;
pub use get::OperationGet;
pub use list::OperationList;
pub use pause::OperationPause;
pub use resume::OperationResume;
pub use retry::OperationRetry;
pub use run_get::OperationRunGet;
pub use run_list::OperationRunList;
pub use run_reconcile::OperationRunReconcile;
pub use timeline::OperationTimeline;

use schemars::JsonSchema;
use serde::Deserialize;
use weir_domain::{engine::Operation, id::OperationId, scope::Scope, time::Millis};
use weir_edge::{Answer, Cx, Problem, wire::operation::OperationView};

/// Which operation
#[derive(Debug, Deserialize, JsonSchema)]
pub struct OperationPath {
    /// The operation
    pub(crate) operation: OperationId,
}

/// The operation `id`, if it is one of `scope`
pub(crate) async fn find(cx: &Cx, scope: &Scope, id: OperationId) -> Result<Operation, Problem> {
    let found = cx.table().operation_get(scope, id).await?;
    found.ok_or_else(|| Problem::not_found(format!("operation `{id}`")))
}

/// The operation without its nodes, which are read only to tell what it shows while it runs
pub(crate) async fn brief(cx: &Cx, operation: &Operation, now: Millis) -> Result<OperationView, Problem> {
    let nodes = if operation.is_active() { cx.engine().all_nodes(operation).await? } else { Vec::new() };
    Ok(view::view(operation, &nodes, now))
}

/// The answer to who asked for an operation: 200 where it was there already
pub(crate) fn started(view: OperationView, own: bool) -> Answer<OperationView> {
    if own { view.into() } else { Answer::with_status(200, view) }
}

pub(crate) use list::stored;
pub(crate) use timeline::events;
pub(crate) use view::shown;
