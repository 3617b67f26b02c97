//! The functions of this crate: from this list the template's resources, roles and statements are made

use weir_edge::{
    Use,
    function::{Artefact, FunctionSpec, Trigger},
};

/// Every task of the state machines
pub const TASKS: &[FunctionSpec] = &[
    FunctionSpec {
        handler: "operation_begin",
        summary: "Puts an operation's nodes, starts its segments, drives what waits for nothing",
        uses: &[Use::StartSegment],
        ..TASK
    },
    FunctionSpec { handler: "node_arrive", summary: "Adds a node's task token, and drives the node", ..TASK },
    FunctionSpec {
        handler: "segment_finish",
        summary: "Says whether a segment has ended or is entered once more",
        ..TASK
    },
    FunctionSpec {
        handler: "operation_finish",
        summary: "Records how an operation ended, and does what follows from it",
        ..TASK
    },
    FunctionSpec {
        handler: "operation_abort",
        summary: "Ends an operation whose execution cannot go on",
        ..TASK
    },
];

/// What the functions below have in common: nearly all drive nodes
const TASK: FunctionSpec = FunctionSpec {
    handler: "",
    summary: "",
    artefact: Artefact::Tasks,
    trigger: Trigger::Task,
    drives: true,
    uses: &[],
    timeout_s: 60,
    memory_mb: 1024,
};
