//! Patches: what is appended to a plan while it runs

mod create;
mod get;
mod list;
#[cfg(test)]
mod tests;

pub use create::PatchCreate;
pub use get::PatchGet;
pub use list::PatchList;
