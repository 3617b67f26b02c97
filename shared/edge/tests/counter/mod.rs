//! An API that counts how often it is run, and fails as it is told to

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};
use weir_domain::id::ReleaseId;
use weir_edge::{Answer, Auth, Call, Cx, Endpoint, Idempotency, Kind, Nothing, Problem, Route, endpoints};

endpoints![CountCreate, CountGet, CountLatest, SecretCreate, Callback];

/// Name → the ids that its runs would have made
static RUNS: Mutex<BTreeMap<String, Vec<ReleaseId>>> = Mutex::new(BTreeMap::new());

/// How often `name` was run, by any test: names are each test's own
pub fn runs(name: &str) -> usize {
    RUNS.lock().unwrap_or_else(PoisonError::into_inner).get(name).map_or(0, Vec::len)
}

fn run(name: &str, id: ReleaseId) -> Vec<ReleaseId> {
    let mut runs = RUNS.lock().unwrap_or_else(PoisonError::into_inner);
    let of_name = runs.entry(name.to_owned()).or_default();
    of_name.push(id);
    of_name.clone()
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Count {
    name: String,
    /// How the first run ends
    fail: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Counted {
    id: ReleaseId,
    first_id: ReleaseId,
    again: bool,
}

pub struct CountCreate;

impl Endpoint for CountCreate {
    /// Its permission is one that developers hold
    const ROUTE: Route =
        Route { path: "/v1/counts", operation: "count_create", permission: "release:create", ..Route::POST };
    type Path = Nothing;
    type Query = Nothing;
    type Body = Count;
    type Reply = Counted;

    async fn handle(_: &Cx, call: Call<Self>) -> Result<Answer<Counted>, Problem> {
        let id = call.ids.id("count");
        let ids = run(&call.body.name, id);
        match call.body.fail.as_deref().filter(|_| ids.len() == 1) {
            Some("refused") => Err(Problem::new(Kind::NotAllowedNow, "not yet")),
            Some("failed") => Err(Problem::internal("a disk is full")),
            Some("hang") => std::future::pending().await,
            Some(_) | None => Ok(Counted { id, first_id: ids[0], again: call.again }.into()),
        }
    }
}

pub struct CountGet;

#[derive(Debug, Deserialize, JsonSchema)]
pub struct NamePath {
    name: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Named {
    name: String,
    scope: String,
}

impl Endpoint for CountGet {
    const ROUTE: Route =
        Route { path: "/v1/counts/{name}", operation: "count_get", permission: "count:read", ..Route::GET };
    type Path = NamePath;
    type Query = Nothing;
    type Body = Nothing;
    type Reply = Named;

    async fn handle(_: &Cx, call: Call<Self>) -> Result<Answer<Named>, Problem> {
        Ok(Named { name: call.path.name, scope: call.scope.to_string() }.into())
    }
}

pub struct CountLatest;

impl Endpoint for CountLatest {
    const ROUTE: Route = Route {
        path: "/v1/counts/latest",
        operation: "count_latest",
        permission: "count:read",
        ..Route::GET
    };
    type Path = Nothing;
    type Query = Nothing;
    type Body = Nothing;
    type Reply = Named;

    async fn handle(_: &Cx, call: Call<Self>) -> Result<Answer<Named>, Problem> {
        Ok(Named { name: "the latest".to_owned(), scope: call.scope.to_string() }.into())
    }
}

pub struct SecretCreate;

#[derive(Debug, Serialize, JsonSchema)]
pub struct Secret {
    secret: String,
}

impl Endpoint for SecretCreate {
    const ROUTE: Route = Route {
        path: "/v1/secrets",
        operation: "secret_create",
        permission: "secret:create",
        idempotency: Idempotency::Secret,
        ..Route::POST
    };
    type Path = Nothing;
    type Query = Nothing;
    type Body = Nothing;
    type Reply = Secret;

    async fn handle(_: &Cx, call: Call<Self>) -> Result<Answer<Secret>, Problem> {
        if call.again {
            return Err(Problem::new(Kind::SecretShownOnce, "it was shown"));
        }
        Ok(Secret { secret: "correct horse battery staple".to_owned() }.into())
    }
}

pub struct Callback;

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Form {
    payload: String,
}

impl Endpoint for Callback {
    const ROUTE: Route = Route {
        path: "/v1/callbacks",
        operation: "callback",
        success: 200,
        auth: Auth::SlackSignature,
        idempotency: Idempotency::None,
        ..Route::POST
    };
    type Path = Nothing;
    type Query = Nothing;
    type Body = Form;
    type Reply = Form;

    async fn handle(_: &Cx, call: Call<Self>) -> Result<Answer<Form>, Problem> {
        Ok(call.body.into())
    }
}
