//! Releases: versions that move through environments together

mod create;
mod get;
mod list;
#[cfg(test)]
mod tests;
mod timeline;

pub use create::ReleaseCreate;
pub use get::ReleaseGet;
pub use list::ReleaseList;
pub use timeline::ReleaseTimelineGet;
