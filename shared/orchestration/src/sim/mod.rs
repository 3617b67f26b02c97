//! A simulated region: the real engine and the real state machines over services that live in memory and fail
//!
//! Single-threaded and seeded; time is virtual and passes only while everybody waits, so that an hour's operation
//! takes milliseconds and the same seed gives the same run. Every call of a function is a point at which it may die,
//! before or after the call was carried out; whoever called the function behaves as the real service does.
//! Faults stop at some time. From then on everything must end, and nothing may ever break an invariant.

mod agents;
pub mod asl;
mod behind;
mod case;
mod chance;
mod fault;
mod figures;
mod machines;
mod measure;
mod objects;
mod pace;
mod people;
mod queues;
mod record;
mod retries;
mod services;
mod setup;
mod shrink;
mod signer;
mod standing;
mod table;
mod violation;
mod watch;
mod wishes;
mod work;
mod workload;
mod world;

pub use case::{Case, Report, play};
pub use fault::{Fault, Faults, Point};
pub use figures::{Figures, Kind};
pub use measure::{Crowd, Run, WIDEST, crowd, run, shape};
pub use pace::{Latency, Pace};
pub use people::{Act, Deed};
pub use shrink::{shrink, shrink_by};
pub use standing::{Standing, standing};
pub use violation::Violation;
pub use work::Work;
pub use workload::{Part, Story, StoryError, Workload, job};

use crate::EngineError;

/// Why a run could not be carried out
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The engine gave up on something
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The workload cannot be told
    #[error(transparent)]
    Story(#[from] StoryError),
    /// The run could not be set up
    #[error("{0}")]
    SetUp(String),
}
