//! Agents: the programs on targets that put releases there (requirement 004)

use crate::{
    canonical::Digest,
    definition::address::Address,
    id::AgentId,
    time::{Millis, Time},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};

/// How often an agent is expected to say that it lives
pub const HEARTBEAT_EVERY: Millis = Millis::from_secs(5);

/// Whether an agent can be relied on
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum AgentStatus {
    /// It lives
    Online,
    /// It has not been heard of for long
    Offline,
    /// It lives and says that something is wrong, or it missed heartbeats
    Degraded,
}

impl AgentStatus {
    /// The status as callers know it
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// One target as its agent knows it
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentTarget {
    /// The target
    pub target: Address,
    /// Where the target answers, as the agent says
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// What the agent last found there
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_digest: Option<Digest>,
    /// What is there differs from what was put there
    #[serde(default)]
    pub drift_detected: bool,
}

/// A registered agent; it may claim the work of its own targets only
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// What it is called everywhere
    pub id: AgentId,
    /// What people call it
    pub name: String,
    /// Its program's version
    pub version: String,
    /// What it can do
    pub capabilities: Vec<String>,
    /// Its targets
    pub targets: Vec<AgentTarget>,
    /// The hash of its credential; the credential itself is nowhere
    pub credential_hash: Digest,
    /// What it said of itself last
    pub reported: AgentStatus,
    /// When
    pub last_heartbeat: Time,
    /// When it was registered
    pub created_at: Time,
}

impl Agent {
    /// Whether it can be relied on at `now`
    pub fn status(&self, now: Millis) -> AgentStatus {
        agent_status(now, self.last_heartbeat.millis(), self.reported)
    }

    /// Whether it may be given what `target` asks `capability` for
    pub fn serves(&self, target: &Address, capability: &str) -> bool {
        self.targets.iter().any(|known| known.target == *target)
            && self.capabilities.iter().any(|known| known == capability)
    }
}

/// Whether an agent that `reported` at `last_heartbeat` can be relied on at `now`
pub fn agent_status(now: Millis, last_heartbeat: Millis, reported: AgentStatus) -> AgentStatus {
    let silent = now - last_heartbeat;
    if silent > Millis(HEARTBEAT_EVERY.0 * 12) {
        AgentStatus::Offline
    } else if silent > Millis(HEARTBEAT_EVERY.0 * 3) {
        AgentStatus::Degraded
    } else {
        reported
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_that_falls_silent_is_degraded_and_then_offline() {
        let at = |seconds| agent_status(Millis::from_secs(seconds), Millis(0), AgentStatus::Online);
        assert_eq!(
            [at(5), at(16), at(61)],
            [AgentStatus::Online, AgentStatus::Degraded, AgentStatus::Offline]
        );
        assert_eq!(agent_status(Millis(1), Millis(0), AgentStatus::Degraded), AgentStatus::Degraded);
    }
}
