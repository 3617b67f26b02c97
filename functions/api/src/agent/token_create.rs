//! `POST /v1/agents/tokens`: a token that registers one agent, once

use serde_json::json;
use weir_domain::definition::address::{Address, Kind as ResourceKind};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Idempotency, Kind, Nothing, Problem, Route,
    authn::registration::{LIFETIME, RegistrationToken},
    wire::agent::{AgentToken, AgentTokenCreate as Body},
};
use weir_store::{Entity as _, Record, Write};

/// The most targets of one agent
pub(super) const TARGETS_MAX: usize = 50;

/// Makes a registration token
pub struct AgentTokenCreate;

impl Endpoint for AgentTokenCreate {
    const ROUTE: Route = Route {
        path: "/v1/agents/tokens",
        operation: "agent_token_create",
        permission: "agent:register",
        summary: "Makes a token that registers one agent for these targets, once, within an hour",
        idempotency: Idempotency::Secret,
        ..Route::POST
    };
    type Path = Nothing;
    type Query = Nothing;
    type Body = Body;
    type Reply = AgentToken;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<AgentToken>, Problem> {
        let scope = call.tenant_scope()?;
        check(cx, &call).await?;
        let metadata = json!({ "targets": call.body.targets });
        let audit = call.audit("agent.token_create", ("agent_token", call.request.to_string()), metadata);
        // A run that was cut off before it wrote anything may be done again; one that wrote has shown its token.
        if call.again && cx.table().get(&audit.key(scope)).await?.is_some() {
            let detail = "this token was made and shown; make another one with a new `Idempotency-Key`";
            return Err(Problem::new(Kind::SecretShownOnce, detail));
        }
        let (token, hash) = RegistrationToken::issue()?;
        let expires_at = call.now + LIFETIME;
        let row = RegistrationToken {
            hash,
            scope: scope.clone(),
            targets: call.body.targets.clone(),
            created_by: call.actor.clone(),
            expires_at,
            spent_on: None,
        };
        let writes = [Write::Create(Record::new(scope, &row)?), Write::Create(Record::new(scope, &audit)?)];
        cx.table().transact(&writes).await?;
        Ok(AgentToken { token, expires_at: expires_at.timestamp(), targets: row.targets }.into())
    }
}

/// Refuses targets that are none, of the tenant or at all
async fn check(cx: &Cx, call: &Call<AgentTokenCreate>) -> Result<(), Problem> {
    let targets: &[Address] = &call.body.targets;
    if targets.is_empty() || targets.len() > TARGETS_MAX {
        let detail = format!("an agent serves 1 to {TARGETS_MAX} targets");
        return Err(Problem::new(Kind::LimitExceeded, detail).at("/targets", "too few or too many"));
    }
    for (place, target) in targets.iter().enumerate() {
        let found = cx.resource(&call.scope, target).await?;
        if found.is_none() || target.kind() != ResourceKind::Target {
            let detail = format!("there is no target `{target}` in the applied definition");
            let pointer = format!("/targets/{place}");
            return Err(Problem::new(Kind::InvalidReference, detail).at(pointer, "no such target"));
        }
    }
    Ok(())
}
