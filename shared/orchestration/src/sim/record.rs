//! What a run leaves behind: points, faults, figures, a trace

use super::fault::{Fault, Point};
use std::collections::BTreeMap;
use tokio::{sync::oneshot, task::AbortHandle};
use weir_store::Change;

/// Who waits for a token
pub(super) struct Waiter {
    pub ended: oneshot::Sender<serde_json::Value>,
    /// The execution that waits
    pub execution: String,
    /// Whether a fault has kept the token from whoever was to send it back: it may wait for ever
    pub excused: bool,
}

/// One execution of a machine
pub(super) struct Execution {
    pub running: bool,
    pub stop: Option<AbortHandle>,
}

/// Everything that a run counts and remembers
#[derive(Default)]
pub(super) struct Record {
    counts: BTreeMap<(&'static str, &'static str, u32), u32>,
    /// Every external write, in order
    pub writes_made: Vec<Point>,
    /// Every fault that happened
    pub injected: Vec<(Point, Fault)>,
    /// One line for everything that happened, if somebody wants to read it
    pub trace: Option<Vec<String>>,
    pub tokens: BTreeMap<String, Waiter>,
    pub tokens_made: u64,
    pub executions: BTreeMap<String, Execution>,
    /// Changes that the stream has not delivered
    pub stream: Vec<Change>,
    /// Messages and stream batches that are on their way or being handled
    pub in_flight: u32,
    pub transitions: u64,
    /// Passes of reconcile that had something to do
    pub rounds: u64,
    /// Those after the last moment at which something could go wrong
    pub rounds_after: u64,
    /// Operations that have yet to be asked for
    pub to_place: usize,
    /// What people did, and how often
    pub deeds: BTreeMap<&'static str, u64>,
}

impl Record {
    /// An empty record, with a trace if one is wanted
    pub fn new(trace: bool) -> Self {
        Self { trace: trace.then(Vec::new), ..Self::default() }
    }

    /// The executions that have not ended although nothing is left that a fault has them wait for
    pub fn open(&self) -> impl Iterator<Item = &String> {
        let running = self.executions.iter().filter(|(_, it)| it.running);
        running.map(|(name, _)| name).filter(|name| {
            let waiting = self.tokens.values().filter(|it| it.execution == **name && !it.ended.is_closed());
            let (excused, other): (Vec<_>, Vec<_>) = waiting.partition(|it| it.excused);
            excused.is_empty() || !other.is_empty()
        })
    }

    /// How many calls were made
    pub fn calls(&self) -> u64 {
        self.counts.values().copied().map(u64::from).sum()
    }

    /// Somebody did `deed`
    pub fn count(&mut self, deed: &'static str) {
        *self.deeds.entry(deed).or_default() += 1;
    }

    /// A pass of reconcile has something to do, perhaps when nothing can go wrong any more
    pub fn round(&mut self, after: bool) {
        self.rounds += 1;
        self.rounds_after += u64::from(after);
    }

    /// The next point of this name
    pub fn point(&mut self, function: &'static str, op: &'static str, subject: u32) -> Point {
        let count = self.counts.entry((function, op, subject)).or_default();
        *count += 1;
        Point { function, op, subject, nth: *count }
    }
}
