//! `environment`: where releases are brought, in order

use super::{Finding, FreeForm, OnFreeze, Ownership, Policy, Principal, Ref, Spec, Weight};
use crate::definition::{address::Kind, codes::Code};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where releases are brought, in order (requirement 004)
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// As people read it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Its place in the order of promotion, from 1
    #[schemars(range(min = 1, max = 1000))]
    pub order_index: u32,
    /// Whether it serves users: then `region` and `cluster` must be said, and never come from a default
    #[serde(default)]
    pub production: bool,
    /// Where it runs; the adapter's default when left out
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// On which cluster it runs; the adapter's default when left out
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Settings that adapters read
    #[serde(default, skip_serializing_if = "FreeForm::is_empty")]
    pub config: FreeForm,
    /// When nothing may be deployed
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub freeze_windows: Vec<FreezeWindow>,
    /// Whether what is asked for in one of them waits for its end, or is refused
    #[serde(default, skip_serializing_if = "OnFreeze::is_wait")]
    pub on_freeze: OnFreeze,
    /// How many distinct people must approve a promotion
    #[serde(default)]
    #[schemars(range(max = 20))]
    pub required_approvals: u32,
    /// Separation of duties: whoever requested a promotion may not approve it, nor may an agent acting for them
    #[serde(default)]
    pub require_sod: bool,
    /// The approval policies that hold here
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policy_refs: Vec<Ref<Policy>>,
    /// How releases are brought to its targets
    #[serde(default)]
    pub delivery: Delivery,
    /// Whether one operation at a time may change it: others wait in the order in which they were started
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exclusive: bool,
}

/// A time in which nothing may be deployed
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FreezeWindow {
    /// Its name, unique in the environment
    pub id: String,
    /// When it begins
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub start: Timestamp,
    /// When it is over: the first moment at which deploying is allowed again
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub end: Timestamp,
    /// Why
    pub reason: String,
    /// Who may deploy all the same
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<Principal>,
    /// Who declared it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
}

/// How releases are brought to the targets of an environment
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// In which order
    #[serde(default)]
    pub strategy: Strategy,
    /// How many targets at a time, when rolling
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    pub batch_size: u32,
    /// How many targets may fail before the deployment has failed
    #[serde(default)]
    pub max_failed: u32,
    /// What happens when it has failed
    #[serde(default)]
    pub on_failure: OnFailure,
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            strategy: Strategy::default(),
            batch_size: one(),
            max_failed: 0,
            on_failure: OnFailure::default(),
        }
    }
}

const fn one() -> u32 {
    1
}

/// In which order targets are deployed to
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Strategy {
    /// Batch after batch, each verified before the next begins
    #[default]
    Rolling,
    /// All targets in one batch
    AllAtOnce,
}

/// What happens when a deployment has failed
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum OnFailure {
    /// A new job brings every target that was touched back to what it ran before
    #[default]
    Rollback,
    /// Everything stays as it is, for somebody to look at
    Stop,
}

impl Spec for Environment {
    const KIND: Kind = Kind::Environment;
    const OWNERSHIP: Ownership = Ownership::Tenant;
    const PROVIDER: &'static str = "weir.delivery";

    fn findings(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        for (field, value) in [("region", &self.region), ("cluster", &self.cluster)] {
            if self.production && value.is_none() {
                found.push(Finding {
                    path: String::new(),
                    code: Code::ProductionExplicit,
                    message: format!("a production environment must say its `{field}`"),
                    help: Some(format!(
                        "add `{field}:`; an adapter's default may change, production may not"
                    )),
                });
            }
        }
        let mut ids = std::collections::BTreeSet::new();
        for (i, window) in self.freeze_windows.iter().enumerate() {
            if window.end <= window.start {
                found.push(Finding {
                    path: format!("freeze_windows.{i}.end"),
                    code: Code::Contradiction,
                    message: "the window ends before it begins".to_owned(),
                    help: None,
                });
            }
            if !ids.insert(&window.id) {
                found.push(Finding {
                    path: format!("freeze_windows.{i}.id"),
                    code: Code::Contradiction,
                    message: format!("there are two freeze windows `{}`", window.id),
                    help: None,
                });
            }
        }
        found
    }

    fn weigh_update(before: &Self, after: &Self) -> Weight {
        let mut weight = Weight::reversible();
        if after.required_approvals < before.required_approvals {
            let (from, to) = (before.required_approvals, after.required_approvals);
            weight = weight.and(Weight::narrowing(format!("fewer people must approve: {from} → {to}")));
        }
        if before.require_sod && !after.require_sod {
            weight = weight.and(Weight::narrowing("separation of duties is turned off"));
        }
        if before.exclusive && !after.exclusive {
            weight = weight.and(Weight::narrowing("several operations at a time may change it"));
        }
        if before.production && !after.production {
            weight = weight.and(Weight::narrowing("it no longer counts as production"));
        }
        if before.policy_refs.iter().any(|policy| !after.policy_refs.contains(policy)) {
            weight = weight.and(Weight::narrowing("a policy no longer holds here"));
        }
        if before.freeze_windows.iter().any(|window| !is_kept(window, &after.freeze_windows)) {
            weight = weight
                .and(Weight::narrowing("a freeze window gets shorter, wider in its exceptions, or goes"));
        }
        if before.on_freeze == OnFreeze::Refuse && after.on_freeze.is_wait() {
            weight =
                weight.and(Weight::narrowing("what meets a freeze window waits instead of being refused"));
        }
        if before.delivery.max_failed < after.delivery.max_failed {
            weight = weight.and(Weight::narrowing("more targets may fail before a deployment has failed"));
        }
        weight
    }

    fn weigh_delete(_: &Self) -> Weight {
        Weight::irreversible("releases can no longer be promoted to it, nor what runs there be rolled back")
    }
}

/// Whether `window` holds at least as well in `after`
fn is_kept(window: &FreezeWindow, after: &[FreezeWindow]) -> bool {
    after.iter().any(|other| {
        other.id == window.id
            && other.start <= window.start
            && window.end <= other.end
            && other.exceptions.iter().all(|exception| window.exceptions.contains(exception))
    })
}
