//! What a job calls: one file an adapter, one trait
//!
//! An adapter gets the attempt's id with every call, as its idempotency key: whoever is called twice with it
//! is called for the same effect.

pub mod assignments;
mod http_call;
mod lambda_invoke;
pub mod net;
pub mod outputs;
mod secrets;
pub mod sign;
mod verify_http;
mod verify_metric;
mod verify_tcp;

pub use http_call::HttpCall;
pub use lambda_invoke::{ClientMaker, LambdaInvoke};
pub use secrets::{Secrets, SecretsError};
pub use verify_http::VerifyHttp;
pub use verify_metric::VerifyMetric;
pub use verify_tcp::VerifyTcp;

use async_trait::async_trait;
use net::{Net, Reach};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::{fmt::Write as _, sync::Arc, time::Duration};

/// One attempt at one job
#[derive(Debug, Clone)]
pub struct Call {
    /// `operation/ordinal/attempt`: the same for every repetition of this attempt
    pub attempt_id: String,
    /// What the node's contract says
    pub inputs: Map<String, Value>,
    /// The names of the secrets that the contract lets it see
    pub secrets: Vec<String>,
    /// Where the target answers, if the job is about one
    pub base_url: Option<String>,
    /// How long it may take
    pub time_limit: Duration,
    /// When it began, in seconds of Unix time: what is signed says so
    pub now_s: i64,
    /// Where whoever is called may tell how it ended, if that is not known at once: a secret
    pub callback: Option<Callback>,
}

/// Where the end of one attempt is told
#[derive(Clone, PartialEq, Eq)]
pub struct Callback {
    /// Whoever has it may end the attempt
    pub url: String,
    /// When it stops working, in seconds of Unix time
    pub expires_s: i64,
}

impl std::fmt::Debug for Callback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Callback").field("expires_s", &self.expires_s).finish_non_exhaustive()
    }
}

/// How a job ended well
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// What happened, line by line, for people
    pub log: String,
    /// What the contract asked to be kept of the answer; may hold what came from outside
    pub outputs: Map<String, Value>,
    /// It has not ended: whoever was called will call back
    pub waits: bool,
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
    /// Another attempt before this much time has passed is of no use: whoever was called said so
    pub retry_after: Option<Duration>,
    /// What happened, line by line
    pub log: String,
}

impl Failed {
    /// A failure that the same call would meet again
    pub fn terminal(code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { code, log: format!("{message}\n"), message, retryable: false, retry_after: None }
    }

    /// A failure that another attempt may not meet
    pub fn retryable(code: &'static str, message: impl Into<String>) -> Self {
        Self { retryable: true, ..Self::terminal(code, message) }
    }

    /// The same, with all that was logged before it
    pub fn after(mut self, log: &str) -> Self {
        self.log.insert_str(0, log);
        self
    }
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
pub struct Adapters {
    net: Arc<Net>,
    secrets: Arc<Secrets>,
    callback_base: Option<String>,
    list: Vec<Box<dyn Adapter>>,
}

impl Adapters {
    /// The adapters of a deployment whose jobs may reach `reach` and know `secrets`; `lambda` makes the client, when
    /// one is first needed
    pub fn new(reach: Reach, secrets: Secrets, lambda: ClientMaker) -> Self {
        let (net, secrets) = (Arc::new(Net::new(reach)), Arc::new(secrets));
        let list: Vec<Box<dyn Adapter>> = vec![
            Box::new(HttpCall::new(net.clone(), secrets.clone())),
            Box::new(LambdaInvoke::new(lambda)),
            Box::new(VerifyHttp::new(net.clone())),
            Box::new(VerifyMetric::new(net.clone(), secrets.clone())),
            Box::new(VerifyTcp::new(net.clone())),
        ];
        Self { net, secrets, callback_base: None, list }
    }

    /// The same, whose jobs may be called back at the API at `base`
    pub fn called_back_at(self, base: Option<String>) -> Self {
        Self { callback_base: base, ..self }
    }

    /// Where the API answers, if jobs may be called back
    pub fn callback_base(&self) -> Option<&str> {
        self.callback_base.as_deref()
    }

    /// The adapter that provides `capability`
    pub fn get(&self, capability: &str) -> Option<&dyn Adapter> {
        self.list.iter().map(Box::as_ref).find(|adapter| adapter.capability() == capability)
    }

    /// Every capability that they provide
    pub fn capabilities(&self) -> impl Iterator<Item = &'static str> {
        self.list.iter().map(|adapter| adapter.capability())
    }

    /// How they reach others
    pub fn net(&self) -> &Arc<Net> {
        &self.net
    }

    /// What they are told in confidence
    pub fn secrets(&self) -> &Arc<Secrets> {
        &self.secrets
    }
}

impl Default for Adapters {
    /// Of a deployment that has told them nothing: public addresses, no secrets, no Lambda
    fn default() -> Self {
        Self::new(Reach::Public, Secrets::default(), Box::new(|| None))
    }
}

/// Reads what the contract says; what it says wrongly it says at every attempt
fn inputs<T: DeserializeOwned>(call: &Call) -> Result<T, Failed> {
    serde_json::from_value(call.inputs.clone().into())
        .map_err(|error| Failed::terminal("bad_inputs", format!("the inputs cannot be read: {error}")))
}

/// Adds a line to a log
fn line(log: &mut String, text: impl std::fmt::Display) {
    // Writing to a text cannot fail.
    let _written = writeln!(log, "{text}");
}

#[cfg(test)]
mod tests;
