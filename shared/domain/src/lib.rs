//! The words, statuses, plans and the engine's rules
//!
//! Pure: no I/O, no clock, no randomness, no AWS, no HTTP. What a function here
//! needs of the world comes in as an argument; what it decides goes out as a value.

pub mod actor;
pub mod assignment;
pub mod audit;
pub mod canonical;
pub mod definition;
pub mod delivery;
pub mod engine;
pub mod evidence;
pub mod failure;
pub mod gate;
#[cfg(test)]
mod golden;
pub mod id;
pub mod intent;
pub mod intervention;
pub mod operation;
pub mod plan;
pub mod planner;
pub mod sanitise;
pub mod scope;
pub mod time;
pub mod timeline;
