//! `POST /v1/agents/{agent}/claims`: an agent asks for something to do
//!
//! One winner an attempt: the start is one conditional update of a node that was read as `ready`. The queue may be behind
//! and still show what runs: that is given out to nobody, its own agent included. Where the answer is lost, the lease
//! passes and another attempt is made.

use super::{
    command::command,
    work::{Deploys, task},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;
use tokio::{
    time::{Instant, sleep},
    try_join,
};
use weir_domain::{
    delivery::{Agent, Promotion, PromotionCommand, PromotionStatus},
    engine::Operation,
    id::AgentId,
    plan::PlanNode,
    timeline::TimelineKind,
};
use weir_edge::{
    Answer, Auth, Call, Cx, Endpoint, Idempotency, Kind, Nothing, Problem, Route, Use,
    wire::task::{CLAIM_WAIT_MAX_SECONDS, Claim, Claimed, Task},
};
use weir_orchestration::Started;
use weir_store::{Entity as _, Key, NodeKey, Record, Write};

/// The most tasks of one claim
const TASKS_MAX: usize = 10;

/// How long a function is held for an agent that waits; it asks again after that
const HELD_MAX: Duration = Duration::from_secs(5);

/// When the queues are looked at again: soon at first, since what an agent has just done often leads to its next task
const LOOK_AFTER: Duration = Duration::from_millis(250);

/// The longest time between two looks; each one doubles it until then
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Gives an agent what its targets wait for
pub struct TaskClaim;

/// Which agent
#[derive(Debug, Deserialize, JsonSchema)]
pub struct AgentPath {
    /// The agent
    agent: AgentId,
}

impl Endpoint for TaskClaim {
    const ROUTE: Route = Route {
        path: "/v1/agents/{agent}/claims",
        operation: "task_claim",
        permission: "task:claim",
        success: 200,
        auth: Auth::Agent,
        idempotency: Idempotency::None,
        summary: "Gives an agent what its targets wait for; often nothing",
        uses: &[Use::TableRead, Use::TableWrite, Use::ObjectsRead("plans/"), Use::ObjectsRead("artifacts/")],
        ..Route::POST
    };
    type Path = AgentPath;
    type Query = Nothing;
    type Body = Claim;
    type Reply = Claimed;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<Claimed>, Problem> {
        let (id, wanted) = (call.agent()?, call.path.agent);
        if id != wanted {
            let detail = format!("agent `{id}` claims for itself, not for `{wanted}`");
            return Err(Problem::new(Kind::Forbidden, detail));
        }
        let (max, wait) = (call.body.max, call.body.wait_seconds.unwrap_or(0));
        if max == 0 {
            return Err(Problem::new(Kind::InvalidBody, "`max` is at least 1").at("/max", "at least 1"));
        }
        if wait > CLAIM_WAIT_MAX_SECONDS {
            let detail = format!("`wait_seconds` is at most {CLAIM_WAIT_MAX_SECONDS}");
            return Err(Problem::new(Kind::InvalidBody, detail).at("/wait_seconds", "too long"));
        }
        let max = usize::try_from(max).unwrap_or(TASKS_MAX).min(TASKS_MAX);
        let (asked, mut pause) = (Instant::now(), LOOK_AFTER);
        let until = asked + Duration::from_secs(u64::from(wait)).min(HELD_MAX);
        loop {
            let waited = asked.elapsed();
            let tasks = claim(cx, &call, max).await?;
            // A look may itself take long: what counts is the clock, and not how often was looked.
            let left = until.saturating_duration_since(Instant::now());
            if !tasks.is_empty() || left.is_zero() {
                let waited_ms = u64::try_from(waited.as_millis()).unwrap_or(0);
                return Ok(Claimed { tasks, waited_ms }.into());
            }
            sleep(pause.min(left)).await;
            pause = (pause * 2).min(LOOK_EVERY);
        }
    }
}

/// Starts what is queued for the agent's targets, at most `max`
async fn claim(cx: &Cx, call: &Call<TaskClaim>, max: usize) -> Result<Vec<Task>, Problem> {
    let mut tasks = Vec::new();
    for target in &call.credential()?.targets {
        let left = max.saturating_sub(tasks.len());
        if left == 0 {
            break;
        }
        let queued = cx.table().queued(&call.scope, target.as_str(), cx.clock.now(), left).await?;
        for key in queued {
            tasks.extend(start(cx, call, &key).await?);
        }
    }
    Ok(tasks)
}

/// Begins the current attempt of one node for the agent; `None` where it is somebody else's by now
async fn start(cx: &Cx, call: &Call<TaskClaim>, key: &NodeKey) -> Result<Option<Task>, Problem> {
    let (engine, table) = (cx.engine(), cx.table());
    let agent = Key::entity(&call.scope, Agent::KIND, call.agent()?);
    let (operation, queued, agent) = try_join!(
        table.operation_get(&key.scope, key.operation),
        table.node_get(key),
        table.read::<Agent>(&agent),
    )?;
    let Some((operation, (queued, (agent, _)))) = operation.zip(queued.zip(agent)) else { return Ok(None) };
    let graph = engine.graph_of(&operation).await?;
    let Some(plan_node) = graph.node(key.ordinal).filter(|node| may(&agent, node)) else { return Ok(None) };
    let node = match engine.start(key, &queued, &agent.id.to_string()).await? {
        Started::Yes(node) => node,
        Started::TooEarly(_) | Started::No => return Ok(None),
    };
    let now = cx.clock.now();
    let Some(planned) = &plan_node.job_contract else { return Ok(None) };
    // A person may have replaced inputs since: what is recorded as decided is what is run.
    let contract = engine.contract_of(&key.scope, &node, planned).await?;
    if let Some((work, target)) = command(&contract).zip(plan_node.target.clone()) {
        return Ok(Some(task(&operation, &node, target, work, now)));
    }
    let Some(deploys) = Deploys::of(&contract) else {
        // Started and let go: the lease passes, attempt after attempt, until the node has failed.
        tracing::error!(task = %key.operation, ordinal = key.ordinal, "the contract cannot be carried out");
        return Ok(None);
    };
    deploying(cx, call, &operation, plan_node).await?;
    Ok(Some(deploys.task(cx, &operation, &node, now).await?))
}

/// Whether the agent serves the node's target and can do what it asks for
fn may(agent: &Agent, node: &PlanNode) -> bool {
    let contract = node.job_contract.as_ref();
    node.target
        .as_ref()
        .zip(contract)
        .is_some_and(|(target, contract)| agent.serves(target, &contract.capability))
}

/// The first target begins: the promotion is deploying from here on
///
/// Lost in a crash, it is made up for when the operation ends.
async fn deploying(
    cx: &Cx,
    call: &Call<TaskClaim>,
    operation: &Operation,
    node: &PlanNode,
) -> Result<(), Problem> {
    let (engine, info) = (cx.engine(), &operation.info);
    let Some(id) = info.promotion_id else { return Ok(()) };
    let found = cx.table().read::<Promotion>(&Key::entity(&info.scope, Promotion::KIND, id)).await?;
    let Some((promotion, expected)) = found.filter(|(found, _)| found.status == PromotionStatus::Approved)
    else {
        return Ok(());
    };
    let Ok(after) = promotion.after(PromotionCommand::Deploy) else { return Ok(()) };
    let message = format!("deploying begins: {}", node.title);
    let metadata = json!({ "operation_id": info.operation_id, "node_id": node.node_id });
    let subject = ("promotion", id.to_string());
    let writes = [
        Write::Replace { expected, record: Record::new(&info.scope, &after)? },
        engine.event(operation, TimelineKind::BatchStarted, message, Some(&call.actor))?,
        engine.audit(&info.scope, &call.actor, "promotion.deploy", subject, metadata, Some(call.request))?,
    ];
    // A conflict: another target's agent began at the same moment, and has written the same.
    engine.commit(&writes).await?;
    Ok(())
}
