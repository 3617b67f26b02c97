//! Checking a resource's fields against its kind's shape
//!
//! Gives the normalised spec (typed addresses, nothing empty) and reports everything that is wrong with it, each with its place.

use super::{
    codes::Code,
    diagnostic::{Diagnostic, Diagnostics},
    nearest::nearest,
    resolve::Names,
    shape::{Field, Form, Shape},
    spec::SecretRef,
    yaml::{Mark, Node, Yaml},
};
use crate::definition::address::Address;
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The check of one resource
pub struct Check<'a> {
    /// The file that it stands in
    pub file: &'a Arc<str>,
    /// The resources that it may refer to
    pub names: &'a Names,
    /// Where what is wrong goes
    pub diagnostics: &'a mut Diagnostics,
    /// What it refers to, as far as that exists, with the place of the first such reference
    pub references: BTreeMap<Address, Mark>,
}

impl Check<'_> {
    /// `node` as its normalised value; `None` where something is wrong or nothing is said
    pub fn value(&mut self, node: &Node, shape: &Shape) -> Option<Value> {
        match (shape, &node.value) {
            // A field that says nothing is a field left out.
            (_, Yaml::Null) => None,
            (Shape::Any, _) => Some(self.free("", node)),
            (Shape::Bool, Yaml::Bool(value)) => Some(Value::Bool(*value)),
            (Shape::Integer(low, high), Yaml::Int(value)) => self.integer(node.mark, *value, *low, *high),
            (Shape::Text(form), Yaml::Text(text)) => self.text(node.mark, text, *form),
            (Shape::Secret, Yaml::Text(text)) => self.secret(node.mark, text),
            (Shape::Reference(kinds), Yaml::Text(text)) => {
                let found =
                    self.names.resolve(text, kinds, &node.mark.in_file(self.file), self.diagnostics)?;
                self.references.entry(found.clone()).or_insert(node.mark);
                Some(Value::String(found.into()))
            }
            (Shape::Choice(values), Yaml::Text(text)) => self.choice(node.mark, text, values),
            (Shape::List(item, least, most), Yaml::List(items)) => {
                self.list(node.mark, items, item, (*least, *most))
            }
            (Shape::Mapping(value), Yaml::Map(entries)) => {
                let mut map = Map::new();
                for (key, node) in entries {
                    if secret_like(&key.text) && !matches!(**value, Shape::Secret | Shape::Any) {
                        self.refuse_literal(&key.text, node);
                    }
                    let value = if **value == Shape::Any {
                        Some(self.free(&key.text, node))
                    } else {
                        self.value(node, value)
                    };
                    map.extend(value.map(|value| (key.text.clone(), value)));
                }
                Some(Value::Object(map))
            }
            (Shape::Object(fields), Yaml::Map(_)) => {
                Some(Value::Object(self.object(node, fields, node.mark, &[])))
            }
            (Shape::Secret, _) => self.secret(node.mark, ""),
            (expected, found) => self.wrong_type(node.mark, expected, found),
        }
    }

    /// The fields of `node`: what is missing is reported at `mark`; those of `besides` are somebody else's to read
    pub fn object(
        &mut self,
        node: &Node,
        fields: &BTreeMap<String, Field>,
        mark: Mark,
        besides: &[&str],
    ) -> Map<String, Value> {
        let mut map = Map::new();
        let Yaml::Map(entries) = &node.value else { return map };
        let mut said = BTreeSet::new();
        for (key, value) in entries {
            match fields.get(&key.text) {
                _ if besides.contains(&key.text.as_str()) => {}
                Some(field) => {
                    if !matches!(value.value, Yaml::Null) {
                        said.insert(&key.text);
                    }
                    map.extend(self.value(value, &field.shape).map(|value| (key.text.clone(), value)));
                }
                None => {
                    let known = fields.keys().map(String::as_str).chain(besides.iter().copied());
                    let near = nearest(&key.text, known.clone());
                    let help = near.map_or_else(
                        || format!("the fields are {}", list(known)),
                        |near| format!("did you mean `{near}`?"),
                    );
                    self.error(
                        Code::UnknownField,
                        key.mark,
                        format!("there is no field `{}` here", clip(&key.text)),
                        Some(help),
                    );
                }
            }
        }
        for (name, _) in fields.iter().filter(|(name, field)| field.required && !said.contains(name)) {
            self.error(Code::MissingField, mark, format!("`{name}` is missing"), None);
        }
        map
    }

    /// A value whose meaning belongs to an adapter: kept as it is, but for secrets
    fn free(&mut self, key: &str, node: &Node) -> Value {
        match &node.value {
            Yaml::Null => Value::Null,
            Yaml::Bool(value) => Value::Bool(*value),
            Yaml::Int(value) => Value::from(*value),
            Yaml::Float(value) => Value::from(*value),
            Yaml::Text(text) => {
                if text.parse::<SecretRef>().is_err() {
                    if secret_like(key) {
                        self.refuse_literal(key, node);
                    }
                    self.refuse_credential(node.mark, text);
                }
                Value::String(text.clone())
            }
            Yaml::List(items) => items.iter().map(|item| self.free(key, item)).collect(),
            Yaml::Map(entries) => Value::Object(
                entries.iter().map(|(key, node)| (key.text.clone(), self.free(&key.text, node))).collect(),
            ),
        }
    }

    fn integer(&mut self, mark: Mark, value: i64, low: i64, high: i64) -> Option<Value> {
        if (low..=high).contains(&value) {
            return Some(Value::from(value));
        }
        self.error(Code::OutOfRange, mark, format!("{value} is not between {low} and {high}"), None);
        None
    }

    fn text(&mut self, mark: Mark, text: &str, form: Form) -> Option<Value> {
        if text.parse::<SecretRef>().is_ok() {
            let help = "secrets are filled in only where a field holds the name of one".to_owned();
            self.error(Code::SecretMisplaced, mark, "no secret is read here", Some(help));
            return None;
        }
        self.refuse_credential(mark, text);
        if !form.fits(text) {
            self.error(Code::Format, mark, format!("expected {}", form.noun()), None);
            return None;
        }
        Some(Value::String(text.to_owned()))
    }

    fn secret(&mut self, mark: Mark, text: &str) -> Option<Value> {
        if text.parse::<SecretRef>().is_ok() {
            return Some(Value::String(text.to_owned()));
        }
        self.error(
            Code::SecretLiteral,
            mark,
            "this field holds the name of a secret, never the secret",
            Some(SECRET_HELP.to_owned()),
        );
        None
    }

    fn choice(&mut self, mark: Mark, text: &str, values: &[String]) -> Option<Value> {
        if values.iter().any(|value| value == text) {
            return Some(Value::String(text.to_owned()));
        }
        let near = nearest(text, values.iter().map(String::as_str));
        let help = near.map_or_else(
            || format!("it is one of {}", list(values.iter().map(String::as_str))),
            |near| format!("did you mean `{near}`?"),
        );
        self.error(Code::NotOneOf, mark, format!("`{}` is not allowed here", clip(text)), Some(help));
        None
    }

    fn list(
        &mut self,
        mark: Mark,
        items: &[Node],
        shape: &Shape,
        (least, most): (usize, usize),
    ) -> Option<Value> {
        if items.len() < least || items.len() > most {
            let limit =
                if items.len() < least { format!("at least {least}") } else { format!("at most {most}") };
            self.error(Code::TooMany, mark, format!("{} entries; {limit} are needed", items.len()), None);
        }
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            if matches!(item.value, Yaml::Null) {
                self.error(Code::WrongType, item.mark, "this entry says nothing", None);
            }
            values.extend(self.value(item, shape));
        }
        Some(Value::Array(values))
    }

    fn wrong_type(&mut self, mark: Mark, expected: &Shape, found: &Yaml) -> Option<Value> {
        let quotes = matches!(expected, Shape::Text(_) | Shape::Choice(_) | Shape::Reference(_))
            && !matches!(found, Yaml::List(_) | Yaml::Map(_));
        let help = quotes.then(|| "write it in quotes".to_owned());
        self.error(
            Code::WrongType,
            mark,
            format!("expected {}, found {}", noun(expected), found.noun()),
            help,
        );
        None
    }

    fn refuse_literal(&mut self, key: &str, node: &Node) {
        let literal =
            matches!(&node.value, Yaml::Text(text) if !text.is_empty() && text.parse::<SecretRef>().is_err());
        if literal {
            let message = format!("`{}` looks like a secret that is written out", clip(key));
            self.error(Code::SecretLiteral, node.mark, message, Some(SECRET_HELP.to_owned()));
        }
    }

    fn refuse_credential(&mut self, mark: Mark, text: &str) {
        if is_credential(text) {
            self.error(
                Code::SecretLiteral,
                mark,
                "this looks like a credential that is written out",
                Some(SECRET_HELP.to_owned()),
            );
        }
    }

    fn error(&mut self, code: Code, mark: Mark, message: impl Into<String>, help: Option<String>) {
        let mut diagnostic = Diagnostic::error(code, mark.in_file(self.file), message);
        diagnostic.help = help;
        self.diagnostics.push(diagnostic);
    }
}

