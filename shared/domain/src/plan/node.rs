//! One step of a plan: what it is, what it asks for, who does it

use crate::{definition::address::Address, gate::GateSpec};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, collections::BTreeSet, fmt, str::FromStr};
use strum::{IntoStaticStr, VariantArray};

/// Longest name of a node, in bytes
pub const NODE_ID_MAX: usize = 512;

/// A node's name, unique within its plan: `deploy.staging.stg-1`
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = "^[a-z][a-z0-9._-]{0,511}$"))]
pub struct NodeId(String);

/// A text that is not the name of a node
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not the name of a node: a lower-case letter, then at most 511 lower-case letters, digits, `.`, `-` or `_`"
)]
pub struct NodeIdError(pub String);

impl NodeId {
    /// The name as written
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the `number`th join that a graph needs
    pub(crate) fn join(number: usize) -> Self {
        Self(format!("join-{number}"))
    }
}

impl FromStr for NodeId {
    type Err = NodeIdError;
    fn from_str(text: &str) -> Result<Self, NodeIdError> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_');
        let starts = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
        if starts && text.len() <= NODE_ID_MAX && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NodeIdError(text.chars().take(80).filter(|c| !c.is_control()).collect()))
        }
    }
}
impl TryFrom<String> for NodeId {
    type Error = NodeIdError;
    fn try_from(text: String) -> Result<Self, NodeIdError> {
        text.parse()
    }
}
impl From<NodeId> for String {
    fn from(id: NodeId) -> Self {
        id.0
    }
}
impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What kind of step it is
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum NodeType {
    /// Something is done, by an adapter or an agent
    Job,
    /// Something is waited for: an agreement, the end of a freeze window
    Gate,
    /// Something is looked at, and has to be as expected
    Verification,
    /// A person does something by hand
    Intervention,
    /// Another operation runs, and has to succeed
    SubOperation,
    /// An apply group of the definition becomes true
    Change,
    /// What was decided is written down and signed
    Evidence,
    /// Nothing: it only keeps the number of edges at a node small
    ///
    /// [`Graph::new`](super::graph::Graph::new) inserts joins. People are shown the edges that a join stands for.
    Join,
}

impl NodeType {
    /// The type as callers know it
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What happens to the operation when a node has failed for good
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum OnFailure {
    /// What depends on it is skipped, and the operation fails
    #[default]
    Fail,
    /// What depends on it goes on as if it had succeeded
    Continue,
    /// It waits for a person instead of failing
    Pause,
    /// As `fail`; then what the operation did is undone by another one
    Rollback,
}

/// Who does a node: `decide`, `job`, `join` or `agent:<address of a target>`
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Executor {
    /// Whoever finds it ready decides it on the spot
    Decide,
    /// A worker that takes it from the queue of jobs
    Job,
    /// An agent that serves this target claims it
    Agent(Address),
    /// Nobody: it ends in the write that would have claimed it, and is no part of a Map
    Join,
}

/// A text that names no executor
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not who does a node: expected `decide`, `job`, `join` or `agent:` and the address of a target"
)]
pub struct ExecutorError(pub String);

impl FromStr for Executor {
    type Err = ExecutorError;
    fn from_str(text: &str) -> Result<Self, ExecutorError> {
        match text {
            "decide" => Ok(Self::Decide),
            "job" => Ok(Self::Job),
            "join" => Ok(Self::Join),
            _ => text
                .strip_prefix("agent:")
                .and_then(|target| target.parse().ok())
                .map(Self::Agent)
                .ok_or_else(|| ExecutorError(text.chars().take(80).filter(|c| !c.is_control()).collect())),
        }
    }
}
impl TryFrom<String> for Executor {
    type Error = ExecutorError;
    fn try_from(text: String) -> Result<Self, ExecutorError> {
        text.parse()
    }
}
impl From<Executor> for String {
    fn from(executor: Executor) -> Self {
        executor.to_string()
    }
}
impl fmt::Display for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decide => f.write_str("decide"),
            Self::Job => f.write_str("job"),
            Self::Agent(target) => write!(f, "agent:{target}"),
            Self::Join => f.write_str("join"),
        }
    }
}
impl JsonSchema for Executor {
    fn schema_name() -> Cow<'static, str> {
        "Executor".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "Who does the node: `decide`, `job`, `join` or `agent:` and the address of a target",
            "pattern": r"^(decide|job|join|agent:[a-z_]+(\.[a-z0-9_-]+)+)$",
        })
    }
}

