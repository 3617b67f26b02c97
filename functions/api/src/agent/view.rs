//! Agents as callers see them

use weir_domain::{delivery::Agent, time::Millis};
use weir_edge::wire::agent::{AgentTarget, AgentView};

/// The agent as it is seen at `now`
pub(super) fn view(agent: Agent, now: Millis) -> AgentView {
    let target =
        |it: weir_domain::delivery::AgentTarget| AgentTarget { target: it.target, base_url: it.base_url };
    let status = agent.status(now);
    AgentView {
        id: agent.id,
        name: agent.name,
        version: agent.version,
        capabilities: agent.capabilities,
        targets: agent.targets.into_iter().map(target).collect(),
        status,
        last_heartbeat: Some(agent.last_heartbeat.millis().timestamp()),
        created_at: agent.created_at.millis().timestamp(),
    }
}
