//! The table's stream: drive what a change hints at

use crate::ReactorError;
use serde_json::{Value, json};
use weir_domain::gate::Gate;
use weir_edge::Cx;
use weir_store::{Change, Image, Key, NodeKey, Record, stream::StreamEvent};

/// Drives the item of each record. The common case is that somebody has: it costs one read
pub(crate) async fn run(cx: &Cx, event: Value) -> Result<Value, ReactorError> {
    let event: StreamEvent = serde_json::from_value(event)?;
    for record in event.records {
        let sequence = record.sequence_number().to_owned();
        let done = match record.change() {
            Ok(change) => drive(cx, change).await,
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

async fn drive(cx: &Cx, change: Change) -> Result<(), ReactorError> {
    match change.new {
        Some(Image::Node(key, node)) if !node.closed => cx.engine().drive_node(&key).await?,
        Some(Image::Operation(operation)) if !operation.todo.is_empty() => {
            let wake = operation.wake.is_some_and(|wake| wake <= cx.clock.now());
            // Whoever wrote it is at it now; only what was left lying is run again.
            if wake {
                cx.engine().drive_operation(&operation.info.scope, operation.info.operation_id).await?;
            }
        }
        Some(Image::Record(record)) => gate(cx, &record).await?,
        Some(Image::Node(..) | Image::Operation(_)) | None => {}
    }
    Ok(())
}

/// A gate that was decided: the node that waits for it can end
async fn gate(cx: &Cx, record: &Record) -> Result<(), ReactorError> {
    let (Ok(gate), Some(scope)) = (record.entity::<Gate>(), Key::parse_scope(record.key.pk())) else {
        return Ok(());
    };
    cx.engine().drive_node(&NodeKey::new(&scope, gate.operation_id, gate.ordinal)).await?;
    Ok(())
}
