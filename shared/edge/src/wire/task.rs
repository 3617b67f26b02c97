//! Tasks as an agent meets them: claimed, done, reported
//!
//! The lease and the deadline are given twice, as in [`crate::wire::agent`]: a point in time for people,
//! and a length of time from the answer, which is what the agent measures.

use crate::wire::secret::Secret;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use weir_domain::{
    canonical::Digest,
    definition::address::Address,
    id::{PromotionId, ReleaseId, TaskId},
};

/// The most bytes of log that one report may carry
pub const LOG_MAX_BYTES: usize = 64 * 1024;

/// The longest that a claim may be held open for something to do
pub const CLAIM_WAIT_MAX_SECONDS: u32 = 20;

/// How long a service may take to accept connections when its component does not say
pub const READY_WITHIN_SECONDS: u32 = 30;

/// `POST /v1/agents/{id}/claims`: asks for something to do
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct Claim {
    /// The most tasks wanted, from 1
    pub max: u32,
    /// How long to wait for one before answering with none; at most 20
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_seconds: Option<u32>,
}

/// The tasks that are the agent's from now on; often none
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct Claimed {
    /// The tasks
    pub tasks: Vec<Task>,
    /// How long the call was held before any of them was begun: their times run from so much later than it was sent
    #[serde(default)]
    pub waited_ms: u64,
}

/// One attempt at one task, given to the agent that claimed it
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct Task {
    /// The task
    pub task: TaskId,
    /// Which attempt at it
    pub attempt: u32,
    /// When its lease passes, by the engine's clock: for people
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub lease_until: Timestamp,
    /// The same as a length of time from the answer
    pub lease_remaining_ms: u64,
    /// When the attempt must have ended whatever its lease says, by the engine's clock: for people
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub deadline: Timestamp,
    /// The same as a length of time from the answer
    pub deadline_remaining_ms: u64,
    /// The target to do it on
    pub target: Address,
    /// What to do
    #[serde(flatten)]
    pub work: TaskWork,
}

/// What a task asks for, by kind
///
/// An agent is given only the kinds that it named among its capabilities.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", content = "input")]
pub enum TaskWork {
    /// Put one release of a component on a host and run it
    #[serde(rename = "deploy.host")]
    DeployHost(Box<DeployInput>),
    /// Run a command that the owner of the agent's machine has allowed
    #[serde(rename = "command.run")]
    CommandRun(CommandInput),
    /// Run such a command to find out whether all is well
    #[serde(rename = "verify.command")]
    VerifyCommand(CommandInput),
}

/// The capability of an agent that does `command.run`
pub const COMMAND_RUN: &str = "command.run";

/// The capability of an agent that does `verify.command`
pub const VERIFY_COMMAND: &str = "verify.command";

/// What a command needs to know
///
/// It also gets `WEIR_TARGET`, `WEIR_TASK` and `WEIR_ATTEMPT`, and of the agent's own environment `PATH`, `HOME`,
/// `LANG` and `TMPDIR`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct CommandInput {
    /// What the agent's owner has called it: never a program
    pub command: String,
    /// Further arguments, where its owner lets tasks add some
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Variables, of those that its owner lets tasks set
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// The codes with which it may exit; 0 where there are none
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expect_exit: Vec<i32>,
    /// How often it is run until it succeeds
    #[serde(default = "once")]
    pub attempts: u32,
    /// Seconds between two of them
    #[serde(default = "two_seconds")]
    pub interval_s: u64,
}

const fn once() -> u32 {
    1
}
const fn two_seconds() -> u64 {
    2
}

/// The capability of an agent that does `deploy.host`
pub const DEPLOY_HOST: &str = "deploy.host";

/// What a deployment on a host needs to know
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct DeployInput {
    /// The release that is deployed
    pub release: ReleaseId,
    /// The promotion that asked for it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion: Option<PromotionId>,
    /// The component's address
    pub component: Address,
    /// The SHA-256 of the archive; nothing else is unpacked
    pub digest: Digest,
    /// Where the archive is
    pub artifact: ArtifactSource,
    /// How the component is run
    pub run: RunSpec,
    /// What the version sticker is to say
    pub sticker: Value,
    /// What the control plane believes is there now; for the log, the agent trusts the disk
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
}

/// Where an archive (tar, gzip) can be fetched from
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct ArtifactSource {
    /// A presigned `GET`: whoever has it may fetch
    pub url: Secret,
    /// Its exact size in bytes
    pub size: u64,
}

