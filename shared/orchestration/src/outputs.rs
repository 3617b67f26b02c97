//! What jobs gave: sanitised, kept beside their logs, and read by whatever comes after them

use crate::{Engine, EngineError};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, fmt::Write as _};
use weir_adapters::Done;
use weir_domain::{
    engine::{NodeRun, Operation},
    id::OperationId,
    plan::{NodeStatus, PlanNode},
    planner::{collect_outputs, output_nodes},
    sanitise::{REDACTED, is_secret_name, sanitise},
};

/// The log of a job that ended well, with what it gave
pub(crate) fn log(done: &Done) -> String {
    let mut log = done.log.clone();
    for (name, value) in clean(&done.outputs) {
        // Writing to a text cannot fail.
        let _written = writeln!(log, "gave {name} = {value}");
    }
    log
}

/// `outputs` without what may be secret: they came from outside
fn clean(outputs: &Map<String, Value>) -> Map<String, Value> {
    outputs.iter().map(|(name, value)| (name.clone(), clean_value(name, value))).collect()
}

fn clean_value(name: &str, value: &Value) -> Value {
    match value {
        _ if is_secret_name(name) => REDACTED.into(),
        Value::String(text) => sanitise(text).into(),
        Value::Array(list) => list.iter().map(|value| clean_value(name, value)).collect(),
        Value::Object(map) => clean(map).into(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

impl Engine {
    /// Keeps what an attempt gave. Before its end is reported: whoever comes after the node may rely on it
    pub(crate) async fn keep_outputs(
        &self,
        operation: OperationId,
        node: &NodeRun,
        outputs: &Map<String, Value>,
    ) -> Result<(), EngineError> {
        if outputs.is_empty() {
            return Ok(());
        }
        let bytes = serde_json::to_vec(&clean(outputs)).map_err(unreadable)?;
        Ok(self.ledger.outputs_put(operation, node.ordinal, node.attempt, bytes).await?)
    }

    /// What the node gave, if it was to give anything and succeeded
    pub async fn outputs(
        &self,
        operation: OperationId,
        plan_node: &PlanNode,
        node: &NodeRun,
    ) -> Result<Map<String, Value>, EngineError> {
        let gives = plan_node.job_contract.as_ref().is_some_and(|contract| !contract.outputs.is_empty());
        if !gives || node.status != NodeStatus::Succeeded {
            return Ok(Map::new());
        }
        match self.ledger.outputs_get(operation, node.ordinal, node.attempt).await? {
            Some(bytes) => serde_json::from_slice(&bytes).map_err(unreadable),
            None => Ok(Map::new()),
        }
    }
}

/// Where an operation's own outputs lie: no node has this number
const OWN: (u32, u32) = (0, 0);

impl Engine {
    /// Keeps what an operation that has ended gives, taken from what its nodes gave
    ///
    /// One that does again what another has left undone gives what that one gave, too: its steps are not run again.
    pub(crate) async fn keep_own_outputs(
        &self,
        operation: &Operation,
        outputs: &BTreeMap<String, String>,
        nodes: &[NodeRun],
    ) -> Result<(), EngineError> {
        if outputs.is_empty() {
            return Ok(());
        }
        let graph = self.graph_of(operation).await?;
        let (id, wanted) = (operation.info.operation_id, output_nodes(outputs, &graph));
        let mut gave = BTreeMap::new();
        for node in nodes.iter().filter(|node| wanted.binary_search(&node.ordinal).is_ok()) {
            let Some(plan_node) = graph.node(node.ordinal) else { continue };
            gave.insert(node.ordinal, self.outputs(id, plan_node, node).await?);
        }
        let mut own = match operation.info.retry_of {
            Some(before) => self.own_outputs(before).await?,
            None => Map::new(),
        };
        for (name, value) in collect_outputs(outputs, &graph, &gave) {
            match (own.get_mut(&name), value) {
                // By element, where a step was multiplied: some of them were done before.
                (Some(Value::Object(known)), Value::Object(more)) => known.extend(more),
                (_, value) => {
                    own.insert(name, value);
                }
            }
        }
        let bytes = serde_json::to_vec(&own).map_err(unreadable)?;
        Ok(self.ledger.outputs_put(id, OWN.0, OWN.1, bytes).await?)
    }

    /// What an operation gave, once all that follows from its end has been done
    pub async fn own_outputs(&self, operation: OperationId) -> Result<Map<String, Value>, EngineError> {
        match self.ledger.outputs_get(operation, OWN.0, OWN.1).await? {
            Some(bytes) => serde_json::from_slice(&bytes).map_err(unreadable),
            None => Ok(Map::new()),
        }
    }
}

fn unreadable(error: serde_json::Error) -> EngineError {
    EngineError::Inconsistent(format!("what a job gave cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_job_gave_is_kept_without_what_may_be_secret() {
        let outputs = json!({
            "version": "1.2.3", "count": 3, "api_token": "abc", "deep": { "password": 1, "ok": ["a@example.org"] },
            "note": "password=hunter2",
        });
        let outputs = outputs.as_object().unwrap().clone();
        let expected = json!({
            "version": "1.2.3", "count": 3, "api_token": REDACTED, "deep": { "password": REDACTED, "ok": ["[email]"] },
            "note": "password=[redacted]",
        });
        assert_eq!(Value::from(clean(&outputs)), expected);
        let log = log(&Done { log: "called\n".to_owned(), outputs, waits: false });
        assert!(log.starts_with("called\n") && log.contains("gave version = \"1.2.3\"\n"), "{log}");
        assert!(!log.contains("hunter2") && !log.contains("abc"), "{log}");
    }
}
