//! `GET /v1/services/{service}`

use super::view;
use crate::projection;
use schemars::JsonSchema;
use serde::Deserialize;
use weir_domain::definition::address::{Address, Kind};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Nothing, Problem, Route,
    wire::{projection::Projected, service::ServiceView},
};

/// Shows a service
pub struct ServiceGet;

/// Which service
#[derive(Debug, Deserialize, JsonSchema)]
pub struct ServicePath {
    /// Its address
    service: Address,
}

impl Endpoint for ServiceGet {
    const ROUTE: Route = Route {
        path: "/v1/services/{service}",
        operation: "service_get",
        permission: "service:read",
        summary: "Shows a service with the latest release of each of its environments",
        ..Route::GET
    };
    type Path = ServicePath;
    type Query = Nothing;
    type Body = Nothing;
    type Reply = Projected<ServiceView>;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<Self::Reply>, Problem> {
        let id = &call.path.service;
        // First, so that the row is not older than what is said of it.
        let projection = projection::services(cx, &call.scope, call.now).await?;
        let found = cx.resource(&call.scope, id).await?.filter(|_| id.kind() == Kind::Service);
        let (row, owner) = found.ok_or_else(|| Problem::not_found(format!("service `{id}`")))?;
        Ok(Projected { answer: view::view(cx, &call.scope, &owner, row).await?, projection }.into())
    }
}
