//! What a job calls: one file an adapter, one trait
//!
//! An adapter gets the attempt's id with every call, as its idempotency key: whoever is called twice with it
//! is called for the same effect.

mod verify_http;

pub use verify_http::VerifyHttp;

use async_trait::async_trait;
use serde_json::{Map, Value};
use std::time::Duration;

/// One attempt at one job
#[derive(Debug, Clone)]
pub struct Call {
    /// `operation/ordinal/attempt`: the same for every repetition of this attempt
    pub attempt_id: String,
    /// What the node's contract says
    pub inputs: Map<String, Value>,
    /// Where the target answers, if the job is about one
    pub base_url: Option<String>,
    /// How long it may take
    pub time_limit: Duration,
}

/// How a job ended well
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// What happened, line by line, for people
    pub log: String,
}

/// How a job ended badly
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failed {
    /// Stable, for programs
    pub code: &'static str,
    /// For people; may hold what came from outside, and is sanitised before it is kept
    pub message: String,
    /// Whether another attempt may help
    pub retryable: bool,
    /// What happened, line by line
    pub log: String,
}

/// One kind of job
#[async_trait]
pub trait Adapter: Send + Sync {
    /// The capability that it provides
    fn capability(&self) -> &'static str;

    /// Does the job
    async fn run(&self, call: &Call) -> Result<Done, Failed>;
}

/// Every adapter of this version
pub fn adapters() -> [&'static dyn Adapter; 1] {
    static VERIFY_HTTP: VerifyHttp = VerifyHttp::new();
    [&VERIFY_HTTP]
}

/// The adapter that provides `capability`
pub fn adapter(capability: &str) -> Option<&'static dyn Adapter> {
    adapters().into_iter().find(|adapter| adapter.capability() == capability)
}
