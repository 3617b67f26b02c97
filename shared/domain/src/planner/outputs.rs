//! What an operation gives: the outputs of its template, taken from those of its nodes

use super::PlanError;
use crate::plan::{Graph, PlanNode};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Where one output comes from: `<node>.<output>`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Taken<'a> {
    node: &'a str,
    output: &'a str,
}

/// A node of the plan that an output is taken from
#[derive(Debug, Clone, PartialEq)]
struct Source<'a> {
    ordinal: u32,
    node: &'a PlanNode,
    /// The element that the node stands for, where its step was multiplied
    element: Option<&'a str>,
}

impl<'a> Taken<'a> {
    fn read(from: &'a str) -> Option<Self> {
        from.split_once('.').map(|(node, output)| Self { node, output })
    }

    /// The nodes that the step has become: `look`, or `look.<element>` for each
    fn sources<'b>(self, graph: &'b Graph) -> impl Iterator<Item = Source<'b>> + use<'a, 'b> {
        graph.living().filter_map(move |(ordinal, node)| {
            let rest = node.node_id.as_str().strip_prefix(self.node)?;
            let element = match rest {
                "" => None,
                _ => Some(rest.strip_prefix('.')?),
            };
            Some(Source { ordinal, node, element })
        })
    }
}

/// The nodes whose outputs `outputs` are taken from
pub fn output_nodes(outputs: &BTreeMap<String, String>, graph: &Graph) -> Vec<u32> {
    let mut found: Vec<u32> = outputs
        .values()
        .filter_map(|from| Taken::read(from))
        .flat_map(|from| from.sources(graph).map(|source| source.ordinal).collect::<Vec<_>>())
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// `outputs` of what each node gave: the value itself, or for a step that was multiplied the value by element
///
/// What was not given, since its node was left out, failed or was skipped, is left out.
pub fn collect_outputs(
    outputs: &BTreeMap<String, String>,
    graph: &Graph,
    gave: &BTreeMap<u32, Map<String, Value>>,
) -> Map<String, Value> {
    let mut collected = Map::new();
    for (name, from) in outputs {
        let Some(from) = Taken::read(from) else { continue };
        for source in from.sources(graph) {
            let Some(value) = gave.get(&source.ordinal).and_then(|gave| gave.get(from.output)) else {
                continue;
            };
            match source.element {
                None => {
                    collected.insert(name.clone(), value.clone());
                }
                Some(element) => {
                    let all = collected.entry(name.clone()).or_insert_with(|| Value::Object(Map::new()));
                    if let Value::Object(all) = all {
                        all.insert(element.to_owned(), value.clone());
                    }
                }
            }
        }
    }
    collected
}

/// Checks that each output is one that its node keeps; of a node that its condition leaves out nothing is expected
pub(super) fn check_outputs(outputs: &BTreeMap<String, String>, graph: &Graph) -> Result<(), PlanError> {
    for (name, from) in outputs {
        let wrong = |node: &str, problem: String| PlanError::Node { node: node.to_owned(), problem };
        let Some(read) = Taken::read(from) else {
            return Err(wrong(from, format!("is taken for `{name}` without saying which of its outputs")));
        };
        let mut sources = read.sources(graph).peekable();
        let keeps = |source: Source<'_>| {
            source.node.job_contract.as_ref().is_some_and(|it| it.outputs.iter().any(|it| it == read.output))
        };
        if sources.peek().is_some() && !sources.any(keeps) {
            let problem = format!("does not keep `{}`, from which the template takes `{name}`", read.output);
            return Err(wrong(read.node, problem));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Executor, JobContract, NodeType};
    use serde_json::json;

    fn graph() -> Graph {
        let node = |name: &str| {
            let mut node = PlanNode::new(name.parse().unwrap(), NodeType::Verification, name, Executor::Job);
            let contract =
                json!({ "capability": "http.call", "timeout_s": 9, "attempts": 1, "outputs": ["v"] });
            node.job_contract = serde_json::from_value::<JobContract>(contract).ok();
            node
        };
        Graph::new(["look.a", "look.b", "lookup", "one"].map(node).into()).unwrap()
    }

    fn outputs(from: &[(&str, &str)]) -> BTreeMap<String, String> {
        from.iter().map(|(name, from)| ((*name).to_owned(), (*from).to_owned())).collect()
    }

    #[test]
    fn an_output_is_a_value_or_one_for_each_element() {
        let wanted = outputs(&[("all", "look.v"), ("one", "one.v"), ("gone", "left_out.v")]);
        let gave = |value: Value| value.as_object().unwrap().clone();
        let given = BTreeMap::from([
            (1, gave(json!({ "v": 1 }))),
            (3, gave(json!({ "v": 3 }))),
            (4, gave(json!({ "v": [4] }))),
        ]);
        let collected = collect_outputs(&wanted, &graph(), &given);
        assert_eq!(Value::Object(collected), json!({ "all": { "a": 1 }, "one": [4] }), "b gave nothing");
        assert_eq!(output_nodes(&wanted, &graph()), [1, 2, 4], "`lookup` is another node");
    }

    #[test]
    fn an_output_that_no_node_keeps_is_refused() {
        assert_eq!(check_outputs(&outputs(&[("x", "look.v"), ("gone", "left_out.v")]), &graph()), Ok(()));
        for (from, expected) in [
            ("look.w", "node `look` of the template does not keep `w`, from which the template takes `x`"),
            ("look", "node `look` of the template is taken for `x` without saying which of its outputs"),
        ] {
            assert_eq!(check_outputs(&outputs(&[("x", from)]), &graph()).unwrap_err().to_string(), expected);
        }
    }
}
