//! The HTTP edge: endpoints, problems, authentication, authorization, idempotency, OpenAPI
//!
//! The only crate that knows of HTTP. [`wire`] is what travels and is all that a client takes; everything else
//! (feature `server`) is what a function needs: one [`Endpoint`] says everything about an endpoint, and
//! [`router::dispatch`] does, once and in one order, what is common to all of them.

pub mod wire;

#[cfg(feature = "server")]
pub mod authn;
#[cfg(feature = "server")]
pub mod authz;
#[cfg(feature = "server")]
pub mod aws;
#[cfg(feature = "server")]
mod call;
#[cfg(feature = "server")]
pub mod config;
#[cfg(feature = "server")]
pub mod cx;
#[cfg(feature = "server")]
pub mod decode;
#[cfg(feature = "server")]
pub mod endpoint;
#[cfg(feature = "server")]
pub mod function;
#[cfg(feature = "server")]
pub mod idempotency;
#[cfg(feature = "server")]
pub mod lambda;
#[cfg(feature = "server")]
mod large;
#[cfg(feature = "server")]
pub mod log;
#[cfg(feature = "server")]
pub mod openapi;
#[cfg(feature = "server")]
pub mod page;
#[cfg(feature = "server")]
pub mod problem;
#[cfg(feature = "server")]
mod route;
#[cfg(feature = "server")]
pub mod router;

#[cfg(feature = "server")]
pub use {
    call::{Call, IdMint, Proof},
    cx::Cx,
    endpoint::{Answer, Endpoint, Entry, Nothing},
    problem::{Kind, Problem},
    route::{Auth, Idempotency, Method, Route, Use},
};
