//! A step together with the job that it shares

use crate::{
    definition::{
        expression::{self, Facts},
        secrets::named,
        spec::{Constraints, FreeForm, Job, NodeSpec},
    },
    plan::{Backoff, Idempotency, JobContract},
    planner::{PlanError, TooLong, fragment::object, too_long},
};
use serde_json::Value;
use std::collections::BTreeSet;

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
    let capability = spec.capability.as_deref().or(job.map(|job| job.capability.as_str()));
    capability.ok_or_else(|| asks_for_nothing(spec))
}

/// What has to be true of whoever does a step, filled in
pub(in crate::planner) fn constraints(spec: &NodeSpec, facts: &Facts) -> Result<Constraints, PlanError> {
    let said = object(serde_json::to_value(&spec.constraints).unwrap_or_default());
    let wrong = |problem: String| PlanError::Node { node: spec.id.clone(), problem };
    let filled = expression::fill_fields(&said, facts)
        .map_err(|error| PlanError::Expression { node: spec.id.clone(), error })?;
    // Without a value it would be asked of nobody, whatever the template says.
    if let Some((name, _)) = filled.iter().find(|(_, value)| value.is_null()) {
        return Err(wrong(format!("asks in `constraints` for a `{name}` that nobody has given")));
    }
    let filled = filled.into_iter().map(|(name, value)| (name, texts(value))).collect();
    serde_json::from_value(Value::Object(filled))
        .map_err(|error| wrong(format!("has `constraints` that are none once they are filled in: {error}")))
}

/// A number or a yes stands in a constraint as it is written
fn texts(value: Value) -> Value {
    match value {
        Value::Number(_) | Value::Bool(_) => Value::String(value.to_string()),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, texts(value))).collect(),
        Value::Null | Value::String(_) | Value::Array(_) => value,
    }
}

fn asks_for_nothing(spec: &NodeSpec) -> PlanError {
    let problem = "asks for no capability, so nobody knows who does it".to_owned();
    PlanError::Node { node: spec.id.clone(), problem }
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
        let asked = spec.job_contract(job).ok_or_else(|| asks_for_nothing(spec))?;
        if !asked.idempotent && asked.attempts > 1 {
            let problem = format!("has {} attempts, and its job may be done only once", asked.attempts);
            return Err(PlanError::Node { node: spec.id.clone(), problem });
        }
        if let Some(deadline) = asked.deadline_s.filter(|deadline| *deadline < asked.timeout_s) {
            let attempt = asked.timeout_s;
            let problem =
                format!("has a deadline of {deadline} s, which is over before one attempt of {attempt} s");
            return Err(PlanError::Node { node: spec.id.clone(), problem });
        }
        if let Some(TooLong { problem, help, .. }) = too_long(capability, &inputs, asked.timeout_s) {
            return Err(PlanError::Node { node: spec.id.clone(), problem: format!("{problem}; {help}") });
        }
        // Those that the recipe names: whoever gives it its inputs is not to choose among all secrets that there are.
        let shared = asked.secrets.iter().map(|secret| secret.name().to_owned());
        let secrets: BTreeSet<String> =
            named(&Value::Object(said.clone())).into_iter().chain(shared).collect();
        let backoff = &asked.backoff;
        Ok(JobContract {
            capability: capability.to_owned(),
            inputs,
            outputs: asked.outputs,
            timeout_s: asked.timeout_s,
            attempts: asked.attempts,
            backoff: Backoff { base_s: backoff.initial_s, factor: backoff.factor, max_s: backoff.max_s },
            idempotency: if asked.idempotent { usual } else { Idempotency::Once },
            secrets: secrets.into_iter().collect(),
            deadline_s: asked.deadline_s,
        })
    }
}
