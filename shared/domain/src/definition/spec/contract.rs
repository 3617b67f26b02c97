//! What a step asks of whoever does it, with what its shared job says

use super::{Backoff, Job, NodeSpec};
use serde_json::Value;

/// The defaults of a step, in place of which its shared job may say something else
const TIMEOUT_DEFAULT_S: u32 = 600;
const ATTEMPTS_DEFAULT: u32 = 1;

impl NodeSpec {
    /// The job that the step is: what `shared`, its shared job, says, and over that what it says itself; none where it
    /// asks for no capability
    pub fn job_contract(&self, shared: Option<&Job>) -> Option<Job> {
        let capability = self.capability.clone().or_else(|| shared.map(|job| job.capability.clone()))?;
        let said = |own: u32, default: u32, shared: Option<u32>| {
            if own == default { shared.unwrap_or(own) } else { own }
        };
        let mut with = shared.map(|job| job.with.clone()).unwrap_or_default();
        with.extend(self.with.clone());
        let mut outputs = shared.map(|job| job.outputs.clone()).unwrap_or_default();
        let kept = with.get("outputs").and_then(Value::as_object).into_iter().flatten();
        let own: Vec<String> =
            kept.map(|(name, _)| name.clone()).filter(|own| !outputs.contains(own)).collect();
        outputs.extend(own);
        let says_backoff = self.backoff != Backoff::default();
        let backoff = shared.map(|job| &job.backoff).filter(|_| !says_backoff).unwrap_or(&self.backoff);
        Some(Job {
            version: shared.map_or(1, |job| job.version),
            capability,
            with,
            outputs,
            timeout_s: said(self.timeout_s, TIMEOUT_DEFAULT_S, shared.map(|job| job.timeout_s)),
            attempts: said(self.attempts, ATTEMPTS_DEFAULT, shared.map(|job| job.attempts)),
            backoff: backoff.clone(),
            deadline_s: self.deadline_s.or_else(|| shared.and_then(|job| job.deadline_s)),
            idempotent: shared.is_none_or(|job| job.idempotent),
            secrets: shared.map(|job| job.secrets.clone()).unwrap_or_default(),
            compensation: self
                .compensation
                .clone()
                .or_else(|| shared.and_then(|job| job.compensation.clone())),
            pack: None,
        })
    }
}
