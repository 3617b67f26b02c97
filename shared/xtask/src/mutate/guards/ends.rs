//! Guards of a node's way from its arrival to what follows from its end: the protocol's sections 3 and 4

use super::{LOOK, Place};

const ATTEMPT: &str = "shared/orchestration/src/engine/attempt.rs";
const CONSEQUENCES: &str = "shared/orchestration/src/engine/consequences.rs";
const DRIVE: &str = "shared/orchestration/src/engine/drive.rs";
const JOBS: &str = "shared/orchestration/src/jobs.rs";
const SEGMENT_MACHINE: &str = "statemachines/segment.asl.json";
const SENT: &str = "shared/orchestration/src/sfn.rs";
const TASK_REPORT: &str = "functions/api/src/task/report.rs";

/// Every place with such a guard
pub(super) const PLACES: &[Place] = &[
    Place {
        file: "shared/store/src/memory/mod.rs",
        find: "let Some((place, node)) = state.node(&item) else { return Ok(Applied::Refused(None)) };",
        // What DynamoDB makes of an update of an item that is not there.
        with: r#"use weir_domain::plan::{Backoff, Executor, NodeType, OnFailure};
        let ghost = without("update: the node is there").then(|| {
            let backoff = Backoff { base_s: 1, factor: 1, max_s: 1 };
            let (kind, runs, on_failure) = (NodeType::Job, Executor::Job, OnFailure::Fail);
            let terms = weir_domain::engine::Terms { kind, runs, on_failure, attempts: 1, timeout_s: 1, backoff, deadline_s: None };
            (key.clone(), NodeRun::new(key.ordinal, 0, terms, [], []))
        });
        let found = state.node(&item).or_else(|| ghost.as_ref().map(|(place, node)| (place, node)));
        let Some((place, node)) = found else { return Ok(Applied::Refused(None)) };"#,
    },
    Place {
        file: CONSEQUENCES,
        find: "let update = if node.is_satisfying() {",
        with: r#"let update = if node.is_satisfying() || without("tell: only who ended well lets others run") {"#,
    },
    Place {
        file: CONSEQUENCES,
        find: "Applied::Refused(None) => complete = false,",
        with: r#"Applied::Refused(None) => complete &= without("close: everybody who is to be told is there"),"#,
    },
    Place {
        file: CONSEQUENCES,
        find: "        for token in &node.tokens {",
        with: r#"        if without("close: after its tokens were sent") {
            self.update(&key, &NodeUpdate::Close { out_ver: node.out_ver }).await?;
        }
        for token in &node.tokens {"#,
    },
    Place {
        file: DRIVE,
        find: "Applied::Done(node) => self.drive_from(key.clone(), node).await,",
        with: r#"Applied::Done(_) if without("arrive: drives its node") => Ok(()),
            Applied::Done(node) => self.drive_from(key.clone(), node).await,"#,
    },
    Place {
        file: DRIVE,
        find: "(&node, &token).await?;",
        with: r#"(&node, &token).await.or_else(|error| if without("arrive: fails where its answer was not sent") { Ok(()) } else { Err(error) })?;"#,
    },
    Place {
        file: DRIVE,
        find: "match (node.cancel, late) {",
        with: r#"match (node.cancel && !without("cancel: whose grace has passed ends as cancelled"), late) {"#,
    },
    Place {
        file: LOOK,
        find: "NodeStatus::Succeeded | NodeStatus::Failed | NodeStatus::Skipped => Drive::Consequences,",
        with: r#"NodeStatus::Succeeded | NodeStatus::Failed | NodeStatus::Skipped
            if without("drive: does the consequences of who has ended") => Drive::Nothing,
        NodeStatus::Succeeded | NodeStatus::Failed | NodeStatus::Skipped => Drive::Consequences,"#,
    },
    Place {
        file: JOBS,
        find: "self.queues.send_job(job, wait).await?;",
        with: r#"if !without("start: what comes too early is sent again") {
                    self.queues.send_job(job, wait).await?;
                }"#,
    },
    Place {
        file: JOBS,
        find: "is_some_and(|node| !node.cancel))",
        with: r#"is_some_and(|node| !node.cancel || without("heartbeat: tells a function to stop")))"#,
    },
    Place {
        file: "functions/api/src/agent/heartbeat.rs",
        find: "renewed.filter(|node| !node.cancel)",
        with: r#"renewed.filter(|node| !node.cancel || without("heartbeat: tells an agent to stop"))"#,
    },
    Place {
        file: "functions/api/src/agent/heartbeat.rs",
        find: "filter(|node| node.holder == Some(agent.to_string()));",
        with: r#"filter(|node| node.holder == Some(agent.to_string()) || without("heartbeat: of its holder"));"#,
    },
    Place {
        file: ATTEMPT,
        find: "was_before || asks || node.result_id.as_deref() == Some(result_id)",
        with: r#"(was_before && !without("report: of a failure that was tried again, again")) || (asks && !without("report: of a failure that a person is asked about, again"))
        || (node.result_id.as_deref() == Some(result_id) && !without("report: of the end, again"))
        || without("report: another one is refused")"#,
    },
    Place {
        file: ATTEMPT,
        find: "!error.reconciled;",
        with: r#"!error.reconciled || without("report: of an attempt that was given up comes too late");"#,
    },
    Place {
        file: ATTEMPT,
        find: "if node.attempt != attempt {",
        with: r#"if node.attempt != attempt && !without("report: a failure of its own attempt only") {"#,
    },
    Place {
        file: TASK_REPORT,
        find: "let is_current = node.attempt == report.attempt && node.holder.as_ref() == Some(&holder);",
        with: r#"let is_current = (node.attempt == report.attempt || without("agent's report: of the current attempt"))
            && (node.holder.as_ref() == Some(&holder) || without("agent's report: of its holder"));"#,
    },
    Place {
        file: TASK_REPORT,
        find: "if is_current && is_open {",
        with: r#"if is_current && (is_open || without("agent's report: of who has not ended")) {"#,
    },
    Place {
        file: TASK_REPORT,
        find: "let is_heard = is_current && (is_open || node.result_id.as_ref() == Some(&result));",
        with: r#"let is_heard = is_current && (is_open || without("agent's report: what is refused is not heard")
            || (node.result_id.as_ref() == Some(&result) && !without("agent's report: told again, heard again")));"#,
    },
    Place {
        file: "shared/domain/src/delivery/target.rs",
        find: "Some(before) if before.current.at > installed.at => None,",
        with: r#"Some(before) if before.current.at > installed.at && !without("installed: what is told too late changes nothing") => None,"#,
    },
    Place {
        file: "shared/domain/src/delivery/target.rs",
        find: "Some(before) if before.current.operation_id == installed.operation_id => {",
        with: r#"Some(before) if before.current.operation_id == installed.operation_id && !without("installed: the same again changes nothing") => {"#,
    },
    Place {
        file: SENT,
        find: "Err(error) if is_gone(&error) => Ok(Sent::Gone),",
        with: r#"Err(error) if is_gone(&error) && !without("send: nobody waits any more is no error") => Ok(Sent::Gone),"#,
    },
    Place {
        file: SENT,
        find: "    error.is_invalid_token()\n",
        with: "    without(\"send: whoever was throttled has not sent\") || error.is_invalid_token()\n",
    },
    // The machine's text as it stands, so that what is taken out of it below is there.
    Place { file: SEGMENT_MACHINE, find: CATCH, with: CATCH },
    Place { file: SEGMENT_MACHINE, find: NOT_AFTER_TIMEOUT, with: NOT_AFTER_TIMEOUT },
    Place { file: SEGMENT_MACHINE, find: END_AGAIN, with: END_AGAIN },
    Place {
        file: "shared/orchestration/src/sim/machines.rs",
        find: r#"    let text = include_str!("../../../../statemachines/segment.asl.json");"#,
        with: r#"    let text = include_str!("../../../../statemachines/segment.asl.json");
    let mut machine: Value = serde_json::from_str(text).unwrap_or_default();
    let mut cut = |missing: bool, state: &str, field: &str| if missing {
        let state = machine.pointer_mut(state).and_then(Value::as_object_mut);
        state.and_then(|state| state.remove(field));
    };
    let run = "/States/Nodes/ItemProcessor/States/Run";
    cut(without("segment: an arrival that keeps failing leaves the others alone"), run, "Catch");
    cut(without("segment: an arrival that fails is tried again"), run, "Retry");
    cut(without("segment: its end is tried again"), "/States/SegmentDone", "Retry");
    if without("segment: an arrival whose time is over is not tried again") {
        let retriers = machine.pointer_mut("/States/Nodes/ItemProcessor/States/Run/Retry").and_then(Value::as_array_mut);
        retriers.map(|retriers| retriers.remove(0));
    }
    let text = &machine.to_string();"#,
    },
];

const CATCH: &str = r#""Catch": [{ "ErrorEquals": ["States.ALL"], "ResultPath": null, "Next": "Left" }],"#;
const NOT_AFTER_TIMEOUT: &str = r#"{ "ErrorEquals": ["States.Timeout"], "MaxAttempts": 0 },"#;
const END_AGAIN: &str = "\"ResultPath\": \"$.finish\",\n      \"Retry\": [";
