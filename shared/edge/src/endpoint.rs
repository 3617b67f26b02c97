//! One endpoint's shape: everything there is to say about it, in one `impl`
//!
//! `endpoints![…]` lists them, once; router, OpenAPI, template, local gateway and the tests over every
//! endpoint are made from that list.

use crate::{Call, Cx, Problem, Route, router};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::pin::Pin;

/// One endpoint
pub trait Endpoint: Sized + Send + Sync + 'static {
    /// What it is
    const ROUTE: Route;
    /// What is read from the path
    type Path: DeserializeOwned + JsonSchema + Send + 'static;
    /// What is read from the query string
    type Query: DeserializeOwned + JsonSchema + Send + 'static;
    /// What is read from the body
    type Body: DeserializeOwned + JsonSchema + Send + 'static;
    /// What it answers
    type Reply: Serialize + JsonSchema + Send;

    /// What it does. The caller is already authenticated and authorized, and the call is not a repeat
    fn handle(cx: &Cx, call: Call<Self>)
    -> impl Future<Output = Result<Answer<Self::Reply>, Problem>> + Send;
}

/// A path, query or body in which nothing may stand; an absent body reads as this too
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// An answer: usually only a body, `Ok(view.into())`
#[derive(Debug, Clone, PartialEq)]
pub struct Answer<T> {
    /// The status, where it is not the route's
    pub status: Option<u16>,
    /// The body
    pub body: T,
    /// Headers besides the usual ones
    pub headers: Vec<(&'static str, String)>,
}

impl<T> Answer<T> {
    /// `body` with a status that is not the route's
    pub const fn with_status(status: u16, body: T) -> Self {
        Self { status: Some(status), body, headers: Vec::new() }
    }
}

impl<T> From<T> for Answer<T> {
    fn from(body: T) -> Self {
        Self { status: None, body, headers: Vec::new() }
    }
}

/// The JSON Schemas of what an endpoint takes and answers
pub struct Schemas {
    /// Of what is read from the path: an object, a property a `{…}`
    pub path: Schema,
    /// Of what is read from the query string: an object, a property a parameter
    pub query: Schema,
    /// Of the body
    pub body: Schema,
    /// Of the answer
    pub reply: Schema,
}

/// One endpoint of the list, its types erased
#[derive(Clone, Copy)]
pub struct Entry {
    /// What it is
    pub route: Route,
    /// What it takes and answers
    pub schemas: fn(&mut SchemaGenerator) -> Schemas,
    pub(crate) run: for<'a> fn(&'a Cx, router::Admitted) -> Running<'a>,
}

/// A call that is under way
type Running<'a> = Pin<Box<dyn Future<Output = Result<router::Finished, Problem>> + Send + 'a>>;

impl Entry {
    /// `E`, erased
    pub const fn of<E: Endpoint>() -> Self {
        Self {
            route: E::ROUTE,
            schemas: |generator| Schemas {
                path: E::Path::json_schema(generator),
                query: E::Query::json_schema(generator),
                body: generator.subschema_for::<E::Body>(),
                reply: generator.subschema_for::<E::Reply>(),
            },
            run: |cx, admitted| Box::pin(router::run::<E>(cx, admitted)),
        }
    }
}

/// Lists every endpoint of an API, once
#[macro_export]
macro_rules! endpoints {
    ($($endpoint:ty),+ $(,)?) => {
        /// Every endpoint of the API
        pub static ENDPOINTS: &[$crate::Entry] = &[$($crate::Entry::of::<$endpoint>()),+];
    };
}
