//! Which inputs of a node a person may replace, and by what

use super::{INPUTS_MAX, Intervention, InterventionAction, InterventionRefusal, InterventionRequest};
use crate::{
    plan::{Idempotency, JobContract, NodeType, patch::PLACES},
    planner::{APPLY_GROUP, BATCH_CHECK, DEPLOY_HOST, EVIDENCE, SUB_OPERATION},
    sanitise::is_secret_name,
};
use serde_json::{Map, Value};

/// What is done with inputs that were agreed upon before the operation began: nobody replaces them afterwards
///
/// The operation that a node runs is one of them: its plan was made with that of the node, and is what it runs.
const AGREED: [&str; 5] = [DEPLOY_HOST, APPLY_GROUP, EVIDENCE, BATCH_CHECK, SUB_OPERATION];

/// The inputs that lead to a path at the target, or with a whole address anywhere
const PATHS: [&str; 2] = ["url", "path"];

/// Other inputs that say where something is done: a function of the account, a host
const WHERE: [&str; 3] = ["function", "qualifier", "host"];

/// Whether the input says where something is done: that was agreed to, and so was who is told a secret there
fn is_place(name: &str, planned: &Value) -> bool {
    let is_address = PATHS.contains(&name) && planned.as_str().is_none_or(is_whole);
    PLACES.contains(&name) || WHERE.contains(&name) || is_address
}

/// Whether it is a whole address, as whoever does the job tells one from a path
fn is_whole(address: &str) -> bool {
    address.contains("://")
}

/// What may be decided of a node with this contract, and which of its inputs may be replaced
///
/// A job that may be done only once is not tried again by anybody. Inputs that people agreed to (a digest, an apply
/// group, where something is done) are not replaced: that would be another change, under the old agreement.
pub fn possible(kind: NodeType, contract: Option<&JobContract>) -> (Vec<InterventionAction>, Vec<String>) {
    use InterventionAction::{MarkDone, ReplaceInputs, Retry, Skip};
    if kind == NodeType::Intervention {
        return (vec![MarkDone, Skip], Vec::new());
    }
    let once = contract.is_some_and(|contract| contract.idempotency == Idempotency::Once);
    let inputs: Vec<String> = contract
        .filter(|contract| !once && !AGREED.contains(&contract.capability.as_str()))
        .map(|contract| contract.inputs.iter().filter(|(name, value)| !is_place(name, value)))
        .map(|inputs| inputs.map(|(name, _)| name.clone()).collect())
        .unwrap_or_default();
    let mut may = if once { vec![MarkDone, Skip] } else { vec![Retry, MarkDone, Skip] };
    may.extend((!inputs.is_empty()).then_some(ReplaceInputs));
    (may, inputs)
}

/// Refuses to replace inputs that may not be, or by what may not be there
pub(super) fn check(
    intervention: &Intervention,
    request: &InterventionRequest<'_>,
) -> Result<(), InterventionRefusal> {
    let inputs = request.inputs;
    if inputs.is_empty() == (request.action == InterventionAction::ReplaceInputs) {
        return Err(InterventionRefusal::Inputs);
    }
    if let Some(unknown) = inputs.keys().find(|name| !intervention.replaceable.contains(name)) {
        let known = intervention.replaceable.clone();
        return Err(InterventionRefusal::UnknownInput(unknown.chars().take(80).collect(), known));
    }
    let leads_elsewhere = |(name, value): &(&String, &Value)| {
        PATHS.contains(&name.as_str()) && value.as_str().is_none_or(is_whole)
    };
    if let Some((name, _)) = inputs.iter().find(leads_elsewhere) {
        return Err(InterventionRefusal::Elsewhere(name.clone()));
    }
    if let Some(name) = secret_in(inputs) {
        return Err(InterventionRefusal::Secret(name));
    }
    // A map of JSON values always can be written.
    let bytes = serde_json::to_vec(inputs).map_or(usize::MAX, |bytes| bytes.len());
    if bytes > INPUTS_MAX { Err(InterventionRefusal::TooLarge(bytes)) } else { Ok(()) }
}

/// The first name, at any depth, whose value may be a secret
fn secret_in(inputs: &Map<String, Value>) -> Option<String> {
    inputs.iter().find_map(|(name, value)| match value {
        _ if is_secret_name(name) => Some(name.chars().take(80).collect()),
        Value::Object(inner) => secret_in(inner),
        Value::Array(items) => items.iter().filter_map(Value::as_object).find_map(secret_in),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    })
}
