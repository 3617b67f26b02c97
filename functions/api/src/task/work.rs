//! What a claimed node asks its agent to do

use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};
use weir_domain::{
    canonical::Digest,
    definition::{address::Address, spec::Run},
    delivery::TargetState,
    engine::{NodeRun, Operation},
    id::{ReleaseId, TaskId},
    plan::JobContract,
    time::Millis,
};
use weir_edge::{
    Cx, Problem,
    wire::{
        secret::Secret,
        task::{ArtifactSource, DEPLOY_HOST, DeployInput, HealthSpec, RunSpec, Task, TaskWork},
    },
};
use weir_store::{Entity as _, Key};

/// How long an agent may take to begin its download
const DOWNLOAD_WITHIN: Duration = Duration::from_secs(15 * 60);

/// What the contract of a deploying node holds, as the planner wrote it
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Deploys {
    pub target: Address,
    pub component: Address,
    pub digest: Digest,
    pub size: u64,
    pub version: String,
    pub release: ReleaseId,
    pub run: Run,
}

impl Deploys {
    /// What `contract` deploys; `None` where it is not that of a deployment that this version knows
    pub fn of(contract: &JobContract) -> Option<Self> {
        let inputs = (contract.capability == DEPLOY_HOST).then(|| contract.inputs.clone())?;
        serde_json::from_value(Value::Object(inputs)).ok()
    }

    /// The task for the agent that holds the attempt
    pub async fn task(
        self,
        cx: &Cx,
        operation: &Operation,
        node: &NodeRun,
        now: Millis,
    ) -> Result<Task, Problem> {
        let info = &operation.info;
        let name = format!("{}-{}.tar.gz", self.component.to_string().replace('.', "-"), self.version);
        let artifact = cx.ledger().artifact_download(&self.digest, &name, DOWNLOAD_WITHIN).await?;
        let state = Key::entity(&info.scope, TargetState::KIND, &self.target);
        let state = cx.table().read::<TargetState>(&state).await?;
        let target = self.target.clone();
        let work = TaskWork::DeployHost(Box::new(DeployInput {
            release: self.release,
            promotion: info.promotion_id,
            digest: self.digest.clone(),
            artifact: ArtifactSource { url: Secret::new(artifact.url), size: self.size },
            sticker: self.sticker(operation, node, now),
            run: run(self.run),
            previous: state.map(|(state, _)| state.current.digest),
            component: self.component,
        }));
        Ok(task(operation, node, target, work, now))
    }

    /// What the version sticker says: of every line of it the control plane can be asked
    fn sticker(&self, operation: &Operation, node: &NodeRun, now: Millis) -> Value {
        let info = &operation.info;
        json!({
            "release": self.release,
            "version": self.version,
            "component": self.component,
            "digest": self.digest,
            "environment": info.environment,
            "operation": info.operation_id,
            "promotion": info.promotion_id,
            "deployed_by": info.actor.id,
            "deployed_at": node.started_at.unwrap_or(now).timestamp(),
        })
    }
}

/// The attempt as its agent is given it
pub(super) fn task(
    operation: &Operation,
    node: &NodeRun,
    target: Address,
    work: TaskWork,
    now: Millis,
) -> Task {
    let (lease, deadline) = (node.lease_until.unwrap_or(now), node.deadline.unwrap_or(now));
    let remaining = |at: Millis| u64::try_from((at - now).0).unwrap_or(0);
    Task {
        task: TaskId { operation: operation.info.operation_id, ordinal: node.ordinal },
        attempt: node.attempt,
        lease_until: lease.timestamp(),
        lease_remaining_ms: remaining(lease),
        deadline: deadline.timestamp(),
        deadline_remaining_ms: remaining(deadline),
        target,
        work,
    }
}

fn run(run: Run) -> RunSpec {
    RunSpec {
        command: run.command,
        env: run.env,
        secret_env: BTreeMap::new(),
        health: HealthSpec { path: run.health.map(|health| health.path), ..HealthSpec::default() },
    }
}
