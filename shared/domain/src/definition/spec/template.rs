//! `template`: the graph that a recipe follows

use super::{
    Constraints, Finding, ForEach, FreeForm, GateConfig, InputType, Job, Ownership, PackRef, Ref, Spec,
    Weight,
    step::{misuse, unlimited},
};
use crate::definition::{address::Kind, codes::Code};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Most nodes that a template can hold: a planner multiplies them by targets, up to 10,000 in a plan
pub const MAX_NODES: usize = 1_000;

/// The graph that a recipe follows (requirements 000 and 004: plan template, workflow template)
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// Its version: plans record which one they were made from
    #[schemars(range(min = 1))]
    pub version: u32,
    /// What it must be given
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, InputSpec>,
    /// Its steps; the edges are their `depends_on`
    #[schemars(length(min = 1))]
    pub nodes: Vec<NodeSpec>,
    /// What it gives: name → `<node>.<output>`
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, String>,
    /// What a person may change in a plan made from it, as `<node>.<field>`
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub editable_points: Vec<String>,
    /// The pack that it comes from, if others have written it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pack: Option<PackRef>,
}

/// What a template must be given
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InputSpec {
    /// What it is
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What kind of value it is; anything when left out
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub input_type: Option<InputType>,
    /// Whether a plan cannot do without
    #[serde(default)]
    pub required: bool,
    /// What it is when not given
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<serde_json::Value>,
}

/// One step of a template
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeSpec {
    /// Its name, unique in the template
    #[schemars(extend("pattern" = super::NAME_PATTERN))]
    pub id: String,
    /// What kind of step it is
    #[serde(rename = "type")]
    pub node_type: NodeType,
    /// As people read it; its name when left out
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The capability that it needs, such as `deploy.host`; that of its `job` when left out
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capability: Option<String>,
    /// The shared job that it does
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<Ref<Job>>,
    /// What it waits for, if it is a gate
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateConfig>,
    /// What it is given; may refer to what is known when it is planned, such as `${inputs.region}`, and name secrets as
    /// `${NAME}` where what does it is told them: in `headers`, `body` and `sign_with` of `http.call`, in `headers` of
    /// `verify.metric`
    #[serde(default, skip_serializing_if = "FreeForm::is_empty")]
    pub with: FreeForm,
    /// The condition under which it is part of a plan, such as `${inputs.mode} == 'full'`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Whether there is one for each of something
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_each: Option<ForEach>,
    /// What has to be true of whatever does it
    #[serde(default, skip_serializing_if = "Constraints::is_empty")]
    pub constraints: Constraints,
    /// The steps that must have succeeded before; of two steps for each of the same, that of the same element
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub depends_on: Vec<String>,
    /// What its failure means
    #[serde(default)]
    pub on_failure: NodeFailure,
    /// The job that undoes it, where the operation takes back what it did; that of its `job` when left out
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compensation: Option<Ref<Job>>,
    /// Seconds that one attempt may take
    #[serde(default = "ten_minutes")]
    #[schemars(range(min = 1, max = 86400))]
    pub timeout_s: u32,
    /// How often it is tried
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 100))]
    pub attempts: u32,
    /// How long it waits between two attempts
    #[serde(default)]
    pub backoff: Backoff,
    /// Seconds from when it is handed out first after which it has failed, however many attempts are left: 360 days at most
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 31_104_000))]
    pub deadline_s: Option<u32>,
}

/// What kind of step a node is
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::Display,
    strum::EnumIter,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum NodeType {
    /// Work that an adapter or an agent does
    Job,
    /// A condition that is waited for
    Gate,
    /// A check that something is as it should be
    Verification,
    /// A manual act; always followed by a verification
    Intervention,
    /// Another operation
    SubOperation,
    /// A part of the definition that becomes true
    Change,
    /// A statement that is written and signed
    Evidence,
}

