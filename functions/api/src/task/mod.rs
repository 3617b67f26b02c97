//! Tasks: what agents claim, do and report

mod claim;
mod report;
#[cfg(test)]
mod tests;
mod work;

pub use claim::TaskClaim;
pub use report::TaskReport;
