//! `POST /v1/tasks/{task}/reports`: how an attempt ended
//!
//! What the agent put on its target is written down before its node ends: whatever follows from the end may rely
//! on it. A crash between the two leaves a node that runs until its lease passes, and its next attempt finds the
//! target as it should be. A report names its attempt and is known by what it says, so it may come twice without a key
//! (ADR 35).

use super::{command::is_command, work::Deploys};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;
use tokio::{join, try_join};
use weir_domain::{
    canonical::Digest,
    delivery::{Installed, VersionSticker},
    engine::{NodeRun, Operation},
    failure::FailureSummary,
    id::TaskId,
    plan::{Executor, NodeStatus},
    sanitise::sanitise,
    time::Millis,
};
use weir_edge::{
    Answer, Auth, Call, Cx, Endpoint, Idempotency, Kind, Nothing, Problem, Route, Use, driving,
    wire::task::{LOG_MAX_BYTES, Report, ReportAck, ReportError, ReportStatus},
};
use weir_orchestration::{Outcome, Reported, delivery::record_installed};
use weir_store::NodeKey;

/// Longest code of an error, in bytes
const CODE_MAX: usize = 64;

/// Ends an attempt
pub struct TaskReport;

/// Which task
#[derive(Debug, Deserialize, JsonSchema)]
pub struct TaskPath {
    /// The task
    task: TaskId,
}

impl Endpoint for TaskReport {
    const ROUTE: Route = Route {
        path: "/v1/tasks/{task}/reports",
        operation: "task_report",
        permission: "task:report",
        success: 200,
        auth: Auth::Agent,
        idempotency: Idempotency::None,
        summary: "Ends an attempt; refused where the attempt is not the task's current one",
        uses: driving![Use::ObjectsWrite("logs/")],
        ..Route::POST
    };
    type Path = TaskPath;
    type Query = Nothing;
    type Body = Report;
    type Reply = ReportAck;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<ReportAck>, Problem> {
        check(&call.body)?;
        let Reporting { key, node, operation } = reporting(cx, &call).await?;
        let (report, holder) = (&call.body, call.agent()?.to_string());
        let is_current = node.attempt == report.attempt && node.holder.as_ref() == Some(&holder);
        if node.attempt < report.attempt || (node.attempt == report.attempt && !is_current) {
            return Err(superseded(&call, &node));
        }
        let result = format!("{holder}/{}", Digest::of(report)?);
        // Waiting: it was given up and a person is asked for, but nobody has decided. It may end well after all.
        let is_open = matches!(node.status, NodeStatus::Running | NodeStatus::Waiting);
        if is_current && is_open {
            installed(cx, &call, &key, &node, &operation).await?;
        }
        // Told again, its log is kept again: the one before may have been lost.
        let is_heard = is_current && (is_open || node.result_id.as_ref() == Some(&result));
        let log = async { if is_heard { keep_log(cx, &key, report).await } else { Ok(()) } };
        let engine = cx.engine();
        let ended = engine.report_seen(&key, report.attempt, outcome(report), result, Some(operation));
        let ended = match report.status {
            // Another attempt may begin at once, and this one's log would not be kept again.
            ReportStatus::Failed => {
                log.await?;
                ended.await?
            }
            ReportStatus::Succeeded => {
                // First the end: others wait for it.
                let (ended, logged) = join!(ended, log);
                logged?;
                ended?
            }
        };
        match ended {
            Reported::Accepted(_) => Ok(ReportAck { accepted: true }.into()),
            Reported::Refused(node) => Err(superseded(&call, &node)),
            Reported::Missing => Err(missing(&call)),
        }
    }
}

/// What an attempt said, fit to be shown to anyone
async fn keep_log(cx: &Cx, key: &NodeKey, report: &Report) -> Result<(), Problem> {
    let said = report.logs.lines().map(sanitise).collect::<Vec<_>>().join("\n");
    Ok(cx.ledger().log_put(key.operation, key.ordinal, report.attempt, &said).await?)
}

/// What a report must be for its parts to go together
fn check(report: &Report) -> Result<(), Problem> {
    let wrong = |pointer: &str, message: &str| {
        Err(Problem::new(Kind::InvalidBody, format!("the body was refused at `{pointer}`: {message}"))
            .at(pointer, message))
    };
    if report.logs.len() > LOG_MAX_BYTES {
        let detail = format!("logs have at most {LOG_MAX_BYTES} bytes; send their end");
        return Err(Problem::new(Kind::LimitExceeded, detail));
    }
    match (report.status, &report.error) {
        (ReportStatus::Succeeded, Some(_)) => wrong("/error", "what succeeded has no error"),
        (ReportStatus::Failed, None) => wrong("/error", "what failed says why"),
        (ReportStatus::Succeeded, None) | (ReportStatus::Failed, Some(_)) => Ok(()),
    }
}