const SECRET_HELP: &str = "write `${NAME}` here and the value into the git-ignored `.env`";

/// Whether a field of this name holds a secret, by what people call them
fn secret_like(key: &str) -> bool {
    let key = key.to_ascii_lowercase().replace('-', "_");
    let words = [
        "password",
        "passwd",
        "secret",
        "token",
        "api_key",
        "apikey",
        "private_key",
        "access_key",
        "credential",
        "credentials",
    ];
    words.iter().any(|word| key == *word || key.ends_with(&format!("_{word}")))
}

/// Whether a text has the form that well-known systems give their credentials
fn is_credential(text: &str) -> bool {
    let token = |prefix: &str, least: usize| {
        text.strip_prefix(prefix).is_some_and(|rest| {
            rest.len() >= least && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        })
    };
    let prefixes = [
        ("AKIA", 16),
        ("ASIA", 16),
        ("ghp_", 30),
        ("github_pat_", 30),
        ("glpat-", 20),
        ("xoxb-", 20),
        ("xoxp-", 20),
        ("sk_live_", 16),
    ];
    prefixes.iter().any(|(prefix, least)| token(prefix, *least)) || text.contains("PRIVATE KEY-----")
}

fn noun(shape: &Shape) -> &'static str {
    match shape {
        Shape::Any => "a value",
        Shape::Bool => "`true` or `false`",
        Shape::Integer(..) => "a whole number",
        Shape::Text(form) => form.noun(),
        Shape::Secret => "the name of a secret, `${NAME}`",
        Shape::Reference(_) => "the name of a resource",
        Shape::Choice(_) => "a word",
        Shape::List(..) => "a list",
        Shape::Mapping(_) | Shape::Object(_) => "a mapping",
    }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn clip(text: &str) -> String {
    text.chars().take(80).filter(|c| !c.is_control()).collect()
}
