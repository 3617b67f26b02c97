//! Whether the API answers

mod get;
#[cfg(test)]
mod tests;

pub use get::HealthGet;