/// What a step's failure means
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeFailure {
    /// What depends on it is skipped, and the operation fails
    #[default]
    Fail,
    /// It is recorded, and what depends on it goes on
    Continue,
    /// It waits for a person, who has it tried again, skips it or does it; a verification follows it
    Pause,
    /// As `fail`; then what the operation did is undone by another one
    Rollback,
}

/// How long is waited between two attempts
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Backoff {
    /// Seconds before the second attempt
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 3600))]
    pub initial_s: u32,
    /// By how much each wait is longer than the one before
    #[serde(default = "two")]
    #[schemars(range(min = 1, max = 10))]
    pub factor: u32,
    /// Longest wait in seconds
    #[serde(default = "one_minute")]
    #[schemars(range(min = 1, max = 3600))]
    pub max_s: u32,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { initial_s: one(), factor: two(), max_s: one_minute() }
    }
}

const fn one() -> u32 {
    1
}
const fn two() -> u32 {
    2
}
const fn one_minute() -> u32 {
    60
}
pub(super) const fn ten_minutes() -> u32 {
    600
}

impl Spec for Template {
    const KIND: Kind = Kind::Template;
    const OWNERSHIP: Ownership = Ownership::Either;
    const PROVIDER: &'static str = "weir.planner";

    fn findings(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        if self.nodes.len() > MAX_NODES {
            found.push(finding(
                "nodes",
                Code::TooMany,
                format!("{} nodes; at most {MAX_NODES} fit", self.nodes.len()),
                None,
            ));
        }
        let mut names: BTreeMap<&str, usize> = BTreeMap::new();
        for (i, node) in self.nodes.iter().enumerate() {
            if names.insert(&node.id, i).is_some() {
                found.push(finding(
                    &format!("nodes.{i}.id"),
                    Code::NodeTwice,
                    format!("there are two nodes `{}`", node.id),
                    None,
                ));
            }
        }
        self.check_references(&names, &mut found);
        self.check_gates(&mut found);
        found.extend(
            self.nodes.iter().enumerate().flat_map(|(i, node)| unlimited(&format!("nodes.{i}."), node)),
        );
        self.check_compensations(&mut found);
        if let Some((first, cycle)) = self.cycle(&names) {
            found.push(finding(
                &format!("nodes.{first}.depends_on"),
                Code::NodeCycle,
                format!("these nodes wait for each other: {}", cycle.join(" → ")),
                Some("take one of these dependencies away".to_owned()),
            ));
        }
        found
    }

    fn weigh_update(before: &Self, after: &Self) -> Weight {
        let kept: BTreeSet<_> = after.nodes.iter().map(|node| &node.id).collect();
        let guards = |node: &&NodeSpec| {
            matches!(node.node_type, NodeType::Gate | NodeType::Verification | NodeType::Evidence)
        };
        match before.nodes.iter().filter(guards).find(|node| !kept.contains(&node.id)) {
            Some(node) => {
                Weight::narrowing(format!("plans no longer hold the {} `{}`", node.node_type, node.id))
            }
            None if gates(before).any(|(id, gate)| !gates(after).any(|it| it == (id, gate))) => {
                Weight::narrowing("a gate asks for something else")
            }
            None => Weight::reversible(),
        }
    }

    fn weigh_delete(_: &Self) -> Weight {
        Weight::narrowing("nothing can be planned from it any more")
    }
}

