//! `pipeline`: source, transform and targets of data

use super::{Finding, Graph, Ownership, Provider, Ref, SecretRef, Spec, Weight};
use crate::definition::{address::Kind, codes::Code};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Source, transform and targets of data (requirement 002, axiom 13)
///
/// The pipeline is definition; the rows that a run of it writes are data, which nothing here converges.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pipeline {
    /// Where the data comes from
    pub source: Ref<Provider>,
    /// The credentials that the source asks for
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_ref: Option<SecretRef>,
    /// The file of the transform, in the definition's folder
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transform: Option<String>,
    /// Where the data goes
    #[schemars(length(min = 1, max = 100))]
    pub targets: Vec<PipelineTarget>,
    /// When it runs by itself, as five fields of cron in UTC; only when asked when left out
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// How often a target is tried in one run
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 100))]
    pub attempts: u32,
}

/// Where the data of a pipeline goes: each target has its own status, and is tried by itself
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PipelineTarget {
    /// The graph
    pub graph: Ref<Graph>,
    /// Its branch; the main one when left out
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// How it writes
    #[serde(default)]
    pub mode: WriteMode,
}

/// How a pipeline writes
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WriteMode {
    /// Rows are added
    #[default]
    Append,
    /// Rows replace those of the same key
    Merge,
    /// Everything that was there goes
    Overwrite,
}

const fn one() -> u32 {
    1
}

impl Pipeline {
    fn overwrites(&self, graph: &Ref<Graph>) -> bool {
        self.targets.iter().any(|target| target.graph == *graph && target.mode == WriteMode::Overwrite)
    }
}

impl Spec for Pipeline {
    const KIND: Kind = Kind::Pipeline;
    const OWNERSHIP: Ownership = Ownership::Workspace;
    const PROVIDER: &'static str = "weir.pipelines";

    fn findings(&self) -> Vec<Finding> {
        let is_cron = |text: &str| text.split_whitespace().count() == 5;
        if self.schedule.as_deref().is_none_or(is_cron) {
            return Vec::new();
        }
        vec![Finding {
            path: "schedule".to_owned(),
            code: Code::Format,
            message: "a schedule has the five fields of cron".to_owned(),
            help: Some("hourly is `0 * * * *`".to_owned()),
        }]
    }

    fn weigh_create(after: &Self) -> Weight {
        match after.targets.iter().find(|target| target.mode == WriteMode::Overwrite) {
            Some(target) => {
                Weight::irreversible(format!("its first run overwrites what is in `{}`", target.graph))
            }
            None => Weight::reversible(),
        }
    }

    fn weigh_update(before: &Self, after: &Self) -> Weight {
        let begins = |target: &&PipelineTarget| {
            target.mode == WriteMode::Overwrite && !before.overwrites(&target.graph)
        };
        match after.targets.iter().find(begins) {
            Some(target) => {
                Weight::irreversible(format!("its next run overwrites what is in `{}`", target.graph))
            }
            None => Weight::reversible(),
        }
    }

    fn weigh_delete(_: &Self) -> Weight {
        Weight::reversible()
    }
}
