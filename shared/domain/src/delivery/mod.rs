//! Delivery: versions, releases and their promotions, and what targets and agents are like

mod agent;
mod deployed;
mod deployment;
mod promotion;
mod release;
mod target;
mod version;

pub use agent::{Agent, AgentStatus, AgentTarget, HEARTBEAT_EVERY, agent_status};
pub use deployed::Deployed;
pub use deployment::{DeploymentJob, DeploymentTask};
pub use promotion::{
    GateOutcome, Promotion, PromotionCommand, PromotionRefusal, PromotionStatus, ReleaseViewStatus,
    check_request,
};
pub use release::{Release, ReleaseCommand, ReleaseComponent, ReleaseError, ReleaseStatus, SourceRef};
pub use target::{Installed, TargetState, VersionSticker};
pub use version::{
    Attestation, AttestationStatus, TAG_MAX, Version, VersionRefusal, is_semver, is_tag, register,
};

/// A command that a record's status does not allow
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} `{id}` is {status}: {command} is not allowed")]
pub struct NotAllowed {
    /// What kind of record it is, in words
    pub kind: &'static str,
    /// Which
    pub id: String,
    /// Where it stands
    pub status: &'static str,
    /// What was asked
    pub command: &'static str,
}
