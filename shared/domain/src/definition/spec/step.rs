//! What a step of a template is multiplied by, what its provider must fulfil, and what an input is

use super::{
    Finding,
    template::{InputSpec, NodeSpec, NodeType},
};
use crate::definition::{
    codes::Code,
    expression::{self, Condition, ExpressionError, Reference, Root},
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{borrow::Cow, collections::BTreeMap, fmt, str::FromStr};

/// What a step is multiplied by: `target`, or a list that the template is given, `${inputs.regions}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ForEach {
    /// One for each target of what the intent is about; in a delivery, in the order of its strategy
    Target,
    /// One for each element of this input
    Input(String),
}

impl FromStr for ForEach {
    type Err = ExpressionError;
    fn from_str(text: &str) -> Result<Self, ExpressionError> {
        if text == "target" {
            return Ok(Self::Target);
        }
        let wrong =
            || ExpressionError::Reference(text.chars().take(80).filter(|c| !c.is_control()).collect());
        let inside = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).ok_or_else(wrong)?;
        match expression::reference(inside)? {
            Reference { root: Root::Inputs, path } => match path.as_slice() {
                [name] => Ok(Self::Input(name.clone())),
                _ => Err(wrong()),
            },
            Reference { root: Root::Target | Root::Resource | Root::Each | Root::Outputs, .. } => {
                Err(wrong())
            }
        }
    }
}
impl TryFrom<String> for ForEach {
    type Error = ExpressionError;
    fn try_from(text: String) -> Result<Self, ExpressionError> {
        text.parse()
    }
}
impl From<ForEach> for String {
    fn from(for_each: ForEach) -> Self {
        for_each.to_string()
    }
}
impl fmt::Display for ForEach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target => f.write_str("target"),
            Self::Input(name) => write!(f, "${{inputs.{name}}}"),
        }
    }
}
impl JsonSchema for ForEach {
    fn schema_name() -> Cow<'static, str> {
        "ForEach".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "`target`, or a list that the template is given: `${inputs.regions}`",
        })
    }
}

/// What has to be true of whatever does a step
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Constraints {
    /// Labels of the target that it is done on
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The region of the target's environment
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The adapter: the target's type, the provider's type, or `weir` for what is built in
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// The versions that will do of the agent, or of what is built in: `>=1.2, <2`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

impl Constraints {
    /// Whether anything will do
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// These, of what a step is planned for, and its `own`; what both ask for has to be the same, but versions that are in
    /// both ranges. The error says what contradicts what
    pub fn and(&self, own: &Self) -> Result<Self, String> {
        let mut labels = self.labels.clone();
        for (name, value) in &own.labels {
            let both = same(&format!("labels.{name}"), self.labels.get(name), Some(value))?;
            labels.extend(both.map(|value| (name.clone(), value)));
        }
        let version = match (self.version.as_deref(), own.version.as_deref()) {
            (Some(theirs), Some(own)) if ![theirs, "*"].contains(&own) && theirs != "*" => {
                Some(format!("{theirs}, {own}"))
            }
            (Some("*") | None, version) | (version, _) => version.map(str::to_owned),
        };
        Ok(Self {
            labels,
            region: same("region", self.region.as_ref(), own.region.as_ref())?,
            adapter: same("adapter", self.adapter.as_ref(), own.adapter.as_ref())?,
            version,
        })
    }
}

/// What is asked for by one of the two, or by both
fn same(what: &str, theirs: Option<&String>, own: Option<&String>) -> Result<Option<String>, String> {
    match (theirs, own) {
        (Some(theirs), Some(own)) if theirs != own => {
            Err(format!("`{what}` has to be `{theirs}` by what this is planned for, and `{own}` by itself"))
        }
        (theirs, own) => Ok(own.or(theirs).cloned()),
    }
}

/// What kind of value an input is
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum InputType {
    /// A text
    String,
    /// A whole number
    Integer,
    /// A number
    Number,
    /// True or false
    Boolean,
    /// A list
    List,
    /// Named fields
    Object,
}

impl InputType {
    /// Whether `value` is one
    pub fn fits(self, value: &Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::List => value.is_array(),
            Self::Object => value.is_object(),
        }
    }
}

