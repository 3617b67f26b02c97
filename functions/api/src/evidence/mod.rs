//! Evidence packets

mod get;
#[cfg(test)]
mod tests;

pub use get::EvidenceGet;
