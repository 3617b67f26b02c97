//! `POST /v1/agents`: spends a registration token on an agent
//!
//! The token is consumed in the transaction that makes the agent. An agent that was killed before it could keep
//! its credential asks again with the same token and key: as long as it has never been heard of, it is given a
//! new credential in the place of the lost one.

use super::view::view;
use serde_json::json;
use weir_domain::{
    audit::AuditEvent,
    delivery::{Agent, AgentStatus, AgentTarget},
    id::{AgentId, AuditId, Id as _},
};
use weir_edge::{
    Answer, Auth, Call, Cx, Endpoint, Idempotency, Kind, Nothing, Problem, Proof, Route,
    authn::{self, agent::AgentCredential, registration::RegistrationToken},
    wire::agent::{AgentRegister, AgentRegistered},
};
use weir_store::{Entity as _, Key, Record, Write};

/// Longest name, version, capability or address, in characters
const TEXT_MAX: usize = 200;

/// The most capabilities of one agent
const CAPABILITIES_MAX: usize = 50;

/// Registers an agent
pub struct AgentCreate;

impl Endpoint for AgentCreate {
    const ROUTE: Route = Route {
        path: "/v1/agents",
        operation: "agent_create",
        auth: Auth::Registration,
        summary: "Spends a one-time token on an agent, and gives it its credential",
        idempotency: Idempotency::Secret,
        ..Route::POST
    };
    type Path = Nothing;
    type Query = Nothing;
    type Body = AgentRegister;
    type Reply = AgentRegistered;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<AgentRegistered>, Problem> {
        let Proof::Registration(token) = &call.proof else { return Err(authn::unknown()) };
        let key = Key::token(&call.scope.outer(), &token.hash);
        let found = cx.table().read::<RegistrationToken>(&key).await?;
        let (token, version) = found.ok_or_else(authn::unknown)?;
        check(&call.body, &token)?;
        let agent: AgentId = call.ids.id("agent");
        match token.spent_on {
            None => register(cx, &call, agent, token, version).await,
            Some(spent) if spent == agent => again(cx, &call, agent).await,
            Some(_) => Err(authn::unknown()),
        }
    }
}

async fn register(
    cx: &Cx,
    call: &Call<AgentCreate>,
    id: AgentId,
    token: RegistrationToken,
    expected: u64,
) -> Result<Answer<AgentRegistered>, Problem> {
    let scope = &call.scope;
    let targets = call.body.targets.iter().map(|it| it.target.clone()).collect();
    let (credential, kept) = AgentCredential::issue(id, scope, targets)?;
    let agent = agent(call, id, &kept);
    let metadata = json!({ "name": agent.name, "targets": token.targets, "invited_by": token.created_by.id });
    let audit = call.audit("agent.create", ("agent", id.to_string()), metadata);
    let spent = RegistrationToken { spent_on: Some(id), ..token };
    let writes = [
        Write::Replace { expected, record: Record::new(scope, &spent)? },
        Write::Create(Record::new(scope, &agent)?),
        Write::Create(Record::new(scope, &kept)?),
        Write::Create(Record::new(scope, &audit)?),
    ];
    // Not `commit`: where an earlier run of this call has written, its credential is kept and not this one.
    cx.table().transact(&writes).await?;
    Ok(AgentRegistered { agent: view(agent, call.now), credential }.into())
}

/// Gives an agent that was never heard of another credential
async fn again(cx: &Cx, call: &Call<AgentCreate>, id: AgentId) -> Result<Answer<AgentRegistered>, Problem> {
    let scope = &call.scope;
    let agent = cx.table().read::<Agent>(&Key::entity(scope, Agent::KIND, id)).await?;
    let kept = cx.table().read::<AgentCredential>(&AgentCredential::key_of(scope, id)).await?;
    let ((agent, agent_version), (before, version)) = agent.zip(kept).ok_or_else(authn::unknown)?;
    if agent.last_heartbeat != agent.created_at {
        let detail =
            "this agent is registered and has used its credential; to register another, make a new token";
        return Err(Problem::new(Kind::SecretShownOnce, detail));
    }
    let (credential, kept) = AgentCredential::issue(id, scope, before.targets)?;
    let agent = Agent { credential_hash: kept.hash.clone(), ..agent };
    let audit = AuditEvent::new(
        AuditId::derived(call.now.0, &call.request.to_string()),
        call.now.into(),
        call.actor.clone(),
        "agent.reissue",
        ("agent", id.to_string()),
        json!({ "name": agent.name }),
        Some(call.request),
    );
    let writes = [
        Write::Replace { expected: agent_version, record: Record::new(scope, &agent)? },
        Write::Replace { expected: version, record: Record::new(scope, &kept)? },
        Write::Create(Record::new(scope, &audit)?),
    ];
    cx.table().transact(&writes).await?;
    Ok(AgentRegistered { agent: view(agent, call.now), credential }.into())
}

fn agent(call: &Call<AgentCreate>, id: AgentId, kept: &AgentCredential) -> Agent {
    let body = call.body.clone();
    let target = |it: weir_edge::wire::agent::AgentTarget| AgentTarget {
        target: it.target,
        base_url: it.base_url,
        current_digest: None,
        drift_detected: false,
    };
    Agent {
        id,
        name: body.name,
        version: body.version,
        capabilities: body.capabilities,
        targets: body.targets.into_iter().map(target).collect(),
        credential_hash: kept.hash.clone(),
        reported: AgentStatus::Online,
        last_heartbeat: call.ids.created_at().into(),
        created_at: call.ids.created_at().into(),
    }
}

fn fits(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= TEXT_MAX && !text.contains(char::is_control)
}

/// What an agent may say that it can do
pub(super) fn check_capabilities(capabilities: &[String]) -> Result<(), Problem> {
    if capabilities.len() <= CAPABILITIES_MAX && capabilities.iter().all(|it| fits(it)) {
        return Ok(());
    }
    let message = "at most 50, of 1 to 200 characters each";
    let detail = format!("the body was refused at `/capabilities`: {message}");
    Err(Problem::new(Kind::InvalidBody, detail).at("/capabilities", message))
}

fn check(body: &AgentRegister, token: &RegistrationToken) -> Result<(), Problem> {
    let wrong = |pointer: String, message: &str| {
        Err(Problem::new(Kind::InvalidBody, format!("the body was refused at `{pointer}`: {message}"))
            .at(pointer, message))
    };
    if !fits(&body.name) {
        return wrong("/name".to_owned(), "1 to 200 characters");
    }
    if !fits(&body.version) {
        return wrong("/version".to_owned(), "1 to 200 characters");
    }
    check_capabilities(&body.capabilities)?;
    if body.targets.is_empty() {
        return wrong("/targets".to_owned(), "at least one");
    }
    for (place, target) in body.targets.iter().enumerate() {
        if !token.targets.contains(&target.target) {
            let detail = format!("the token was not made for `{}`", target.target);
            let pointer = format!("/targets/{place}/target");
            return Err(Problem::new(Kind::Forbidden, detail).at(pointer, "not a target of the token"));
        }
        let is_http = |url: &String| fits(url) && (url.starts_with("http://") || url.starts_with("https://"));
        if !target.base_url.as_ref().is_none_or(is_http) {
            return wrong(
                format!("/targets/{place}/base_url"),
                "an address that begins with `http://` or `https://`",
            );
        }
    }
    Ok(())
}
