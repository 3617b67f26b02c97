//! What a template may say instead of a value: `${inputs.region}`, `${target.labels.zone} == 'a'`
//!
//! A text that is one reference becomes what it refers to, with its type; references inside a longer text become
//! texts. `$${` stands for `${`, and so does the one before the name of a secret, `${NAME}` in capitals: that is left to
//! whoever sends it. Everything is known when a plan is made: nothing of this is left for the run, but what
//! a job will have given (`${outputs.id}`), which is for what undoes it and is filled in when that is planned.

mod condition;
#[cfg(test)]
mod tests;

pub use condition::Condition;

use super::spec::SecretRef;
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};
use strum::{EnumString, IntoStaticStr};

/// Most names of one reference
const NAMES_MAX: usize = 8;

/// What a reference begins with
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Root {
    /// What the template was given
    Inputs,
    /// The target that the node is about
    Target,
    /// The resource that the intent is about
    Resource,
    /// The element that the node stands for, of the list that it is multiplied by
    Each,
    /// What the job gave that is to be undone
    Outputs,
}

/// `inputs.region`: where a value is found
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Where it begins
    pub root: Root,
    /// Which field of which field
    pub path: Vec<String>,
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.root.into())?;
        self.path.iter().try_for_each(|name| write!(f, ".{name}"))
    }
}

/// Why a text cannot be read or filled in
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// A reference that is not closed, or whose names are malformed
    #[error(
        "`{0}` is no reference: write `${{inputs.<name>}}`, `${{target.<field>}}`, `${{resource.<field>}}` or `${{each}}`, \
         and a secret as `${{NAME}}`, in capitals"
    )]
    Reference(String),
    /// A reference to what is not there
    #[error("`{0}` refers to nothing that is known here")]
    Unknown(String),
    /// A reference to a list or an object within a text
    #[error("`{0}` is a list or an object and cannot stand within a text")]
    NotText(String),
    /// A condition that cannot be read
    #[error("the condition cannot be read at `{0}`: {1}")]
    Condition(String, &'static str),
}

/// What references refer to, by root; shared, since each node of a plan has its own
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    known: BTreeMap<Root, Arc<Value>>,
    /// What is known later only: references to it are left as they are
    later: Option<Root>,
}

impl Facts {
    /// The same facts, with `value` as what `root` refers to
    #[must_use]
    pub fn with(mut self, root: Root, value: Value) -> Self {
        self.known.insert(root, Arc::new(value));
        self
    }

    /// The same facts, where references to `root` are left to be filled in later
    #[must_use]
    pub fn later(self, root: Root) -> Self {
        Self { later: Some(root), ..self }
    }

    /// What `reference` refers to
    pub fn get(&self, reference: &Reference) -> Result<&Value, ExpressionError> {
        let root = self.known.get(&reference.root).map(Arc::as_ref);
        let found = root.and_then(|root| reference.path.iter().try_fold(root, |value, name| value.get(name)));
        found.ok_or_else(|| ExpressionError::Unknown(format!("${{{reference}}}")))
    }
}

/// One piece of a text
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Reference(Reference),
}

/// `text` in pieces
fn pieces(text: &str) -> Result<Vec<Piece>, ExpressionError> {
    let (mut found, mut plain, mut rest) = (Vec::new(), String::new(), text);
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at);
        if let Some(before) = before.strip_suffix('$') {
            plain.push_str(before);
            plain.push_str("${");
            rest = from.get(2..).unwrap_or_default();
            continue;
        }
        plain.push_str(before);
        let end = from.find('}').ok_or_else(|| ExpressionError::Reference(clip(from)))?;
        let (inside, after) = (from.get(2..end).unwrap_or_default(), from.get(end + 1..).unwrap_or_default());
        if let Some(secret) = from.get(..=end).filter(|it| it.parse::<SecretRef>().is_ok()) {
            plain.push_str(secret);
            rest = after;
            continue;
        }
        if !plain.is_empty() {
            found.push(Piece::Text(std::mem::take(&mut plain)));
        }
        found.push(Piece::Reference(reference(inside)?));
        rest = after;
    }
    plain.push_str(rest);
    if !plain.is_empty() || found.is_empty() {
        found.push(Piece::Text(plain));
    }
    Ok(found)
}

/// The reference that stands between `${` and `}`
pub(in crate::definition) fn reference(text: &str) -> Result<Reference, ExpressionError> {
    let wrong = || ExpressionError::Reference(format!("${{{}}}", clip(text)));
    let mut names = text.trim().split('.');
    let root = names.next().and_then(|root| root.parse().ok()).ok_or_else(wrong)?;
    let path: Vec<String> = names.map(str::to_owned).collect();
    let is_name = |name: &String| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'/'))
    };
    let deep_enough = root == Root::Each || !path.is_empty() || root == Root::Target;
    if path.iter().all(is_name) && path.len() <= NAMES_MAX && deep_enough {
        Ok(Reference { root, path })
    } else {
        Err(wrong())
    }
}

