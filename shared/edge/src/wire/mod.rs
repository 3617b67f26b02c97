//! What travels between the API and its clients: request and response bodies, and nothing else
//!
//! No AWS, no HTTP: the client takes only this module. Requests refuse unknown fields, so that a
//! misspelt one is an error and not a default; responses may grow.

pub mod agent;
pub mod artifact;
pub mod assignment;
pub mod callback;
pub mod definition;
pub mod deployment;
pub mod evidence;
pub mod explain;
pub mod gate;
pub mod health;
pub mod intent;
pub mod intervention;
pub mod operation;
pub mod operation_run;
pub mod pack;
pub mod page;
pub mod patch;
pub mod plan;
pub mod problem;
pub mod projection;
pub mod promotion;
pub mod release;
pub mod resource;
pub mod scenario;
pub mod secret;
pub mod service;
pub mod task;
pub mod workflow;