/// What is reported about, as it was a moment before
struct Reporting {
    key: NodeKey,
    node: NodeRun,
    operation: Arc<Operation>,
}

/// The node that the task is, if it is one of a target of the agent
async fn reporting(cx: &Cx, call: &Call<TaskReport>) -> Result<Reporting, Problem> {
    let (id, agent) = (call.path.task, call.credential()?);
    let key = NodeKey::new(&call.scope, id.operation, id.ordinal);
    let (node, operation) =
        try_join!(cx.table().node_get(&key), cx.table().operation_get(&key.scope, key.operation))?;
    let (node, operation) = node.zip(operation).ok_or_else(|| missing(call))?;
    match &node.terms.runs {
        Executor::Agent(target) if agent.targets.contains(target) => {
            Ok(Reporting { key, node, operation: Arc::new(operation) })
        }
        Executor::Agent(_) | Executor::Decide | Executor::Job | Executor::Join => Err(missing(call)),
    }
}

fn missing(call: &Call<TaskReport>) -> Problem {
    Problem::not_found(format!("task `{}`", call.path.task))
}

/// Writes down what is on the target now, if the report says that it is what was asked for
async fn installed(
    cx: &Cx,
    call: &Call<TaskReport>,
    key: &NodeKey,
    node: &NodeRun,
    operation: &Operation,
) -> Result<(), Problem> {
    let report = &call.body;
    if report.status == ReportStatus::Failed {
        return Ok(());
    }
    let inconsistent = || Problem::internal(format!("task `{}` has no deployment", call.path.task));
    let graph = cx.engine().graph_of(operation).await?;
    let plan_node = graph.node(key.ordinal).ok_or_else(inconsistent)?;
    let contract = plan_node.job_contract.as_ref().ok_or_else(inconsistent)?;
    if is_command(contract) {
        return Ok(());
    }
    let deploys = Deploys::of(contract).ok_or_else(inconsistent)?;
    if report.current_digest.as_ref() != Some(&deploys.digest) {
        let detail = format!("`{}` has to be on the target for the task to have succeeded", deploys.digest);
        return Err(
            Problem::new(Kind::DigestMismatch, detail).at("/current_digest", "not what was asked for")
        );
    }
    let sticker = sticker(call, operation, &deploys)?;
    let target = deploys.target.clone();
    let installed = Installed {
        component: deploys.component,
        digest: deploys.digest,
        version: deploys.version,
        size: deploys.size,
        release_id: deploys.release,
        operation_id: key.operation,
        at: finished(report, node, call.now).into(),
    };
    Ok(record_installed(cx.engine(), &key.scope, &target, installed, sticker).await?)
}

/// When the attempt ended, by the clock of its target, where one deployment follows the other: a report may be sent again for
/// minutes and arrive behind the next one's. Within what is known here, since that clock may be wrong
fn finished(report: &Report, node: &NodeRun, now: Millis) -> Millis {
    let said = Millis::from(report.finished_at);
    node.started_at.map_or(said, |started| said.max(started)).min(now)
}

/// The sticker that the report says was written; one whose hash is not its content's is none
fn sticker(
    call: &Call<TaskReport>,
    operation: &Operation,
    deploys: &Deploys,
) -> Result<Option<VersionSticker>, Problem> {
    let Some(written) = &call.body.sticker else { return Ok(None) };
    if Digest::of(&written.content)? != written.content_hash {
        let message = "not the hash of the sticker's content as canonical JSON";
        return Err(Problem::new(Kind::DigestMismatch, message).at("/sticker/content_hash", message));
    }
    Ok(Some(VersionSticker {
        target_id: deploys.target.clone(),
        release_id: deploys.release,
        promotion_id: operation.info.promotion_id,
        sticker_content: written.content.clone(),
        content_hash: written.content_hash.clone(),
        written_at: call.now.into(),
        drift_detected: false,
    }))
}

fn outcome(report: &Report) -> Outcome {
    match &report.error {
        None => Outcome::Succeeded,
        Some(error) => Outcome::Failed { error: failure(error), retryable: error.retryable },
    }
}

/// What the agent said of the failure, fit to be shown to anyone
fn failure(error: &ReportError) -> FailureSummary {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let known = (1..=CODE_MAX).contains(&error.code.len()) && error.code.chars().all(plain);
    FailureSummary::new(if known { &error.code } else { "agent_error" }, sanitise(&error.message))
}

fn superseded(call: &Call<TaskReport>, node: &NodeRun) -> Problem {
    let (task, attempt) = (call.path.task, call.body.attempt);
    let now = match (&node.status, node.attempt) {
        (NodeStatus::Running, current) if current == attempt => "is held by another agent".to_owned(),
        (status, current) => format!("changes nothing: the task is {} at attempt {current}", status.as_str()),
    };
    Problem::new(Kind::AttemptSuperseded, format!("attempt {attempt} of task `{task}` {now}"))
}
