//! Indexes that are behind: a second table, which hears of every change later

use std::{collections::VecDeque, sync::Arc};
use weir_domain::time::Millis;
use weir_store::{Change, memory::MemoryTable};

/// A table as it was, and what has happened since
#[derive(Default)]
pub(super) struct Behind {
    table: Arc<MemoryTable>,
    changes: VecDeque<(Millis, Change)>,
}

impl Behind {
    /// The real table has changed
    pub fn learns(&mut self, at: Millis, change: Change) {
        self.changes.push_back((at, change));
    }

    /// The table as it was at `time`, or as somebody has seen it since: an index does not go back
    pub fn at(&mut self, time: Millis) -> Arc<MemoryTable> {
        while let Some((_, change)) = self.changes.pop_front_if(|(at, _)| *at <= time) {
            self.table.replay(&change);
        }
        self.table.clone()
    }
}
