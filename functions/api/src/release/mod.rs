//! Releases: versions that move through environments together

mod create;
mod get;
mod list;
#[cfg(test)]
mod tests;

pub use create::ReleaseCreate;
pub use get::ReleaseGet;
pub use list::ReleaseList;
