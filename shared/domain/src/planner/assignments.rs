//! The planner of assignments: read all of a directory in one job, put them back in jobs of a thousand

use super::{ASSIGNMENTS_FETCH, ASSIGNMENTS_RESTORE, PlanError, fragment::object};
use crate::{
    canonical::Digest,
    definition::address::Address,
    plan::{Backoff, Executor, Graph, Idempotency, JobContract, NodeType, PlanNode},
};
use serde_json::{Value, json};

/// How many assignments one job puts back: at three requests a second each it has done within its time
pub const RESTORE_BATCH: u64 = 1_000;

/// Within what a function may run, with time left to write down what was done
const TIMEOUT_S: u32 = 840;

/// How often a job goes on where the one before it had to stop
const ATTEMPTS: u32 = 10;

/// A snapshot that is to be put back
#[derive(Debug, Clone)]
pub struct RestoreRequest<'a> {
    /// Where
    pub provider: &'a Address,
    /// Its content
    pub digest: &'a Digest,
    /// How many assignments it has
    pub assignments: u64,
    /// Only these of them; all where there is none
    pub only: &'a [String],
}

/// Plans that all assignments of `provider` are read
pub fn plan_fetch(provider: &Address, name: Option<&str>) -> Result<Graph, PlanError> {
    let inputs = json!({ "provider": provider, "name": name });
    let mut node = job("fetch", "Read all assignments", ASSIGNMENTS_FETCH, inputs)?;
    if let Some(contract) = &mut node.job_contract {
        contract.outputs = ["snapshot", "digest", "assignments_read", "pages_read"].map(str::to_owned).into();
    }
    Ok(Graph::new(vec![node])?)
}

/// Plans that a snapshot is put back. No batch waits for another: one that fails keeps nobody else's from being done
pub fn plan_restore(request: &RestoreRequest<'_>) -> Result<Graph, PlanError> {
    let mut nodes = Vec::new();
    if request.only.is_empty() {
        for (number, from) in (1..).zip((0..request.assignments.max(1)).step_by(batch_len())) {
            let to = (from + RESTORE_BATCH).min(request.assignments);
            let title = format!("Put back {} to {to} of {}", (from + 1).min(to), request.assignments);
            nodes.push(batch(number, &title, request, json!({ "from": from, "to": to }))?);
        }
    } else {
        for (number, only) in (1..).zip(request.only.chunks(batch_len())) {
            nodes.push(batch(number, &format!("Put back {}", only.len()), request, json!({ "only": only }))?);
        }
    }
    Ok(Graph::new(nodes)?)
}

fn batch_len() -> usize {
    usize::try_from(RESTORE_BATCH).unwrap_or(usize::MAX)
}

fn batch(
    number: u32,
    title: &str,
    request: &RestoreRequest<'_>,
    which: Value,
) -> Result<PlanNode, PlanError> {
    let mut inputs = object(json!({ "provider": request.provider, "digest": request.digest }));
    inputs.extend(object(which));
    job(&format!("restore.batch-{number}"), title, ASSIGNMENTS_RESTORE, inputs.into())
}

fn job(id: &str, title: &str, capability: &str, inputs: Value) -> Result<PlanNode, PlanError> {
    let mut node = PlanNode::new(id.parse()?, NodeType::Job, title, Executor::Job);
    node.requires = vec![capability.to_owned()];
    node.job_contract = Some(JobContract {
        capability: capability.to_owned(),
        inputs: object(inputs),
        outputs: Vec::new(),
        timeout_s: TIMEOUT_S,
        attempts: ATTEMPTS,
        backoff: Backoff { base_s: 2, factor: 2, max_s: 60 },
        idempotency: Idempotency::Natural,
        secrets: Vec::new(),
        deadline_s: None,
    });
    Ok(node)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batches(assignments: u64, only: &[String]) -> Vec<Value> {
        let (provider, digest) = ("provider.source.directory".parse().unwrap(), Digest::of_bytes(b"x"));
        let request = RestoreRequest { provider: &provider, digest: &digest, assignments, only };
        let graph = plan_restore(&request).unwrap();
        graph.nodes().iter().map(|node| Value::from(node.job_contract.clone().unwrap().inputs)).collect()
    }

    #[test]
    fn every_assignment_is_in_one_batch() {
        let ranges = |n| -> Vec<_> {
            batches(n, &[])
                .iter()
                .map(|it| (it["from"].as_u64().unwrap(), it["to"].as_u64().unwrap()))
                .collect()
        };
        assert_eq!(ranges(0), [(0, 0)]);
        assert_eq!(ranges(1_000), [(0, 1_000)]);
        assert_eq!(ranges(2_001), [(0, 1_000), (1_000, 2_000), (2_000, 2_001)]);
        let only: Vec<_> = (0..1_001).map(|n| n.to_string()).collect();
        let sizes: Vec<_> =
            batches(5_000, &only).iter().map(|it| it["only"].as_array().unwrap().len()).collect();
        assert_eq!(sizes, [1_000, 1]);
    }

    #[test]
    fn a_directory_is_read_by_one_job() {
        let graph = plan_fetch(&"provider.source.directory".parse().unwrap(), Some("before")).unwrap();
        assert_eq!(graph.len(), 1);
    }
}
