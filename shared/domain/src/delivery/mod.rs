//! What delivery is about: versions, releases, promotions, and what each target was left with

mod agent;
mod intent;
mod promotion;
mod release;
mod target;
mod version;

pub use agent::{Agent, AgentStatus, AgentTarget, HEARTBEAT_EVERY, agent_status};
pub use intent::{Intent, IntentCommand, IntentStatus};
pub use promotion::{GateOutcome, Promotion, PromotionCommand, PromotionStatus, ReleaseViewStatus};
pub use release::{Release, ReleaseCommand, ReleaseComponent, ReleaseStatus, SourceRef};
pub use target::{Installed, TargetState, VersionSticker};
pub use version::Version;

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