/// How a component is run on a host
///
/// The process gets `PORT`, `WEIR_TARGET`, `WEIR_COMPONENT`, `WEIR_RELEASE` and `WEIR_DIGEST` besides its own,
/// and of the agent's own environment only `PATH`, `HOME`, `LANG` and `TMPDIR`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct RunSpec {
    /// Program and arguments, started in the release's folder without a shell
    pub command: Vec<String>,
    /// Its environment
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Secrets in its environment, resolved
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secret_env: BTreeMap<String, Secret>,
    /// When it counts as started
    #[serde(default)]
    pub health: HealthSpec,
}

/// When a service counts as started: its process runs and its port accepts connections
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct HealthSpec {
    /// A path that must also answer over HTTP, with whatever status: judging it is the verification's task
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// How long it may take
    #[serde(default = "ready_within_seconds")]
    pub ready_within_seconds: u32,
}

impl Default for HealthSpec {
    fn default() -> Self {
        Self { path: None, ready_within_seconds: READY_WITHIN_SECONDS }
    }
}

fn ready_within_seconds() -> u32 {
    READY_WITHIN_SECONDS
}

/// `POST /v1/tasks/{task}/reports`: how an attempt ended
///
/// Refused with 409 where the attempt is no longer the task's current one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct Report {
    /// Which attempt this is about
    pub attempt: u32,
    /// How it ended
    pub status: ReportStatus,
    /// Why it failed; present exactly when it did
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ReportError>,
    /// The last lines of what happened, at most 64 KiB
    pub logs: String,
    /// What was there before
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_digest: Option<Digest>,
    /// What is there now
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_digest: Option<Digest>,
    /// The sticker that is there now
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sticker: Option<Sticker>,
    /// When the attempt began, by the agent's clock
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub started_at: Timestamp,
    /// When it ended, by the agent's clock
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub finished_at: Timestamp,
}

/// How an attempt ended
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportStatus {
    /// It did what was asked
    Succeeded,
    /// It did not
    Failed,
}

/// Why an attempt failed
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct ReportError {
    /// A stable code, such as `digest_mismatch`
    pub code: String,
    /// What happened, for people
    pub message: String,
    /// Whether the same attempt might succeed later
    pub retryable: bool,
}

/// The version sticker: what lies in `weir.version.json` on a target
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct Sticker {
    /// What the control plane asked to be written
    pub content: Value,
    /// The hash of the content as canonical JSON
    pub content_hash: Digest,
    /// When it was written, by the agent's clock
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub written_at: Timestamp,
}

/// The answer to a report
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct ReportAck {
    /// True when this report, or an earlier copy of it, ended the attempt
    pub accepted: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn task() -> Value {
        json!({
            "task": "op_01ARZ3NDEKTSV4RRFFQ69G5FAV.2", "attempt": 1,
            "lease_until": "2026-01-01T00:00:30Z", "lease_remaining_ms": 30_000,
            "deadline": "2026-01-01T00:10:00Z", "deadline_remaining_ms": 600_000,
            "target": "target.staging.stg-1",
            "kind": "deploy.host",
            "input": {
                "release": "rel_01ARZ3NDEKTSV4RRFFQ69G5FAV", "component": "component.web",
                "digest": Digest::of_bytes(b""), "artifact": {"url": "http://x/?sig=s3cr3t", "size": 3},
                "run": {"command": ["python3", "serve.py"]}, "sticker": {"version": "1.0.0"},
            },
        })
    }

    #[test]
    fn a_task_reads_by_its_kind_and_does_not_print_its_url() {
        let read: Task = serde_json::from_value(task()).unwrap();
        let TaskWork::DeployHost(input) = &read.work else { panic!("another kind") };
        assert_eq!(input.run.health.ready_within_seconds, READY_WITHIN_SECONDS);
        assert!(!format!("{read:?}").contains("s3cr3t"));
        assert_eq!(serde_json::from_value::<Task>(serde_json::to_value(&read).unwrap()).unwrap(), read);
    }

    #[test]
    fn a_task_of_an_unknown_kind_and_a_report_with_an_unknown_field_are_refused() {
        let mut other = task();
        other["kind"] = json!("deploy.moon");
        assert!(serde_json::from_value::<Task>(other).is_err());
        let report =
            json!({"attempt": 1, "status": "failed", "logs": "", "finnished_at": "2026-01-01T00:00:00Z"});
        assert!(serde_json::from_value::<Report>(report).is_err());
    }
}
