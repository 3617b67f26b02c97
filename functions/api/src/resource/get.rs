//! `GET /v1/resources/{address}`

use super::view;
use crate::projection;
use schemars::JsonSchema;
use serde::Deserialize;
use weir_domain::definition::address::Address;
use weir_edge::{
    Answer, Call, Cx, Endpoint, Nothing, Problem, Route,
    wire::{projection::Projected, resource::ResourceView},
};

/// Reads a resource
pub struct ResourceGet;

/// Which resource
#[derive(Debug, Deserialize, JsonSchema)]
pub struct ResourcePath {
    /// Its address
    address: Address,
}

impl Endpoint for ResourceGet {
    const ROUTE: Route = Route {
        path: "/v1/resources/{address}",
        operation: "resource_get",
        permission: "resource:read",
        summary: "Reads a resource of the tenant or of its workspace, as it was applied last",
        ..Route::GET
    };
    type Path = ResourcePath;
    type Query = Nothing;
    type Body = Nothing;
    type Reply = Projected<ResourceView>;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<Projected<ResourceView>>, Problem> {
        // First, so that the row is not older than what is said of it.
        let projection = projection::resources(cx, &call.scope, call.now).await?;
        let address = &call.path.address;
        let found = cx.resource(&call.scope, address).await?;
        let (row, scope) = found.ok_or_else(|| Problem::not_found(format!("resource `{address}`")))?;
        Ok(Projected { answer: view(row, &scope), projection }.into())
    }
}
