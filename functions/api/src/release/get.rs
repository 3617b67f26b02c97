//! `GET /v1/releases/{release}`

use schemars::JsonSchema;
use serde::Deserialize;
use weir_domain::{delivery::Release, id::ReleaseId};
use weir_edge::{Answer, Call, Cx, Endpoint, Nothing, Problem, Route};
use weir_store::{Entity as _, Key};

/// Reads a release
pub struct ReleaseGet;

/// Which release
#[derive(Debug, Deserialize, JsonSchema)]
pub struct ReleasePath {
    /// The release
    pub(super) release: ReleaseId,
}

impl Endpoint for ReleaseGet {
    const ROUTE: Route = Route {
        path: "/v1/releases/{release}",
        operation: "release_get",
        permission: "release:read",
        summary: "Reads a release",
        ..Route::GET
    };
    type Path = ReleasePath;
    type Query = Nothing;
    type Body = Nothing;
    type Reply = Release;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<Release>, Problem> {
        let id = call.path.release;
        let found = cx.table().read::<Release>(&Key::entity(&call.scope, Release::KIND, id)).await?;
        found.map(|(release, _)| release.into()).ok_or_else(|| Problem::not_found(format!("release `{id}`")))
    }
}
