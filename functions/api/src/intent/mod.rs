//! Intents: what somebody wants

#[cfg(test)]
mod again_tests;
mod cancel;
mod create;
mod get;
#[cfg(test)]
mod identity_tests;
mod list;
#[cfg(test)]
mod output_tests;
#[cfg(test)]
mod part_tests;
mod plan;
#[cfg(test)]
mod scenario_tests;
#[cfg(test)]
mod secret_tests;
#[cfg(test)]
mod tests;

pub use cancel::IntentCancel;
pub use create::IntentCreate;
pub use get::IntentGet;
pub use list::IntentList;
pub use plan::IntentPlan;
