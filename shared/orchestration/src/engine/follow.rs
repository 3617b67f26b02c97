//! Follow: a change of the table hints at what to drive

use super::Engine;
use crate::EngineError;
use weir_domain::gate::Gate;
use weir_store::{Change, Image, Key, NodeKey, Record};

impl Engine {
    /// Drives what `change` hints at. The common case is that somebody has: it costs one read
    pub async fn follow(&self, change: Change) -> Result<(), EngineError> {
        match change.new {
            Some(Image::Node(key, node)) if !node.closed => self.drive_node(&key).await?,
            Some(Image::Operation(operation)) if !operation.todo.is_empty() => {
                // Whoever wrote it is at it now; only what was left lying is run again.
                if operation.wake.is_some_and(|wake| wake <= self.clock.now()) {
                    self.drive_operation(&operation.info.scope, operation.info.operation_id).await?;
                }
            }
            Some(Image::Record(record)) => self.follow_gate(&record).await?,
            Some(Image::Node(..) | Image::Operation(_)) | None => {}
        }
        Ok(())
    }

    /// A gate that was decided: the node that waits for it can end
    async fn follow_gate(&self, record: &Record) -> Result<(), EngineError> {
        let (Ok(gate), Some(scope)) = (record.entity::<Gate>(), Key::parse_scope(record.key.pk())) else {
            return Ok(());
        };
        self.drive_node(&NodeKey::new(&scope, gate.operation_id, gate.ordinal)).await
    }
}
