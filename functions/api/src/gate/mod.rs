//! Gates: what waits for people, and what they decide

mod decide;
mod get;
#[cfg(test)]
mod kinds_tests;
mod list;
mod refusal;
#[cfg(test)]
mod tests;
mod view;

pub use decide::GateDecide;
pub use get::GateGet;
pub use list::GateList;
pub(crate) use refusal::refusal;
pub(crate) use view::view;