impl Template {
    /// Dependencies, outputs, editable points and interventions: each must name something that is there
    fn check_references(&self, names: &BTreeMap<&str, usize>, found: &mut Vec<Finding>) {
        let missing = |path: String, name: &str| {
            let near = crate::definition::nearest::nearest(name, names.keys().copied());
            let help = near.map(|near| format!("did you mean `{near}`?"));
            finding(&path, Code::NodeMissing, format!("there is no node `{name}` in this template"), help)
        };
        let node_of = |path: &str| path.split('.').next().unwrap_or_default().to_owned();
        for (i, node) in self.nodes.iter().enumerate() {
            for (j, need) in node.depends_on.iter().enumerate() {
                if !names.contains_key(need.as_str()) {
                    found.push(missing(format!("nodes.{i}.depends_on.{j}"), need));
                }
            }
            if let Some((field, message)) = misuse(node, &self.inputs) {
                found.push(finding(&format!("nodes.{i}.{field}"), Code::ExpressionWrong, message, None));
            }
            let by_hand = node.node_type == NodeType::Intervention || node.on_failure == NodeFailure::Pause;
            if by_hand && !self.is_verified(&node.id) {
                let message = format!("no verification follows `{}`, which a person may do", node.id);
                let help = Some("add a node of type `verification` that depends on it".to_owned());
                found.push(finding(&format!("nodes.{i}"), Code::InterventionUnverified, message, help));
            }
        }
        for (name, from) in &self.outputs {
            if !names.contains_key(node_of(from).as_str()) {
                found.push(missing(format!("outputs.{name}"), &node_of(from)));
            }
        }
        for (i, point) in self.editable_points.iter().enumerate() {
            if !names.contains_key(node_of(point).as_str()) {
                found.push(missing(format!("editable_points.{i}"), &node_of(point)));
            }
        }
    }

    /// A gate says what it waits for, and nothing else does
    fn check_gates(&self, found: &mut Vec<Finding>) {
        for (i, node) in self.nodes.iter().enumerate() {
            match (&node.gate, node.node_type == NodeType::Gate) {
                (Some(gate), true) => found.extend(gate.findings(&format!("nodes.{i}.gate"))),
                (None, true) => {
                    let message = format!("the gate `{}` does not say what it waits for", node.id);
                    let help = Some(
                        "say it in `gate`, such as `gate: {approval: {required_approvals: 1}}`".to_owned(),
                    );
                    found.push(finding(&format!("nodes.{i}"), Code::MissingField, message, help));
                }
                (Some(_), false) => {
                    let message = format!("`{}` is a {} and waits at no gate", node.id, node.node_type);
                    let help = Some(
                        "make it `type: gate`, or a node of its own that this one depends on".to_owned(),
                    );
                    found.push(finding(&format!("nodes.{i}.gate"), Code::Contradiction, message, help));
                }
                (None, false) => {}
            }
        }
    }

    /// Only what was done can be undone
    fn check_compensations(&self, found: &mut Vec<Finding>) {
        for (i, node) in self.nodes.iter().enumerate() {
            if node.compensation.is_some() && node.node_type != NodeType::Job {
                let message = format!("`{}` is a {}, and only a job is undone", node.id, node.node_type);
                let help = Some("say it at the job that it is about".to_owned());
                found.push(finding(&format!("nodes.{i}.compensation"), Code::Contradiction, message, help));
            }
        }
    }

    fn is_verified(&self, id: &str) -> bool {
        self.nodes
            .iter()
            .any(|n| n.node_type == NodeType::Verification && n.depends_on.iter().any(|need| need == id))
    }

    /// The first cycle, as the names on it, and the node that it was met at
    fn cycle(&self, names: &BTreeMap<&str, usize>) -> Option<(usize, Vec<String>)> {
        let needs: Vec<Vec<usize>> = self
            .nodes
            .iter()
            .map(|node| node.depends_on.iter().filter_map(|need| names.get(need.as_str()).copied()).collect())
            .collect();
        let cycle = crate::definition::cycle::find(&needs)?;
        let name = |i: &usize| self.nodes.get(*i).map(|node| node.id.clone());
        Some((*cycle.first()?, cycle.iter().chain(cycle.first()).filter_map(name).collect()))
    }
}

fn gates(template: &Template) -> impl Iterator<Item = (&String, &GateConfig)> {
    template.nodes.iter().filter_map(|node| Some((&node.id, node.gate.as_ref()?)))
}

fn finding(path: &str, code: Code, message: String, help: Option<String>) -> Finding {
    Finding { path: path.to_owned(), code, message, help }
}
