//! `GET /v1/resources`

use super::view;
use crate::{projection, walk::walk};
use schemars::JsonSchema;
use serde::Deserialize;
use strum::IntoEnumIterator as _;
use weir_domain::{definition::address::Kind, scope::Scope};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Nothing, Problem, Route,
    page::{self, page},
    wire::{page::Page, projection::Projected, resource::ResourceView},
};
use weir_store::{Key, ResourceRow};

/// Lists resources
pub struct ResourceList;

/// Which resources, and which page of them
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourceListQuery {
    /// Only those of this kind
    kind: Option<Kind>,
    /// At most so many; 50 if absent, never more than 200
    limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before
    cursor: Option<String>,
}

impl Endpoint for ResourceList {
    const ROUTE: Route = Route {
        path: "/v1/resources",
        operation: "resource_list",
        permission: "resource:read",
        summary: "Lists resources of the tenant and of its workspace, kind by kind",
        ..Route::GET
    };
    type Path = Nothing;
    type Query = ResourceListQuery;
    type Body = Nothing;
    type Reply = Projected<Page<ResourceView>>;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<Self::Reply>, Problem> {
        // First, so that no row is older than what is said of them.
        let projection = projection::resources(cx, &call.scope, call.now).await?;
        let wanted = call.query;
        let kinds = wanted.kind.map_or_else(|| Kind::iter().collect(), |kind| vec![kind]);
        let mut scopes = vec![call.scope.clone()];
        scopes.extend(call.scope.tenant.is_some().then(|| call.scope.outer()));
        let place = |kind: Kind, scope: &Scope| {
            (format!("{scope} {kind}"), Key::resource_partition(scope, kind.as_str()))
        };
        let partitions: Vec<_> =
            kinds.iter().flat_map(|kind| scopes.iter().map(|scope| place(*kind, scope))).collect();
        let found = walk::<ResourceRow>(cx, &partitions, wanted.cursor.as_deref(), page::size(wanted.limit));
        let scope_of = |label: &str| match label.split_once(' ') {
            Some((scope, _)) if scope == call.scope.to_string() => call.scope.clone(),
            Some(_) | None => call.scope.outer(),
        };
        let answer = page(found.await?, |(label, row)| view(row, &scope_of(&label)));
        Ok(Projected { answer, projection }.into())
    }
}
