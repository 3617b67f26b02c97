//! The schedule: whatever stands still is found and driven

use crate::ReactorError;
use serde_json::{Value, json};
use weir_edge::Cx;

/// One pass
pub(crate) async fn run(cx: &Cx) -> Result<Value, ReactorError> {
    let done = cx.engine().reconcile().await?;
    if done != weir_orchestration::Reconciled::default() {
        let run = done.run.map(tracing::field::display);
        tracing::info!(
            nodes = done.nodes,
            operations = done.operations,
            failed = done.failed,
            run,
            "reconciled"
        );
    }
    Ok(json!({
        "nodes": done.nodes,
        "operations": done.operations,
        "failed": done.failed,
        "operation_run_id": done.run,
    }))
}
