//! Plans: what will run, to be read before it does

mod get;
#[cfg(test)]
mod tests;

pub use get::PlanGet;
