//! The table's stream: drive what a change hints at

use crate::ReactorError;
use serde_json::{Value, json};
use weir_edge::Cx;
use weir_store::stream::StreamEvent;

/// Drives the item of each record. The common case is that somebody has: it costs one read
pub(crate) async fn run(cx: &Cx, event: Value) -> Result<Value, ReactorError> {
    let event: StreamEvent = serde_json::from_value(event)?;
    for record in event.records {
        let sequence = record.sequence_number().to_owned();
        let done = match record.change() {
            Ok(change) => cx.engine().follow(change).await.map_err(ReactorError::from),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = done {
            tracing::warn!(error = &error as &dyn std::error::Error, "a record failed");
            // Everything from this record on is delivered again.
            return Ok(json!({ "batchItemFailures": [{ "itemIdentifier": sequence }] }));
        }
    }
    Ok(json!({ "batchItemFailures": [] }))
}
