//! Artifacts: bytes that are announced, sent to the bucket, and fetched from there

mod create;
mod get;
mod row;
#[cfg(test)]
mod tests;

pub use create::ArtifactCreate;
pub use get::ArtifactGet;

pub(crate) use row::{EXPIRES, announced, signed};