/// What is wrong with how a step uses what it is given: the field, and why
pub(super) fn misuse(
    node: &NodeSpec,
    inputs: &BTreeMap<String, InputSpec>,
) -> Option<(&'static str, String)> {
    let constraints = serde_json::to_value(&node.constraints).unwrap_or_default();
    let mut named = Vec::new();
    for (field, value) in [("with", &Value::Object(node.with.clone())), ("constraints", &constraints)] {
        match expression::references(value) {
            Ok(found) => named.extend(found.into_iter().map(|reference| (field, reference))),
            Err(error) => return Some((field, error.to_string())),
        }
    }
    let when = node.when.as_deref().map(Condition::read).transpose();
    let when = match &when {
        Ok(condition) => condition.as_ref().map(Condition::references).unwrap_or_default(),
        Err(error) => return Some(("when", error.to_string())),
    };
    let wrong = |reference: &Reference| unknown(reference, node, inputs);
    let in_when = when.into_iter().find_map(wrong).map(|message| ("when", message));
    let in_fields = named.iter().find_map(|(field, reference)| Some((*field, wrong(reference)?)));
    let multiplied = match &node.for_each {
        Some(ForEach::Input(name)) if !inputs.contains_key(name) => Some(("for_each", no_input(name))),
        Some(ForEach::Input(_) | ForEach::Target) | None => None,
    };
    multiplied.or(in_fields).or(in_when)
}

/// Why `reference`, which `node` or the job that it shares says, refers to nothing
pub(in crate::definition) fn unknown(
    reference: &Reference,
    node: &NodeSpec,
    inputs: &BTreeMap<String, InputSpec>,
) -> Option<String> {
    let each = matches!(node.for_each, Some(ForEach::Input(_)));
    match (reference.root, reference.path.first()) {
        (Root::Inputs, Some(name)) if !inputs.contains_key(name) => Some(no_input(name)),
        (Root::Each, _) if !each => Some("`${each}` is for steps that are multiplied by a list".to_owned()),
        (Root::Outputs, _) => {
            Some("`${outputs.…}` is for the job that undoes another one (`compensation`)".to_owned())
        }
        (Root::Inputs | Root::Each | Root::Target | Root::Resource, _) => None,
    }
}

/// What a step says of its limits that nobody keeps: what is not tried again has no attempts, what ends by somebody else
/// has a deadline only, and what is decided at once has none
pub(super) fn unlimited(path: &str, node: &NodeSpec) -> Vec<Finding> {
    let (limits, deadline) = match node.node_type {
        NodeType::Job | NodeType::Verification | NodeType::Change => {
            // What its shared job says holds where it says nothing, and is known where both are.
            let alone = node.deadline_s.filter(|_| node.job.is_none());
            return too_short(path, alone, node.timeout_s).into_iter().collect();
        }
        NodeType::Intervention | NodeType::SubOperation => (true, false),
        NodeType::Gate | NodeType::Evidence => (true, true),
    };
    let said = [
        ("timeout_s", limits && node.timeout_s != super::template::ten_minutes()),
        ("attempts", limits && node.attempts != 1),
        ("backoff", limits && node.backoff != super::Backoff::default()),
        ("deadline_s", deadline && node.deadline_s.is_some()),
    ];
    let finding = |field: &str| Finding {
        path: format!("{path}{field}"),
        code: Code::Contradiction,
        message: format!("`{field}` means nothing at `{}`, whose type is {}", node.id, node.node_type),
        help: Some(match deadline {
            true => "take it away; a gate says itself when it expires".to_owned(),
            false => "take it away, or say in `deadline_s` how long it may wait".to_owned(),
        }),
    };
    said.into_iter().filter(|(_, said)| *said).map(|(field, _)| finding(field)).collect()
}

/// A deadline before the end of the first attempt
pub(in crate::definition) fn too_short(
    path: &str,
    deadline_s: Option<u32>,
    timeout_s: u32,
) -> Option<Finding> {
    let deadline = deadline_s.filter(|deadline| *deadline < timeout_s)?;
    Some(Finding {
        path: format!("{path}deadline_s"),
        code: Code::Contradiction,
        message: format!("the deadline of {deadline} s is over before one attempt of {timeout_s} s"),
        help: Some("let all attempts together have at least the time of one".to_owned()),
    })
}

fn no_input(name: &str) -> String {
    format!("there is no input `{name}` in this template")
}
