//! The api functions: one artefact
//!
//! One endpoint a file, `<noun>/<verb>.rs`; this list is the only other place that knows of it.

mod definition;
mod deployment;
mod gate;
mod intent;
mod operation;
mod plan;
mod promotion;
mod refusal;
mod slack;
mod task;

weir_edge::endpoints![
    definition::DefinitionApply,
    deployment::DeploymentGet,
    gate::GateDecide,
    gate::GateList,
    intent::IntentCreate,
    intent::IntentList,
    operation::OperationCancel,
    operation::OperationCreate,
    operation::OperationGet,
    operation::OperationList,
    operation::OperationTimeline,
    plan::PlanGet,
    promotion::PromotionCreate,
    promotion::PromotionList,
    slack::SlackInteract,
    task::TaskClaim,
    task::TaskReport,
];
