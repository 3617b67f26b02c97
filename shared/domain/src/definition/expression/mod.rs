//! What a template may say instead of a value: `${inputs.region}`, `${target.labels.zone} == 'a'`
//!
//! A text that is one reference becomes what it refers to, with its type; references inside a longer text become
//! texts. `$${` stands for `${`, and so does the one before the name of a secret, `${NAME}` in capitals: that is left to
//! whoever sends it, and what is put in beside it is marked as text (`definition/marks.rs`). Everything is known when a
//! plan is made: nothing of this is left for the run, but what a job will have given (`${outputs.id}`), which is for
//! what undoes it and is filled in when that is planned.

mod condition;
#[cfg(test)]
mod tests;

pub use condition::Condition;

use super::marks::{self, Part};
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
    /// Whether names are left in what is filled in, and told from what is put in
    marks: bool,
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
        Self { later: Some(root), marks: true, ..self }
    }

    /// The same facts, for a text whose secrets are filled in later: what is put in is marked as nothing but text
    #[must_use]
    pub fn beside_secrets(self) -> Self {
        Self { marks: true, ..self }
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
    /// The name of one
    Secret(String),
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
        if !plain.is_empty() {
            found.push(Piece::Text(std::mem::take(&mut plain)));
        }
        found.push(match marks::is_secret(inside) {
            true => Piece::Secret(inside.to_owned()),
            false => Piece::Reference(reference(inside)?),
        });
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
                Piece::Text(_) | Piece::Secret(_) => None,
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
        let value = whole(facts.get(only)?);
        return Ok(if facts.marks { marks::literal(&value) } else { value });
    }
    let part = |piece| match piece {
        Piece::Text(text) => Ok(Part::Text(text)),
        Piece::Secret(name) => Ok(Part::Name(name)),
        Piece::Reference(reference) if is_later(&reference) => Ok(Part::Name(reference.to_string())),
        Piece::Reference(reference) => within_text(&reference, facts).map(Part::Text),
    };
    let parts = pieces.into_iter().map(part).collect::<Result<Vec<_>, _>>()?;
    let plain = |part| match part {
        Part::Text(text) => text,
        Part::Name(name) => format!("${{{name}}}"),
    };
    Ok(Value::String(match facts.marks {
        true => marks::written(&parts),
        false => parts.into_iter().map(plain).collect(),
    }))
}

/// What `reference` stands for within a text
fn within_text(reference: &Reference, facts: &Facts) -> Result<String, ExpressionError> {
    let value = whole(facts.get(reference)?);
    match value {
        Value::String(text) => Ok(text),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            Err(ExpressionError::NotText(format!("${{{reference}}}")))
        }
    }
}

/// `value` with the outputs that were left for later; whatever else looks like a reference is no longer one
///
/// What stands beside them was filled in when the plan was made, and may hold any text that somebody gave: that is
/// marked as text, and so is what the outputs hold.
pub fn fill_outputs(value: &Value, outputs: &Map<String, Value>) -> Result<Value, ExpressionError> {
    fill_left(value, &Facts::default().with(Root::Outputs, Value::Object(outputs.clone())))
}

fn fill_left(value: &Value, outputs: &Facts) -> Result<Value, ExpressionError> {
    Ok(match value {
        Value::String(text) => fill_outputs_text(text, outputs)?,
        Value::Array(items) => items.iter().map(|item| fill_left(item, outputs)).collect::<Result<_, _>>()?,
        Value::Object(fields) => {
            let filled = fields.iter().map(|(name, value)| Ok((name.clone(), fill_left(value, outputs)?)));
            Value::Object(filled.collect::<Result<_, ExpressionError>>()?)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    })
}

/// How the name of an output begins
const OUTPUTS: &str = "outputs.";

/// The names of the outputs that are left to be filled in in `value`
pub fn outputs_named(value: &Value) -> BTreeSet<String> {
    let (mut found, mut open) = (BTreeSet::new(), vec![value]);
    while let Some(value) = open.pop() {
        match value {
            Value::String(text) => {
                let parts = marks::read(text, |name| name.starts_with(OUTPUTS));
                let names = parts.iter().filter_map(|part| match part {
                    Part::Name(name) => name.split('.').nth(1),
                    Part::Text(_) => None,
                });
                found.extend(names.map(str::to_owned));
            }
            Value::Array(items) => open.extend(items),
            Value::Object(fields) => open.extend(fields.values()),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    found
}

fn fill_outputs_text(text: &str, outputs: &Facts) -> Result<Value, ExpressionError> {
    let parts = marks::read(text, |name| name.starts_with(OUTPUTS) || marks::is_secret(name));
    if let [Part::Name(only)] = parts.as_slice()
        && only.starts_with(OUTPUTS)
    {
        return Ok(marks::literal(&whole(outputs.get(&reference(only)?)?)));
    }
    let part = |part| match part {
        Part::Name(name) if name.starts_with(OUTPUTS) => {
            within_text(&reference(&name)?, outputs).map(Part::Text)
        }
        Part::Name(_) | Part::Text(_) => Ok(part),
    };
    let parts = parts.into_iter().map(part).collect::<Result<Vec<_>, ExpressionError>>()?;
    Ok(Value::String(marks::written(&parts)))
}

/// What a reference stands for by itself: a target or a resource stands for its address
fn whole(value: &Value) -> Value {
    value.get("address").filter(|address| address.is_string()).unwrap_or(value).clone()
}

fn clip(text: &str) -> String {
    text.chars().take(80).filter(|c| !c.is_control()).collect()
}
