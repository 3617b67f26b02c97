//! The audit: who did what, the newest first

mod list;
#[cfg(test)]
mod tests;

pub use list::AuditList;
