//! Interventions: nodes that people take by hand

mod decide;
mod list;
#[cfg(test)]
mod tests;

pub use decide::InterventionDecide;
pub use list::InterventionList;
