//! The functions of this crate: from this list the template's resources, roles and statements are made

use weir_domain::planner::JOB_FUNCTION_S;
use weir_edge::{
    Use,
    function::{Artefact, FunctionSpec, Queue, Trigger},
};

/// A node that has ended and whose consequences have not all been done: until then it has to be looked at again.
/// (`closed` says the same, but the emulators do not filter by an attribute that is not there.)
const NODE_ENDED: &str = r#"{"dynamodb":{"Keys":{"sk":{"S":[{"prefix":"node#"}]}},"NewImage":{"st":{"S":["succeeded","failed","skipped"]},"wake":{"N":[{"exists":true}]}}}}"#;

/// An operation with an activity under way
const OPERATION_BUSY: &str = r#"{"dynamodb":{"Keys":{"sk":{"S":["meta"]}},"NewImage":{"info":{"M":{"operation_id":{"S":[{"exists":true}]}}},"todo":{"SS":[{"exists":true}]}}}}"#;

/// A gate that has been decided
const GATE_DECIDED: &str = r#"{"dynamodb":{"Keys":{"sk":{"S":["meta"]}},"NewImage":{"doc":{"M":{"gate_id":{"S":[{"exists":true}]},"status":{"S":[{"anything-but":["open"]}]}}}}}}"#;

/// A row of the audit outbox; it is never changed
const AUDIT_WRITTEN: &str = r#"{"dynamodb":{"NewImage":{"sk":{"S":[{"prefix":"aud_"}]}}}}"#;

/// Every reactor
pub const REACTORS: &[FunctionSpec] = &[
    FunctionSpec {
        handler: "job_run",
        summary: "Runs one attempt of a node through its adapter",
        trigger: Trigger::Queue { queue: Queue::Jobs, batch: 1 },
        uses: &[
            Use::ObjectsRead("definitions/"),
            Use::ObjectsRead("ledger/"),
            Use::ObjectsRead("snapshots/"),
            Use::ObjectsRead("state/"),
            Use::ObjectsWrite("ledger/"),
            Use::ObjectsWrite("logs/"),
            Use::ObjectsWrite("outputs/"),
            Use::ObjectsWrite("snapshots/"),
            Use::ObjectsWrite("state/"),
            Use::InvokeJobFunctions,
        ],
        timeout_s: JOB_FUNCTION_S,
        ..REACTOR
    },
    FunctionSpec {
        handler: "job_dead_letter",
        summary: "Drives the node of a job that could not be handled",
        trigger: Trigger::Queue { queue: Queue::JobsDead, batch: 10 },
        ..REACTOR
    },
    FunctionSpec {
        handler: "operation_advance",
        summary: "Drives what a change of the table hints at",
        trigger: Trigger::Stream {
            filters: &[NODE_ENDED, OPERATION_BUSY, GATE_DECIDED],
            batch: 100,
            window_s: 1,
        },
        ..REACTOR
    },
    FunctionSpec {
        handler: "audit_write",
        summary: "Appends audit events to the workspace's chain",
        trigger: Trigger::Stream { filters: &[AUDIT_WRITTEN], batch: 100, window_s: 1 },
        drives: false,
        uses: &[Use::TableRead, Use::TableWrite, Use::ObjectsRead("audit/"), Use::ObjectsWrite("audit/")],
        ..REACTOR
    },
    FunctionSpec {
        handler: "notify",
        summary: "Tells people of a gate",
        trigger: Trigger::Queue { queue: Queue::Notify, batch: 1 },
        drives: false,
        uses: &[Use::TableRead],
        ..REACTOR
    },
    FunctionSpec {
        handler: "reconcile",
        summary: "Finds what stands still, and drives it forward or fails it",
        trigger: Trigger::Schedule { every: "rate(1 minute)" },
        uses: &[Use::StartSegment],
        ..REACTOR
    },
];

/// What the functions below have in common: nearly all drive nodes
const REACTOR: FunctionSpec = FunctionSpec {
    handler: "",
    summary: "",
    artefact: Artefact::Reactors,
    trigger: Trigger::Task,
    drives: true,
    uses: &[],
    timeout_s: 60,
    memory_mb: 1024,
};

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use weir_domain::{gate::GateStatus, id::AuditId, plan::NodeStatus};
    use weir_store::schema;

    fn image(filter: &str) -> Value {
        let pattern: Value = serde_json::from_str(filter).unwrap();
        assert_eq!(pattern.as_object().unwrap().len(), 1, "streams are filtered by the key `dynamodb` only");
        pattern["dynamodb"]["NewImage"].clone()
    }

    #[test]
    fn filters_name_what_the_table_has() {
        let ended = image(NODE_ENDED);
        let terminal: Vec<NodeStatus> = serde_json::from_value(ended["st"]["S"].clone()).unwrap();
        assert!(terminal.len() == 3 && terminal.iter().all(|status| status.is_terminal()));
        assert!(ended[schema::WAKES.range]["N"].is_array());

        let gate = &image(GATE_DECIDED)["doc"]["M"];
        assert_eq!(gate["status"]["S"], json!([{ "anything-but": [GateStatus::Open] }]));

        let prefix = &image(AUDIT_WRITTEN)[schema::SK]["S"][0]["prefix"];
        assert_eq!(*prefix, format!("{}_", <AuditId as weir_domain::id::Id>::PREFIX));
        assert!(image(OPERATION_BUSY)["todo"]["SS"].is_array());
    }

    #[test]
    fn a_service_takes_no_more_than_five_filters() {
        for reactor in REACTORS {
            if let Trigger::Stream { filters, .. } = reactor.trigger {
                assert!((1..=5).contains(&filters.len()), "{}", reactor.handler);
            }
        }
    }
}
