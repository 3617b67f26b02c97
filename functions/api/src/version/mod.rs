//! Versions: which digest a tag of a component is

mod create;
mod list;
mod tag;
#[cfg(test)]
mod tests;

pub use create::VersionCreate;
pub use list::VersionList;
