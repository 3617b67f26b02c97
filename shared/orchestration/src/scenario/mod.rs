//! Scenarios: any recipe of the definition, from an intent to a plan, an operation, and what follows from its end

mod child;
mod conclude;
mod gather;
mod plan;
mod retry;
mod start;
mod undo;

pub use child::{PARENT, child_id};
pub(crate) use child::{cancel_child, decide, ended, nothing_goes_on};
pub(crate) use conclude::{conclude, conclude_rollback};
pub(crate) use gather::{offers, scenarios};
pub(crate) use plan::prepare;
pub(crate) use retry::done_by_node;
pub use retry::{RetryFailure, retried_by, retry_scenario};
pub use start::start_scenario;
#[cfg(feature = "sim")]
pub(crate) use start::{Run, made};