/// How long to wait before a further attempt: `base_s`, then `factor` times as long each time, never more than `max_s`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Backoff {
    /// Seconds before the second attempt
    pub base_s: u32,
    /// How many times longer before each one after that
    pub factor: u32,
    /// The longest wait, in seconds
    pub max_s: u32,
}

impl Backoff {
    /// Seconds to wait after `attempt` (1 is the first) has failed
    pub fn after_attempt(self, attempt: u32) -> u32 {
        let grown = self.factor.saturating_pow(attempt.saturating_sub(1)).saturating_mul(self.base_s);
        grown.min(self.max_s)
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self { base_s: 2, factor: 2, max_s: 60 }
    }
}

/// Why a job may be done twice
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Idempotency {
    /// Doing it again changes nothing
    #[default]
    Natural,
    /// The platform is given the attempt's id and recognises a repetition
    AttemptKey,
    /// It may not: there is one attempt
    Once,
}

/// What a node asks of the adapter or agent that does it
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobContract {
    /// What has to be able to do it: `deploy.host`, `http`
    pub capability: String,
    /// What it is given
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub inputs: serde_json::Map<String, serde_json::Value>,
    /// Names of what it reports
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<String>,
    /// Seconds that one attempt may take
    pub timeout_s: u32,
    /// How often it is tried
    pub attempts: u32,
    /// How long is waited between attempts
    #[serde(default)]
    pub backoff: Backoff,
    /// Why it may be done twice
    #[serde(default)]
    pub idempotency: Idempotency,
    /// Names of the secrets that it may see
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// Seconds from its first claim after which it is failed, however many attempts are left
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_s: Option<u32>,
}

/// How a job is undone that was done: by another one
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Compensation {
    /// What is asked of whoever undoes it; `${outputs.<name>}` in it stands for what the job will have given
    pub job_contract: JobContract,
    /// The inputs that are what the job was given: where a person replaced them, the one that undoes it is given those
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub inherits: BTreeSet<String>,
    /// Who undoes it
    pub runs: Executor,
    /// The target that it is about, if it is about one
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Address>,
}

/// One step of a plan
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanNode {
    /// Its name, unique within the plan
    pub node_id: NodeId,
    /// What kind of step it is
    #[serde(rename = "type")]
    pub node_type: NodeType,
    /// What it does, in words
    pub title: String,
    /// What has to be there for it
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<String>,
    /// What is there after it
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub produces: Vec<String>,
    /// What it asks of who does it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_contract: Option<JobContract>,
    /// What it waits for, if it is a gate
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateSpec>,
    /// The nodes that have to be done before
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub depends_on: BTreeSet<NodeId>,
    /// What happens when it fails
    #[serde(default)]
    pub on_failure: OnFailure,
    /// What undoes it, where the operation takes back what it did
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compensation: Option<Box<Compensation>>,
    /// Who does it
    pub runs: Executor,
    /// The target that it is about, if it is about one
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Address>,
    /// The batch of a deployment that it belongs to, from 1
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<u32>,
}

impl PlanNode {
    /// A node of `node_type` that nothing else is said about
    pub fn new(node_id: NodeId, node_type: NodeType, title: impl Into<String>, runs: Executor) -> Self {
        Self {
            node_id,
            node_type,
            title: title.into(),
            requires: Vec::new(),
            produces: Vec::new(),
            job_contract: None,
            gate: None,
            depends_on: BTreeSet::new(),
            on_failure: OnFailure::default(),
            compensation: None,
            runs,
            target: None,
            batch: None,
        }
    }

    /// A join of `depends_on`
    pub(crate) fn join(node_id: NodeId, depends_on: BTreeSet<NodeId>) -> Self {
        let title = format!("join of {}", depends_on.len());
        Self { depends_on, ..Self::new(node_id, NodeType::Join, title, Executor::Join) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_executor_reads_back_as_itself() {
        for text in ["decide", "job", "join", "agent:target.staging.stg-1"] {
            assert_eq!(text.parse::<Executor>().unwrap().to_string(), text);
        }
        for text in ["", "agent:", "agent:target", "agent", "JOB"] {
            assert!(text.parse::<Executor>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_backoff_grows_to_its_limit_and_never_overflows() {
        let backoff = Backoff { base_s: 2, factor: 3, max_s: 50 };
        let waits: Vec<_> = [1, 2, 3, 4, u32::MAX].map(|attempt| backoff.after_attempt(attempt)).into();
        assert_eq!(waits, [2, 6, 18, 50, 50]);
    }
}
