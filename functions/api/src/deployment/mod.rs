//! Deployments: operations that bring artefacts onto targets, as requirement 004 names them

mod get;
#[cfg(test)]
mod tests;

pub use get::DeploymentGet;
