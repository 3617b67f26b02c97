//! The api functions: one artefact
//!
//! One endpoint a file, `<noun>/<verb>.rs`; this list is the only other place that knows of it.

mod agent;
mod artifact;
mod assignment;
mod audit;
mod callback;
#[cfg(test)]
mod cli_tests;
#[cfg(test)]
mod cli_view_tests;
mod definition;
mod deployment;
mod evidence;
#[cfg(test)]
mod fixture;
mod gate;
mod health;
mod intent;
mod intervention;
mod job;
#[cfg(test)]
mod large_tests;
mod operation;
mod pack;
mod pages;
mod patch;
mod plan;
mod projection;
mod promotion;
mod recipes;
mod refusal;
mod release;
mod resource;
mod scenario;
mod service;
mod side;
mod slack;
mod task;
mod version;
mod walk;
mod workflow;

weir_edge::endpoints![
    agent::AgentCreate,
    agent::AgentHeartbeat,
    agent::AgentList,
    agent::AgentTokenCreate,
    artifact::ArtifactCreate,
    artifact::ArtifactGet,
    assignment::AssignmentRunCreate,
    assignment::AssignmentSnapshotList,
    audit::AuditList,
    callback::CallbackCreate,
    definition::DefinitionApply,
    definition::DefinitionPlan,
    definition::DefinitionUpload,
    deployment::DeploymentGet,
    evidence::EvidenceGet,
    gate::GateDecide,
    gate::GateGet,
    gate::GateList,
    health::HealthGet,
    intent::IntentCancel,
    intent::IntentCreate,
    intent::IntentGet,
    intent::IntentList,
    intent::IntentPlan,
    intervention::InterventionDecide,
    intervention::InterventionList,
    job::JobTemplateGet,
    job::JobTemplateList,
    operation::OperationCancel,
    operation::OperationCreate,
    operation::OperationExplain,
    operation::OperationGet,
    operation::OperationList,
    operation::OperationPause,
    operation::OperationResume,
    operation::OperationRetry,
    operation::OperationRunGet,
    operation::OperationRunList,
    operation::OperationRunReconcile,
    operation::OperationTimeline,
    pack::PackList,
    patch::PatchChain,
    patch::PatchCreate,
    patch::PatchGet,
    plan::PlanGet,
    plan::PlanList,
    plan::PlanTemplateGet,
    plan::PlanTemplateList,
    projection::ProjectionList,
    projection::ProjectionRebuild,
    promotion::PromotionCreate,
    promotion::PromotionGet,
    promotion::PromotionList,
    release::ReleaseCreate,
    release::ReleaseGet,
    release::ReleaseList,
    release::ReleaseTimelineGet,
    resource::ResourceGet,
    resource::ResourceList,
    scenario::ScenarioGet,
    scenario::ScenarioList,
    service::ServiceGet,
    service::ServiceList,
    slack::SlackInteract,
    task::TaskClaim,
    task::TaskReport,
    version::VersionCreate,
    version::VersionList,
    workflow::WorkflowRunGet,
    workflow::WorkflowRunList,
    workflow::WorkflowStepRuns,
    workflow::WorkflowTemplateGet,
    workflow::WorkflowTemplateList,
];
