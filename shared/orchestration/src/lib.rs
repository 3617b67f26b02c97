//! The engine: begin, arrive, complete, advance, cancel, reconcile
//!
//! What may follow what is decided in `weir_domain::engine`; here the decisions are carried out, in the order
//! that the protocol asks for, over four things that may each fail, answer twice or forget: the table, the
//! ledger, the state machines and the queues. Nothing else of the system calls Step Functions or SQS.

pub mod assignments;
pub mod callbacks;
pub mod clock;
pub mod definition;
pub mod delivery;
mod engine;
mod error;
pub mod evidence;
mod exclusive;
pub mod gates;
pub mod intents;
pub mod interventions;
pub mod jobs;
mod lease;
pub mod machines;
mod outputs;
pub mod queues;
mod records;
pub mod replan;
mod resources;
pub mod rollback;
pub mod scenario;
pub mod sfn;
#[cfg(feature = "sim")]
pub mod sim;
pub mod sqs;
mod start;

pub use clock::{Clock, SystemClock};
pub use engine::{
    Engine, Outcome, PatchFailure, PatchWish, PlanDocument, Reconciled, Reported, SegmentNext, Started, Told,
};
pub use error::EngineError;
pub use exclusive::Behind;
pub use start::Placed;
