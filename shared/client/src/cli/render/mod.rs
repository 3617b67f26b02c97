//! What a person sees of things: pure functions from what travels to text
//!
//! `weir-local` tells its story with these, too.

mod dag;
mod definition_plan;
mod diagnostic;
mod fold;
mod graph;
mod preview;
mod problem;
mod table;
mod tree;

#[cfg(test)]
pub(crate) mod sample;

pub use dag::dag;
pub use definition_plan::{PlanFacts, definition_plan};
pub use diagnostic::{diagnostics, summary};
pub use graph::Drawing;
pub use preview::{plan_facts, preview};
pub use problem::failure;
pub use table::{Cell, Table};
pub use tree::{ending, operation_tree, queued, wait};
