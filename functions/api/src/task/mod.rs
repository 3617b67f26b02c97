//! Tasks: what agents claim, do and report

mod claim;
#[cfg(test)]
mod claim_tests;
mod command;
#[cfg(test)]
mod command_tests;
mod report;
#[cfg(test)]
mod tests;
mod work;

pub use claim::TaskClaim;
pub use report::TaskReport;
