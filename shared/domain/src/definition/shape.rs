//! What a kind's JSON Schema asks for, in the form that values are checked against
//!
//! The schema of a kind, which editors and the API show, is also what validation follows: there is no second list of
//! fields that could differ. Only what our own types produce is understood; a test holds that it is all understood.

use super::{
    address::Kind,
    spec::{self, KINDS_KEYWORD, NAME_PATTERN, PATH_PATTERN, PRINCIPAL_PATTERN, Principal, SECRET_KEYWORD},
};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, sync::LazyLock};
use strum::IntoEnumIterator as _;

/// What a value must be
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// Anything: its meaning belongs to an adapter
    Any,
    /// True or false
    Bool,
    /// A whole number in a range, both ends included
    Integer(i64, i64),
    /// A text of a form
    Text(Form),
    /// The name of a secret
    Secret,
    /// A reference to a resource of one of the kinds
    Reference(Vec<Kind>),
    /// One of these texts
    Choice(Vec<String>),
    /// A list of so many
    List(Box<Shape>, usize, usize),
    /// Texts to values of one shape
    Mapping(Box<Shape>),
    /// Named fields
    Object(BTreeMap<String, Field>),
}

/// One field of an object
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// What its value must be
    pub shape: Shape,
    /// Whether it must be there
    pub required: bool,
}

/// The form of a text
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Any text
    Free,
    /// A point in time, RFC 3339
    DateTime,
    /// An `http` or `https` URL
    Url,
    /// A path that begins with `/`
    Path,
    /// A single name
    Name,
    /// `user:<id>` or `group:<name>`
    Principal,
}

impl Form {
    /// Whether `text` has it
    pub fn fits(self, text: &str) -> bool {
        match self {
            Self::Free => true,
            Self::DateTime => text.parse::<jiff::Timestamp>().is_ok(),
            Self::Url => ["http://", "https://"]
                .iter()
                .any(|scheme| text.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty())),
            Self::Path => text.starts_with('/'),
            Self::Name => super::address::are_names(text) && !text.contains('.'),
            Self::Principal => text.parse::<Principal>().is_ok(),
        }
    }

    /// What it asks for, for messages
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Free => "a text",
            Self::DateTime => "a point in time, such as `2026-12-20T00:00:00Z`",
            Self::Url => "a URL that begins with `http://` or `https://`",
            Self::Path => "a path that begins with `/`",
            Self::Name => "a name: lower-case letters, digits, `-` and `_`, beginning with a letter",
            Self::Principal => "`user:<id>` or `group:<name>`",
        }
    }
}

/// The shape of a kind's fields
pub fn of(kind: Kind) -> &'static Shape {
    static SHAPES: LazyLock<BTreeMap<Kind, Shape>> = LazyLock::new(|| {
        Kind::iter().map(|kind| (kind, compile(&spec::entry(kind).schema()).unwrap_or(Shape::Any))).collect()
    });
    SHAPES.get(&kind).unwrap_or(&Shape::Any)
}

/// The shape that `schema` asks for; nothing if it holds something that is not understood here
pub fn compile(schema: &Value) -> Option<Shape> {
    let Value::Object(schema) = schema else { return (schema == &Value::Bool(true)).then_some(Shape::Any) };
    if let Some(one) = schema.get("oneOf").or_else(|| schema.get("anyOf")) {
        return alternatives(one.as_array()?);
    }
    if let Some(values) = schema.get("enum") {
        return texts(values.as_array()?).map(Shape::Choice);
    }
    if let Some(value) = schema.get("const") {
        return Some(Shape::Choice(vec![value.as_str()?.to_owned()]));
    }
    if let Some(kinds) = schema.get(KINDS_KEYWORD) {
        return texts(kinds.as_array()?)?
            .iter()
            .map(|kind| kind.parse().ok())
            .collect::<Option<_>>()
            .map(Shape::Reference);
    }
    if schema.contains_key(SECRET_KEYWORD) {
        return Some(Shape::Secret);
    }
    match type_of(schema)? {
        None => Some(Shape::Any),
        Some("boolean") => Some(Shape::Bool),
        Some("integer") => Some(integer(schema)),
        Some("string") => text(schema).map(Shape::Text),
        Some("array") => {
            let size = |key, default| {
                schema
                    .get(key)
                    .and_then(Value::as_u64)
                    .map_or(default, |n| usize::try_from(n).unwrap_or(usize::MAX))
            };
            let item = compile(schema.get("items")?)?;
            Some(Shape::List(Box::new(item), size("minItems", 0), size("maxItems", usize::MAX)))
        }
        Some("object") => object(schema),
        Some(_) => None,
    }
}

