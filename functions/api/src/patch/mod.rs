//! Patches: what is appended to a plan while it runs

mod chain;
mod create;
mod get;
#[cfg(test)]
mod tests;

pub use chain::PatchChain;
pub use create::PatchCreate;
pub use get::PatchGet;
