//! What a function is, as data: from these lists its resource, role and triggers in the template are made
//!
//! An endpoint's is made from its [`Route`]; tasks and reactors are listed by hand in their crates' `functions.rs`.

use crate::{Route, Use};
use std::collections::BTreeSet;

/// What driving nodes needs, and what else an endpoint needs that does so: `uses: driving![Use::ObjectsWrite("logs/")]`
///
/// Whoever ends a node may have to decide the gates and evidence behind it, dispatch what has become ready, finish the
/// operation and start its rollback.
#[macro_export]
macro_rules! driving {
    ($($own:expr),*) => {
        &[
            $crate::Use::TableRead,
            $crate::Use::TableWrite,
            $crate::Use::ObjectsRead("plans/"),
            $crate::Use::ObjectsRead("evidence/"),
            $crate::Use::ObjectsRead("outputs/"),
            $crate::Use::ObjectsWrite("plans/"),
            $crate::Use::ObjectsWrite("evidence/"),
            $crate::Use::ObjectsWrite("outputs/"),
            $crate::Use::Sign,
            $crate::Use::PublicKey,
            $crate::Use::StartOperation,
            $crate::Use::SendTask,
            $crate::Use::JobsSend,
            $crate::Use::NotifySend,
            $($own),*
        ]
    };
}

/// What driving nodes needs, and nothing else
pub const DRIVING: &[Use] = driving![];

/// Which of the three artefacts a function runs
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Artefact {
    /// The endpoints
    Api,
    /// What the state machines run
    Tasks,
    /// What reacts to streams, queues and schedules
    Reactors,
}

impl Artefact {
    /// Every artefact
    pub const ALL: [Self; 3] = [Self::Api, Self::Tasks, Self::Reactors];

    /// The name of its zip
    pub const fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Tasks => "tasks",
            Self::Reactors => "reactors",
        }
    }

    /// The name of its binary, which is `bootstrap` in the zip
    pub const fn binary(self) -> &'static str {
        match self {
            Self::Api => "weir-api",
            Self::Tasks => "weir-tasks",
            Self::Reactors => "weir-reactors",
        }
    }
}

/// A queue that functions read
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Queue {
    /// Attempts of nodes that a function has to run
    Jobs,
    /// Messages of `Jobs` that could not be handled
    JobsDead,
    /// What people should hear of
    Notify,
}

/// What invokes a function
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// A request to its route
    Http,
    /// A state of a state machine
    Task,
    /// Changes of the table that match one of `filters` (Lambda event filters, as JSON)
    Stream {
        /// At least one must match
        filters: &'static [&'static str],
        /// How many records one invocation is given at most
        batch: u32,
        /// How long records are collected, in seconds
        window_s: u32,
    },
    /// Messages of a queue
    Queue {
        /// Which
        queue: Queue,
        /// How many messages one invocation is given at most
        batch: u32,
    },
    /// The clock
    Schedule {
        /// How often, as EventBridge Scheduler writes it: `rate(1 minute)`
        every: &'static str,
    },
}

/// One Lambda function
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FunctionSpec {
    /// `noun_verb`: its `_HANDLER`, and the end of its name
    pub handler: &'static str,
    /// What it does, in one line
    pub summary: &'static str,
    /// Which artefact holds it
    pub artefact: Artefact,
    /// What invokes it
    pub trigger: Trigger,
    /// Whether it drives nodes, and so needs all of [`DRIVING`]
    pub drives: bool,
    /// What it needs of AWS besides that, and besides reading what triggers it
    pub uses: &'static [Use],
    /// How long one invocation may take, in seconds
    pub timeout_s: u32,
    /// Its memory, in MB: also its share of a processor
    pub memory_mb: u32,
}

impl FunctionSpec {
    /// The function of an endpoint. An HTTP API gives up after 30 s, so that the function must have before
    pub const fn endpoint(route: &Route) -> Self {
        Self {
            handler: route.operation,
            summary: route.summary,
            artefact: Artefact::Api,
            trigger: Trigger::Http,
            drives: false,
            uses: route.uses,
            timeout_s: 25,
            memory_mb: 1024,
        }
    }

    /// All that it needs of AWS, but for reading what triggers it
    pub fn needs(&self) -> BTreeSet<Use> {
        let driving = if self.drives { DRIVING } else { &[] };
        driving.iter().chain(self.uses).copied().collect()
    }
}
