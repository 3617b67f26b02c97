//! `GET /v1/versions`

use schemars::JsonSchema;
use serde::Deserialize;
use weir_domain::{
    definition::{
        address::{Address, Kind},
        spec::Component,
    },
    delivery::Version,
};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Nothing, Problem, Route,
    page::{self, page},
    wire::page::Page,
};
use weir_store::{Entity as _, Key, Query};

/// Lists versions, the newest first
pub struct VersionList;

/// Which versions, and which page of them
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VersionListQuery {
    /// Only those of this component
    component: Option<Address>,
    /// At most so many; 50 if absent, never more than 200
    limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before
    cursor: Option<String>,
}

impl Endpoint for VersionList {
    const ROUTE: Route = Route {
        path: "/v1/versions",
        operation: "version_list",
        permission: "version:read",
        summary: "Lists versions of one component or of all that are applied, the newest first",
        ..Route::GET
    };
    type Path = Nothing;
    type Query = VersionListQuery;
    type Body = Nothing;
    type Reply = Page<Version>;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<Page<Version>>, Problem> {
        let wanted = call.query;
        let components = match wanted.component {
            Some(component) => vec![component],
            None => {
                let all = cx.engine().resources::<Component>(&call.scope, Kind::Component).await?;
                all.into_iter().map(|(address, _)| address).collect()
            }
        };
        let lists =
            components.iter().map(|component| Key::list(&call.scope, Version::KIND, component.as_str()));
        let query = Query::Lists(lists.collect());
        let found = cx.table().list::<Version>(&query, wanted.cursor.as_deref(), page::size(wanted.limit));
        Ok(page(found.await?, |version| version).into())
    }
}
