//! Scenario packs

mod list;
#[cfg(test)]
mod tests;

pub use list::PackList;
