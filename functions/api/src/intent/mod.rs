//! Intents: what somebody wants

mod create;
#[cfg(test)]
mod identity_tests;
mod list;
#[cfg(test)]
mod output_tests;
#[cfg(test)]
mod part_tests;
#[cfg(test)]
mod scenario_tests;
#[cfg(test)]
mod secret_tests;
#[cfg(test)]
mod tests;

pub use create::IntentCreate;
pub use list::IntentList;