/// The schema's type, `null` aside: a field that may be left out may also be empty
fn type_of(schema: &Map<String, Value>) -> Option<Option<&str>> {
    match schema.get("type") {
        None => Some(None),
        Some(Value::String(name)) => Some(Some(name)),
        Some(Value::Array(names)) => {
            let mut names = names.iter().filter_map(Value::as_str).filter(|name| *name != "null");
            names.next().filter(|_| names.next().is_none()).map(Some)
        }
        Some(_) => None,
    }
}

fn alternatives(schemas: &[Value]) -> Option<Shape> {
    let is_null = |schema: &&Value| schema.get("type").is_some_and(|name| name == "null");
    let mut shapes =
        schemas.iter().filter(|schema| !is_null(schema)).map(compile).collect::<Option<Vec<_>>>()?;
    if shapes.len() == 1 {
        return shapes.pop();
    }
    let mut values = Vec::new();
    for shape in shapes {
        let Shape::Choice(more) = shape else { return None };
        values.extend(more);
    }
    Some(Shape::Choice(values))
}

fn texts(values: &[Value]) -> Option<Vec<String>> {
    values.iter().filter(|value| !value.is_null()).map(|value| value.as_str().map(str::to_owned)).collect()
}

fn integer(schema: &Map<String, Value>) -> Shape {
    let (low, high) = match schema.get("format").and_then(Value::as_str) {
        Some("uint16") => (0, i64::from(u16::MAX)),
        Some("uint32") => (0, i64::from(u32::MAX)),
        _ => (i64::MIN, i64::MAX),
    };
    let bound = |key, default| schema.get(key).and_then(Value::as_i64).unwrap_or(default);
    Shape::Integer(bound("minimum", low), bound("maximum", high))
}

fn text(schema: &Map<String, Value>) -> Option<Form> {
    match (schema.get("format").and_then(Value::as_str), schema.get("pattern").and_then(Value::as_str)) {
        (Some("date-time"), None) => Some(Form::DateTime),
        (Some("uri"), None) => Some(Form::Url),
        // Checked, with a better message, by the kind itself.
        (Some("uuid") | None, None) => Some(Form::Free),
        (None, Some(PATH_PATTERN)) => Some(Form::Path),
        (None, Some(NAME_PATTERN)) => Some(Form::Name),
        (None, Some(PRINCIPAL_PATTERN)) => Some(Form::Principal),
        _ => None,
    }
}

fn object(schema: &Map<String, Value>) -> Option<Shape> {
    let Some(properties) = schema.get("properties") else {
        return compile(schema.get("additionalProperties")?).map(|value| Shape::Mapping(Box::new(value)));
    };
    let required =
        schema.get("required").and_then(Value::as_array).and_then(|names| texts(names)).unwrap_or_default();
    let field = |(name, schema): (&String, &Value)| {
        Some((name.clone(), Field { shape: compile(schema)?, required: required.contains(name) }))
    };
    properties.as_object()?.iter().map(field).collect::<Option<_>>().map(Shape::Object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_is_understood() {
        for kind in Kind::iter() {
            let schema = spec::entry(kind).schema();
            assert!(matches!(compile(&schema), Some(Shape::Object(_))), "{kind}: {schema:#}");
            assert_eq!(schema["additionalProperties"], false, "{kind} takes fields that it does not know");
        }
    }

    #[test]
    fn what_is_not_understood_is_not_let_through() {
        use serde_json::json;
        for schema in [
            json!({"type": "string", "pattern": "^x$"}),
            json!({"type": "number"}),
            json!({"oneOf": [{"type": "string"}, {"type": "boolean"}]}),
        ] {
            assert_eq!(compile(&schema), None, "{schema}");
        }
    }
}
