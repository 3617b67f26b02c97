//! A step together with the job that it shares

use crate::{
    definition::{
        secrets::named,
        spec::{self, FreeForm, Job, NodeSpec},
    },
    plan::{Backoff, Idempotency, JobContract},
    planner::{PlanError, fragment},
};
use serde_json::Value;
use std::collections::BTreeSet;

/// The defaults of a step, in place of which its shared job may say something else
pub(super) const TIMEOUT_DEFAULT_S: u32 = 600;
pub(super) const ATTEMPTS_DEFAULT: u32 = 1;

/// A step, its shared job, and what both say that it is given
pub(in crate::planner) struct Step<'a> {
    pub spec: &'a NodeSpec,
    pub job: Option<&'a Job>,
    /// Before it was filled in
    pub said: &'a FreeForm,
}

/// What a step is given, before it is filled in: what its shared job says, then what it says itself
pub(in crate::planner) fn said(spec: &NodeSpec, job: Option<&Job>) -> FreeForm {
    let mut said = job.map(|job| job.with.clone()).unwrap_or_default();
    said.extend(spec.with.clone());
    said
}

/// The capability that a step asks for: its own, or that of its shared job
pub(in crate::planner) fn asked<'a>(spec: &'a NodeSpec, job: Option<&'a Job>) -> Result<&'a str, PlanError> {
    if let Some(named) = spec.job.as_ref().filter(|_| job.is_none()) {
        let problem = format!("names `{}`, which is not in the definition that is applied", named.address());
        return Err(PlanError::Node { node: spec.id.clone(), problem });
    }
    let problem = "asks for no capability, so nobody knows who does it".to_owned();
    let capability = spec.capability.as_deref().or(job.map(|job| job.capability.as_str()));
    capability.ok_or_else(|| PlanError::Node { node: spec.id.clone(), problem })
}

impl Step<'_> {
    /// What whoever does it is told; `usual` is how it may be repeated where its job does not say that it may not be
    pub fn contract(
        &self,
        capability: &str,
        inputs: FreeForm,
        usual: Idempotency,
    ) -> Result<JobContract, PlanError> {
        let Self { spec, job, said } = *self;
        let or_shared = |own: u32, default: u32, shared: Option<u32>| {
            if own == default { shared.unwrap_or(own) } else { own }
        };
        let attempts = or_shared(spec.attempts, ATTEMPTS_DEFAULT, job.map(|job| job.attempts));
        let once = job.is_some_and(|job| !job.idempotent);
        if once && attempts > 1 {
            let problem = format!("has {attempts} attempts, and its job may be done only once");
            return Err(PlanError::Node { node: spec.id.clone(), problem });
        }
        let own = spec.backoff != spec::Backoff::default();
        let backoff = job.map(|job| &job.backoff).filter(|_| !own).unwrap_or(&spec.backoff);
        // What the step itself asks to be kept, and which secrets it names, beside what the shared job says.
        let shared = job.map(|job| job.outputs.clone()).unwrap_or_default();
        let own = fragment::outputs(&inputs).into_iter().filter(|own| !shared.contains(own));
        let outputs = shared.iter().cloned().chain(own).collect();
        let shared = job.into_iter().flat_map(|job| &job.secrets).map(|secret| secret.name().to_owned());
        // Those that the recipe names: whoever gives it its inputs is not to choose among all secrets that there are.
        let secrets: BTreeSet<String> =
            named(&Value::Object(said.clone())).into_iter().chain(shared).collect();
        Ok(JobContract {
            capability: capability.to_owned(),
            inputs,
            outputs,
            timeout_s: or_shared(spec.timeout_s, TIMEOUT_DEFAULT_S, job.map(|job| job.timeout_s)),
            attempts,
            backoff: Backoff { base_s: backoff.initial_s, factor: backoff.factor, max_s: backoff.max_s },
            idempotency: if once { Idempotency::Once } else { usual },
            secrets: secrets.into_iter().collect(),
            deadline_s: None,
        })
    }
}
