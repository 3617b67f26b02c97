//! The end of a segment, and of the operation with its last one

use super::Engine;
use crate::EngineError;
use serde::{Deserialize, Serialize};
use weir_domain::{
    engine::{NodeRun, OperationUpdate},
    id::OperationId,
    plan::Executor,
    scope::Scope,
};
use weir_store::Applied;

/// What the segment's execution does next: the one string that its Choice compares
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SegmentNext {
    /// A node has not ended: enter all states again; those of ended nodes answer at once
    Again,
    /// Nothing is left for this execution
    Done,
}

/// Rounds after which a segment goes on in a new execution: a round leaves 331 events of at most 25,000
const ROUNDS_MAX: u32 = 20;

impl Engine {
    /// Every iteration of the segment's Map has ended, for the `round`th time; one that has gone as far as its history
    /// may goes on in a new execution
    pub async fn segment_round(
        &self,
        scope: &Scope,
        operation: OperationId,
        segment: u32,
        round: u32,
    ) -> Result<SegmentNext, EngineError> {
        let next = self.segment_finish(scope, operation, segment).await?;
        if next == SegmentNext::Again && round >= ROUNDS_MAX {
            self.revive_segments(scope, operation).await?;
            return Ok(SegmentNext::Done);
        }
        Ok(next)
    }

    /// Every iteration of the segment's Map has ended
    pub async fn segment_finish(
        &self,
        scope: &Scope,
        operation: OperationId,
        segment: u32,
    ) -> Result<SegmentNext, EngineError> {
        // An arrival failed for good: its iteration ended without its node.
        let left = self.left_in_segment(scope, operation, segment).await?;
        Ok(if left { SegmentNext::Again } else { SegmentNext::Done })
    }

    /// Whether a node of the segment's Map has not ended; where none is left, the segment is closed if its joins have
    /// ended, too
    ///
    /// Of an execution that was seen ended before, it tells whether that ended too early: one ends by itself only after
    /// every node of its Map has, and a segment that merely waits for its joins needs none.
    pub(super) async fn left_in_segment(
        &self,
        scope: &Scope,
        operation: OperationId,
        segment: u32,
    ) -> Result<bool, EngineError> {
        let nodes = self.table.nodes(scope, operation, segment).await?;
        let mut open = nodes.iter().filter(|node| !node.status.is_terminal());
        if open.any(|node| node.terms.runs != Executor::Join) {
            return Ok(true);
        }
        self.close_segment(scope, operation, segment, &nodes).await?;
        Ok(false)
    }

    /// Closes the segment if all its nodes have ended, and finishes the operation if it was the last
    ///
    /// Asked after the Map has ended and after each join has: of two such actors at least one sees every node ended.
    pub(super) async fn close_segment_if_ended(
        &self,
        scope: &Scope,
        operation: OperationId,
        segment: u32,
    ) -> Result<(), EngineError> {
        let nodes = self.table.nodes(scope, operation, segment).await?;
        self.close_segment(scope, operation, segment, &nodes).await
    }

    async fn close_segment(
        &self,
        scope: &Scope,
        operation: OperationId,
        segment: u32,
        nodes: &[NodeRun],
    ) -> Result<(), EngineError> {
        if nodes.is_empty() || nodes.iter().any(|node| !node.status.is_terminal()) {
            return Ok(());
        }
        let close = OperationUpdate::CloseSegment { segment };
        match self.table.operation_update(scope, operation, &close).await? {
            Applied::Done(after) if after.open.is_empty() => self.finish(&after).await,
            Applied::Done(_) | Applied::Refused(_) => Ok(()),
        }
    }
}
