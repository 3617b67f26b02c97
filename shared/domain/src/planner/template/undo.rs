//! What undoes a job of a template, decided with the plan: whoever agrees to it agrees to its way back

use super::{Child, Made, PlanError, Planner, layout::Placed};
use crate::{
    definition::{
        expression::{self, Root},
        secrets::{marked, named},
        spec::{FreeForm, Job},
    },
    plan::{Backoff, Compensation, Executor, Graph, Idempotency, JobContract, PlanNode},
    planner::{
        DEPLOY_HOST, TooLong,
        binding::{Requirement, resolve},
        fragment, too_long,
        undo::{Undoing, plan_undo},
    },
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What the step was told to keep of its answer, which is not what the one that undoes it keeps
const KEPT: &str = "outputs";

impl Planner<'_> {
    /// The job that undoes `node`, if its step or its shared job names one
    pub(super) fn compensation(
        &self,
        made: &mut Made,
        placed: &Placed<'_>,
        node: &PlanNode,
    ) -> Result<Option<Box<Compensation>>, PlanError> {
        let shared = self.job(placed.spec).and_then(|job| job.compensation.as_ref());
        let Some(named) = placed.spec.compensation.as_ref().or(shared) else { return Ok(None) };
        let wrong = |problem: String| PlanError::Node { node: placed.spec.id.clone(), problem };
        let missing = || format!("is undone by `{named}`, which is not in the definition that is applied");
        let job = self.request.library.jobs.get(named.address()).ok_or_else(|| wrong(missing()))?;
        if job.capability == DEPLOY_HOST {
            let what = "a compensation that asks for `deploy.host`, which is planned by itself only";
            return Err(PlanError::NotHere { node: placed.spec.id.clone(), what });
        }
        if !job.idempotent && job.attempts > 1 {
            return Err(wrong(format!(
                "is undone by `{named}`, which may be done only once and has attempts"
            )));
        }
        let contract = node.job_contract.as_ref();
        // Outputs are filled in later: until then every text of it tells names from what only looks like one.
        let given = contract.map(|contract| marked(&contract.capability, contract.inputs.clone()));
        let given = given.unwrap_or_default();
        let mut inputs = given.clone();
        inputs.remove(KEPT);
        let facts = placed.facts.clone().later(Root::Outputs);
        let own = expression::fill_fields(&job.with, &facts);
        inputs.extend(own.map_err(|error| PlanError::Expression { node: placed.spec.id.clone(), error })?);
        let kept = contract.map(|contract| contract.outputs.as_slice()).unwrap_or_default();
        let asked = expression::outputs_named(&Value::Object(inputs.clone()));
        if let Some(output) = asked.iter().find(|output| !kept.contains(output)) {
            return Err(wrong(format!(
                "is undone by `{named}` with `{output}` of its outputs, which it does not keep"
            )));
        }
        if let Some(TooLong { problem, help, .. }) = too_long(&job.capability, &inputs, job.timeout_s) {
            return Err(wrong(format!("is undone by `{named}`, which {problem}; {help}")));
        }
        Ok(Some(Box::new(self.undone_by(made, placed, node, job, (&given, inputs)))))
    }

    /// Who undoes `node`: on the target where it was done
    fn undone_by(
        &self,
        made: &mut Made,
        placed: &Placed<'_>,
        node: &PlanNode,
        job: &Job,
        (given, mut inputs): (&FreeForm, FreeForm),
    ) -> Compensation {
        let request = self.request;
        let there = request.sites.iter().find(|site| Some(&site.address) == node.target.as_ref());
        let requirement = Requirement {
            id: format!("undo.{}", placed.id),
            capability: &job.capability,
            site: there.or(placed.site),
            region: request.guarded.and_then(|guarded| guarded.spec.region.as_deref()),
            constraints: request.constraints.clone(),
        };
        // No scenario: a way back that is an operation of its own would need one itself.
        let resolved = resolve(&requirement, request.sites, request.offers, &[], &[]);
        self.note(made, &resolved);
        let target = match &resolved.runs {
            Executor::Agent(target) => Some(target.clone()),
            Executor::Decide | Executor::Job | Executor::Join => node.target.clone(),
        };
        if let Some(target) = &target {
            inputs.insert("target".to_owned(), json!(target));
        } else if let Some(provider) = &resolved.resource {
            inputs.insert("provider".to_owned(), json!(provider));
        }
        // An agent serves its own target, whatever a person says of the job.
        let is_fixed = |name: &str| name == "target" && resolved.runs != Executor::Job;
        let same = |name: &str| given.get(name) == inputs.get(name);
        let is_inherited = |name: &&String| !job.with.contains_key(*name) && !is_fixed(name) && same(name);
        let inherits = inputs.keys().filter(is_inherited).cloned().collect();
        Compensation { job_contract: contract(job, inputs, node), inherits, runs: resolved.runs, target }
    }

    /// Checks that everything that is done can be undone: at the time when it has to be, it is too late to find out
    pub(super) fn check_way_back(graph: &Graph, children: &[Child]) -> Result<(), PlanError> {
        plan_undo(&undoing(graph, children))?;
        Ok(())
    }
}

fn undoing(graph: &Graph, children: &[Child]) -> Undoing {
    let child = |child: &Child| {
        let ordinal = graph.ordinal_of(&child.requirement_id.parse().ok()?)?;
        Some((ordinal, undoing(&child.plan.graph, &child.plan.children)))
    };
    let children: BTreeMap<u32, Undoing> = children.iter().filter_map(child).collect();
    Undoing::of_all(graph, children)
}

fn contract(job: &Job, inputs: FreeForm, undoes: &PlanNode) -> JobContract {
    let own = fragment::outputs(&inputs).into_iter().filter(|own| !job.outputs.contains(own));
    // It is given what the one that it undoes was given, and so may see what that one saw.
    let mut secrets = named(&Value::Object(job.with.clone()));
    secrets.extend(undoes.job_contract.iter().flat_map(|contract| contract.secrets.clone()));
    secrets.extend(job.secrets.iter().map(|secret| secret.name().to_owned()));
    JobContract {
        capability: job.capability.clone(),
        outputs: job.outputs.iter().cloned().chain(own).collect(),
        inputs,
        timeout_s: job.timeout_s,
        attempts: job.attempts,
        backoff: Backoff {
            base_s: job.backoff.initial_s,
            factor: job.backoff.factor,
            max_s: job.backoff.max_s,
        },
        idempotency: if job.idempotent { Idempotency::AttemptKey } else { Idempotency::Once },
        secrets: secrets.into_iter().collect(),
        deadline_s: None,
    }
}
