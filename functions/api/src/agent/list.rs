//! `GET /v1/agents`

use super::view::view;
use weir_domain::delivery::Agent;
use weir_edge::{
    Answer, Call, Cx, Endpoint, Nothing, Problem, Route,
    page::{PageQuery, page},
    wire::{agent::AgentView, page::Page},
};
use weir_store::{Entity as _, Key, Query};

/// Lists agents, the newest first
pub struct AgentList;

impl Endpoint for AgentList {
    const ROUTE: Route = Route {
        path: "/v1/agents",
        operation: "agent_list",
        permission: "agent:read",
        summary: "Lists registered agents and how they are, the newest first",
        ..Route::GET
    };
    type Path = Nothing;
    type Query = PageQuery;
    type Body = Nothing;
    type Reply = Page<AgentView>;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<Page<AgentView>>, Problem> {
        let query = Query::Lists(vec![Key::list(&call.scope, Agent::KIND, "registered")]);
        let found = cx.table().list::<Agent>(&query, call.query.cursor.as_deref(), call.query.size());
        Ok(page(found.await?, |agent| view(agent, call.now)).into())
    }
}
