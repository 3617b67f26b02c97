//! The engine: begin, arrive, complete, advance, cancel, reconcile
//!
//! What may follow what is decided in `weir_domain::engine`; here the decisions are carried out, in the order
//! that the protocol asks for, over four things that may each fail, answer twice or forget: the table, the
//! ledger, the state machines and the queues. Nothing else of the system calls Step Functions or SQS.

pub mod clock;
mod engine;
mod error;
pub mod machines;
pub mod queues;
pub mod sfn;
pub mod sqs;

pub use clock::{Clock, SystemClock};
pub use engine::{Engine, SegmentNext};
pub use error::EngineError;
