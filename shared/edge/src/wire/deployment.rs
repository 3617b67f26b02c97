//! Deployments: operations that bring artefacts onto targets, as requirement 004 names them

/// A deployment job as the API shows it, and one of its tasks
pub use weir_domain::delivery::{DeploymentJob as DeploymentView, DeploymentTask as DeploymentTaskView};