/// Every reference in `value`, wherever it stands
pub fn references(value: &Value) -> Result<Vec<Reference>, ExpressionError> {
    let mut found = Vec::new();
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            Value::String(text) => found.extend(pieces(text)?.into_iter().filter_map(|piece| match piece {
                Piece::Reference(reference) => Some(reference),
                Piece::Text(_) => None,
            })),
            Value::Array(items) => open.extend(items),
            Value::Object(fields) => open.extend(fields.values()),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    Ok(found)
}

/// `value` with every reference replaced by what it refers to; names of fields stay as they are
pub fn fill(value: &Value, facts: &Facts) -> Result<Value, ExpressionError> {
    Ok(match value {
        Value::String(text) => fill_text(text, facts)?,
        Value::Array(items) => items.iter().map(|item| fill(item, facts)).collect::<Result<_, _>>()?,
        Value::Object(fields) => Value::Object(fill_fields(fields, facts)?),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    })
}

/// As [`fill`], for the fields of an object
pub fn fill_fields(
    fields: &Map<String, Value>,
    facts: &Facts,
) -> Result<Map<String, Value>, ExpressionError> {
    fields.iter().map(|(name, value)| Ok((name.clone(), fill(value, facts)?))).collect()
}

fn fill_text(text: &str, facts: &Facts) -> Result<Value, ExpressionError> {
    let pieces = pieces(text)?;
    let is_later = |reference: &Reference| facts.later == Some(reference.root);
    if let [Piece::Reference(only)] = pieces.as_slice()
        && !is_later(only)
    {
        return facts.get(only).map(whole);
    }
    let mut filled = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => filled.push_str(&text),
            Piece::Reference(reference) if is_later(&reference) => {
                filled.push_str(&format!("${{{reference}}}"));
            }
            Piece::Reference(reference) => {
                let value = whole(facts.get(&reference)?);
                match value {
                    Value::String(text) => filled.push_str(&text),
                    Value::Bool(_) | Value::Number(_) => filled.push_str(&value.to_string()),
                    Value::Null | Value::Array(_) | Value::Object(_) => {
                        return Err(ExpressionError::NotText(format!("${{{reference}}}")));
                    }
                }
            }
        }
    }
    Ok(Value::String(filled))
}

/// `value` with the outputs that were left for later; whatever else looks like a reference is no longer one
///
/// What stands beside them was filled in when the plan was made, and may hold any text that somebody gave.
pub fn fill_outputs(value: &Value, outputs: &Map<String, Value>) -> Result<Value, ExpressionError> {
    Ok(match value {
        Value::String(text) => fill_outputs_text(text, outputs)?,
        Value::Array(items) => {
            items.iter().map(|item| fill_outputs(item, outputs)).collect::<Result<_, _>>()?
        }
        Value::Object(fields) => {
            let filled = fields.iter().map(|(name, value)| Ok((name.clone(), fill_outputs(value, outputs)?)));
            Value::Object(filled.collect::<Result<_, ExpressionError>>()?)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    })
}

/// How a reference to an output begins
const OUTPUTS: &str = "${outputs.";

/// The names of the outputs that `value` refers to
pub fn outputs_named(value: &Value) -> BTreeSet<String> {
    let text = value.to_string();
    let named = text.split(OUTPUTS).skip(1).filter_map(|rest| rest.split_once('}'));
    named.filter_map(|(path, _)| path.split('.').next()).map(str::to_owned).collect()
}

fn fill_outputs_text(text: &str, outputs: &Map<String, Value>) -> Result<Value, ExpressionError> {
    let facts = Facts::default().with(Root::Outputs, Value::Object(outputs.clone()));
    let (mut filled, mut rest) = (String::new(), text);
    while let Some((before, from)) = rest.split_once(OUTPUTS) {
        let Some((path, after)) = from.split_once('}') else { break };
        let one = fill_text(&format!("{OUTPUTS}{path}}}"), &facts)?;
        if before.is_empty() && after.is_empty() && filled.is_empty() {
            return Ok(one);
        }
        filled.push_str(before);
        match one {
            Value::String(text) => filled.push_str(&text),
            Value::Bool(_) | Value::Number(_) => filled.push_str(&one.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => {
                return Err(ExpressionError::NotText(format!("{OUTPUTS}{path}}}")));
            }
        }
        rest = after;
    }
    filled.push_str(rest);
    Ok(Value::String(filled))
}

/// What a reference stands for by itself: a target or a resource stands for its address
fn whole(value: &Value) -> Value {
    value.get("address").filter(|address| address.is_string()).unwrap_or(value).clone()
}

fn clip(text: &str) -> String {
    text.chars().take(80).filter(|c| !c.is_control()).collect()
}
