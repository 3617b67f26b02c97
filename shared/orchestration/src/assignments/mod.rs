//! Assignments of an external directory: read into a snapshot, and put back from one (requirement 003)
//!
//! A provider of the definition says where the directory is and which secret it wants to see; both are looked up when
//! they are needed, so that no plan, log or evidence holds more than the secret's name.

mod fetch;
mod request;
mod restore;

pub use request::{AssignmentError, AssignmentRequest, request_assignments};

pub(crate) use request::{Background, conclude, failure, place};

use crate::{Engine, EngineError};
use serde_json::Value;
use std::collections::BTreeMap;
use weir_adapters::{Done, Failed, assignments::Directory};
use weir_domain::{
    assignment::SnapshotContent,
    canonical::Digest,
    definition::{address::Address, spec::Provider},
    engine::{NodeRun, Operation},
    operation::count_keys,
    plan::JobContract,
    planner::{ASSIGNMENTS_FETCH, ASSIGNMENTS_RESTORE},
};

impl Engine {
    /// Does a job of assignments; `None` where the contract is about something else
    pub(crate) async fn assignments_job(
        &self,
        operation: &Operation,
        node: &NodeRun,
        contract: &JobContract,
    ) -> Option<Result<Done, Failed>> {
        match contract.capability.as_str() {
            ASSIGNMENTS_FETCH => Some(self.fetch_assignments(operation, contract).await),
            ASSIGNMENTS_RESTORE => Some(self.restore_assignments(operation, node, contract).await),
            _ => None,
        }
    }

    /// The directory that the contract is about, as the definition describes it now
    async fn directory(
        &self,
        operation: &Operation,
        contract: &JobContract,
    ) -> Result<(Directory, Provider), Failed> {
        let address: Address = input(contract, "provider")?;
        let found = self.resource::<Provider>(&operation.info.scope, &address).await;
        let provider = found.map_err(unavailable)?.ok_or_else(|| {
            Failed::terminal("provider_missing", format!("there is no `{address}` in the definition"))
        })?;
        let base = provider.config.get("base_url").and_then(Value::as_str);
        let base = base.ok_or_else(|| {
            Failed::terminal("provider_incomplete", format!("`{address}` has no `config.base_url`"))
        })?;
        let secrets = self.adapters.secrets();
        let token = provider.credential_ref.as_ref().map(|secret| {
            let missing = || {
                let message = format!("nobody has given this deployment the secret `{}`", secret.name());
                Failed::retryable("secret_missing", message)
            };
            secrets.get(secret.name()).map(str::to_owned).ok_or_else(missing)
        });
        let now_s = self.clock.now().0.div_euclid(1000);
        let directory = Directory::new(self.adapters.net().clone(), base, token.transpose()?, now_s)?;
        Ok((directory, provider))
    }

    /// The content of a snapshot
    async fn snapshot(&self, digest: &Digest) -> Result<SnapshotContent, EngineError> {
        let missing = || EngineError::Inconsistent(format!("the ledger has no snapshot `{digest}`"));
        let bytes = self.ledger.snapshot_get(digest).await?.ok_or_else(missing)?;
        serde_json::from_slice(&bytes).map_err(|error| {
            EngineError::Inconsistent(format!("the snapshot `{digest}` cannot be read: {error}"))
        })
    }

    /// What the operation's jobs counted, by the keys of its type's catalogue
    ///
    /// Each job's last word: of an attempt that died before it had one, what the one before it said.
    pub(crate) async fn said_counts(
        &self,
        operation: &Operation,
        nodes: &[NodeRun],
    ) -> Result<BTreeMap<String, u64>, EngineError> {
        let info = &operation.info;
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for node in nodes {
            for attempt in (1..=node.attempt).rev() {
                let Some(said) = self.ledger.outputs_get(info.operation_id, node.ordinal, attempt).await?
                else {
                    continue;
                };
                let said: Value = serde_json::from_slice(&said).unwrap_or_default();
                for key in count_keys(info.operation_type) {
                    if let Some(count) = said.get(key).and_then(Value::as_u64) {
                        *counts.entry(key.to_owned()).or_default() += count;
                    }
                }
                break;
            }
        }
        Ok(counts)
    }
}

/// What the contract says of `name`
fn input<T: serde::de::DeserializeOwned>(contract: &JobContract, name: &str) -> Result<T, Failed> {
    let value = contract.inputs.get(name).cloned().unwrap_or_default();
    serde_json::from_value(value)
        .map_err(|_| Failed::terminal("bad_inputs", format!("the node does not say its `{name}`")))
}

fn unavailable(error: impl Into<EngineError>) -> Failed {
    Failed::retryable("unavailable", error.into().to_string())
}
