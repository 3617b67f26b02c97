//! The HTTP edge: endpoints, problems, authentication, authorization, idempotency, OpenAPI.

pub mod wire;
