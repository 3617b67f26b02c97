//! `job`: a job that templates share

use super::{Backoff, Finding, FreeForm, Ownership, PackRef, Ref, SecretRef, Spec, Weight, step::too_short};
use crate::definition::{address::Kind, codes::Code, expression, secrets::misplaced};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A job contract that templates share (requirement 000: job template)
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Its version, for people; plans record the job as it was
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    pub version: u32,
    /// The capability that it needs, such as `deploy.host`
    pub capability: String,
    /// What it is given, where the step says nothing else; may refer to what is known when it is planned, and name secrets as
    /// `${NAME}` where what does it is told them
    #[serde(default, skip_serializing_if = "FreeForm::is_empty")]
    pub with: FreeForm,
    /// The names of what it gives
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<String>,
    /// Seconds that one attempt may take
    #[serde(default = "ten_minutes")]
    #[schemars(range(min = 1, max = 86400))]
    pub timeout_s: u32,
    /// How often it is tried
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 100))]
    pub attempts: u32,
    /// How long it waits between two attempts
    #[serde(default)]
    pub backoff: Backoff,
    /// Seconds from when it is handed out first after which it has failed, however many attempts are left: 360 days at most
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 31_104_000))]
    pub deadline_s: Option<u32>,
    /// Whether doing it twice does no harm: if not, it is never tried again by itself
    #[serde(default = "yes")]
    pub idempotent: bool,
    /// The secrets that it may see
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretRef>,
    /// The job that undoes it, where an operation takes back what it did; it is given what this one was given, under what
    /// it says itself, in which `${outputs.<name>}` is what this one gave
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compensation: Option<Ref<Job>>,
    /// The pack that it comes from, if others have written it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pack: Option<PackRef>,
}

const fn one() -> u32 {
    1
}
const fn ten_minutes() -> u32 {
    600
}
const fn yes() -> bool {
    true
}

impl Spec for Job {
    const KIND: Kind = Kind::Job;
    const OWNERSHIP: Ownership = Ownership::Either;
    const PROVIDER: &'static str = "weir.planner";

    fn findings(&self) -> Vec<Finding> {
        let mut found: Vec<_> = too_short("", self.deadline_s, self.timeout_s).into_iter().collect();
        if let Err(error) = expression::references(&Value::Object(self.with.clone())) {
            let (path, message) = ("with".to_owned(), error.to_string());
            found.push(Finding { path, code: Code::ExpressionWrong, message, help: None });
        }
        found.extend(misplaced(Some(&self.capability), &self.with).map(|it| it.finding("with")));
        found
    }

    fn weigh_update(before: &Self, after: &Self) -> Weight {
        if after.secrets.iter().any(|secret| !before.secrets.contains(secret)) {
            return Weight::narrowing("it may see a secret that it could not see before");
        }
        if before.compensation.is_some() && after.compensation.is_none() {
            return Weight::narrowing("nothing undoes it any more");
        }
        Weight::reversible()
    }

    fn weigh_delete(_: &Self) -> Weight {
        Weight::reversible()
    }
}
