//! Which secrets a patch may have told to whom: those that the plan tells the same one

use super::{
    PatchError,
    work::{Work, works},
};
use crate::{
    definition::secrets::{misplaced, named},
    plan::{Executor, Graph, JobContract, NodeId},
};
use serde_json::Value;
use std::collections::BTreeSet;

/// The inputs that say to whom a job speaks, and so to whom it tells a secret
const ADDRESSES: [&str; 3] = ["target", "provider", "url"];

/// Refuses `work` of `node` where it names secrets that the plan does not tell the same one, or where none is filled in
pub(super) fn may_be_told(before: &Graph, node: &NodeId, work: &Work<'_>) -> Result<(), PatchError> {
    let contract = work.contract;
    if let Some(misplaced) = misplaced(Some(&contract.capability), &contract.inputs) {
        return Err(PatchError::Misplaced { node: node.clone(), message: misplaced.message });
    }
    let mut asked: BTreeSet<String> = contract.inputs.values().flat_map(named).collect();
    asked.extend(contract.secrets.iter().cloned());
    let knows = |known: &Work<'_>, secret: &String| known.contract.secrets.contains(secret);
    let planned: Vec<Work<'_>> = before
        .numbered()
        .flat_map(|(_, node)| works(node))
        .filter(|known| speaks_to(known) == speaks_to(work))
        .collect();
    // Together, too: what one is told must not be signed with what another knows.
    if planned.iter().any(|known| asked.iter().all(|secret| knows(known, secret))) {
        return Ok(());
    }
    let unknown = asked.iter().find(|secret| !planned.iter().any(|known| knows(known, secret)));
    match unknown.or_else(|| asked.first()) {
        Some(secret) => Err(PatchError::Secret { node: node.clone(), secret: secret.clone() }),
        None => Ok(()),
    }
}

/// Who is spoken to, and how
fn speaks_to<'a>(work: &Work<'a>) -> (&'a str, &'a Executor, [Option<&'a Value>; 3]) {
    let JobContract { capability, inputs, .. } = work.contract;
    (capability, work.runs, ADDRESSES.map(|name| inputs.get(name)))
}
