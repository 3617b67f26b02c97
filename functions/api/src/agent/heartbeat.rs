//! `POST /v1/agents/{agent}/heartbeat`: an agent lives, and so do the attempts that it works on
//!
//! Only what changes for people is audited: how the agent finds itself, and drift. That it lives is not.

use super::create::check_capabilities;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use weir_domain::{
    delivery::{Agent, AgentStatus},
    id::AgentId,
    time::Millis,
};
use weir_edge::{
    Answer, Auth, Call, Cx, Endpoint, Idempotency, Kind, Nothing, Problem, Route,
    wire::agent::{Heartbeat, HeartbeatAck, Lease, StickerState, TaskAttempt},
};
use weir_store::{Entity as _, Key, NodeKey, Record, TransactError, Write};

/// The most attempts that one agent works on
const TASKS_MAX: usize = 100;

/// Keeps an agent and its attempts alive
pub struct AgentHeartbeat;

/// Which agent
#[derive(Debug, Deserialize, JsonSchema)]
pub struct AgentPath {
    /// The agent
    agent: AgentId,
}

impl Endpoint for AgentHeartbeat {
    const ROUTE: Route = Route {
        path: "/v1/agents/{agent}/heartbeat",
        operation: "agent_heartbeat",
        permission: "agent:heartbeat",
        success: 200,
        auth: Auth::Agent,
        summary: "Keeps an agent and the attempts that it works on alive, and tells which of them to stop",
        idempotency: Idempotency::None,
        ..Route::POST
    };
    type Path = AgentPath;
    type Query = Nothing;
    type Body = Heartbeat;
    type Reply = HeartbeatAck;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<HeartbeatAck>, Problem> {
        let (id, named) = (call.agent()?, call.path.agent);
        if id != named {
            let detail = format!("agent `{id}` speaks for itself, not for `{named}`");
            return Err(Problem::new(Kind::Forbidden, detail));
        }
        if call.body.tasks.len() > TASKS_MAX {
            let detail = format!("an agent works on at most {TASKS_MAX} tasks");
            return Err(Problem::new(Kind::LimitExceeded, detail));
        }
        if let Some(capabilities) = &call.body.capabilities {
            check_capabilities(capabilities)?;
        }
        lives(cx, &call, id).await?;
        let mut ack = HeartbeatAck::default();
        for attempt in &call.body.tasks {
            match renew(cx, &call, id, attempt).await? {
                Some(lease) => ack.leases.push(lease),
                None => ack.cancel.push(*attempt),
            }
        }
        Ok(ack.into())
    }
}

/// Writes down that the agent lives and what it finds
async fn lives(cx: &Cx, call: &Call<AgentHeartbeat>, id: AgentId) -> Result<(), Problem> {
    let found = cx.table().read::<Agent>(&Key::entity(&call.scope, Agent::KIND, id)).await?;
    let (before, expected) = found.ok_or_else(|| Problem::not_found(format!("agent `{id}`")))?;
    let after = found_as(before.clone(), call);
    let mut writes = vec![Write::Replace { expected, record: Record::new(&call.scope, &after)? }];
    let drifts = |agent: &Agent| agent.targets.iter().map(|it| it.drift_detected).collect::<Vec<_>>();
    if before.reported != after.reported
        || before.capabilities != after.capabilities
        || drifts(&before) != drifts(&after)
    {
        let drifted: Vec<_> =
            after.targets.iter().filter(|it| it.drift_detected).map(|it| &it.target).collect();
        let metadata =
            json!({ "status": after.reported, "drifted": drifted, "capabilities": after.capabilities });
        let audit = call.audit("agent.change", ("agent", id.to_string()), metadata);
        writes.push(Write::Create(Record::new(&call.scope, &audit)?));
    }
    match cx.table().transact(&writes).await {
        // Somebody else wrote the same agent at this moment: another heartbeat of it, which says the same.
        Ok(()) | Err(TransactError::Conflict(_)) => Ok(()),
        Err(TransactError::Store(error)) => Err(error.into()),
    }
}

fn found_as(agent: Agent, call: &Call<AgentHeartbeat>) -> Agent {
    let mut agent = agent;
    agent.last_heartbeat = call.now.into();
    if let Some(capabilities) = &call.body.capabilities {
        agent.capabilities.clone_from(capabilities);
    }
    agent.reported = match call.body.status {
        AgentStatus::Online => AgentStatus::Online,
        // It is heard of at this moment, whatever it says.
        AgentStatus::Degraded | AgentStatus::Offline => AgentStatus::Degraded,
    };
    for target in &mut agent.targets {
        if let Some(found) = call.body.targets.iter().find(|found| found.target == target.target) {
            target.current_digest.clone_from(&found.current_digest);
            target.drift_detected = match found.sticker {
                StickerState::Drift => true,
                StickerState::Ok | StickerState::Absent => false,
                // It is being changed on purpose: what was known of it stays until that has ended.
                StickerState::Changing => target.drift_detected,
            };
        }
    }
    agent
}

/// The lease of an attempt, renewed; `None` where the agent has to stop
async fn renew(
    cx: &Cx,
    call: &Call<AgentHeartbeat>,
    agent: AgentId,
    attempt: &TaskAttempt,
) -> Result<Option<Lease>, Problem> {
    let key = NodeKey::new(&call.scope, attempt.task.operation, attempt.task.ordinal);
    let held = cx.table().node_get(&key).await?.filter(|node| node.holder == Some(agent.to_string()));
    let Some(held) = held else { return Ok(None) };
    let renewed = cx.engine().renew(&key, &held, attempt.attempt).await?;
    let renewed = renewed.filter(|node| !node.cancel).and_then(|node| node.lease_until);
    Ok(renewed.map(|until| Lease {
        task: attempt.task,
        attempt: attempt.attempt,
        lease_until: until.timestamp(),
        lease_remaining_ms: u64::try_from((until - cx.clock.now()).max(Millis(0)).0).unwrap_or(0),
    }))
}
