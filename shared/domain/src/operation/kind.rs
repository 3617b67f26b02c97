//! The types of operations

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};

/// What an operation is for
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
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
pub enum OperationType {
    /// A release is brought onto targets without a promotion
    #[serde(rename = "deploy")]
    #[strum(serialize = "deploy")]
    Deploy,
    /// A release is brought into an environment, through its gates
    #[serde(rename = "promote")]
    #[strum(serialize = "promote")]
    Promote,
    /// Targets get back what they had before
    #[serde(rename = "rollback")]
    #[strum(serialize = "rollback")]
    Rollback,
    /// A scenario runs, whatever it does
    #[serde(rename = "scenario.run")]
    #[strum(serialize = "scenario.run")]
    ScenarioRun,
    /// The definition becomes true
    #[serde(rename = "definition.apply")]
    #[strum(serialize = "definition.apply")]
    DefinitionApply,
    /// Data is brought from a source to its targets
    #[serde(rename = "pipeline.run")]
    #[strum(serialize = "pipeline.run")]
    PipelineRun,
    /// The assignments of an external directory are read
    #[serde(rename = "assignments.fetch")]
    #[strum(serialize = "assignments.fetch")]
    AssignmentsFetch,
    /// A snapshot of assignments is put back
    #[serde(rename = "assignments.restore")]
    #[strum(serialize = "assignments.restore")]
    AssignmentsRestore,
    /// What the table says of the definition is made again from the ledger
    #[serde(rename = "projections.rebuild")]
    #[strum(serialize = "projections.rebuild")]
    ProjectionsRebuild,
    /// Weir drives forward what got stuck
    #[serde(rename = "ops.reconcile_adapter_runs")]
    #[strum(serialize = "ops.reconcile_adapter_runs")]
    ReconcileAdapterRuns,
}

impl OperationType {
    /// The type as callers and the table know it
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether its jobs count assignments of an external directory
    pub const fn counts_assignments(self) -> bool {
        matches!(self, Self::AssignmentsFetch | Self::AssignmentsRestore)
    }

    /// Whether it brings artefacts onto targets, so that it is also seen as a deployment job
    pub const fn is_deployment(self) -> bool {
        match self {
            Self::Deploy | Self::Promote | Self::Rollback => true,
            Self::ScenarioRun
            | Self::DefinitionApply
            | Self::PipelineRun
            | Self::AssignmentsFetch
            | Self::AssignmentsRestore
            | Self::ProjectionsRebuild
            | Self::ReconcileAdapterRuns => false,
        }
    }
}
