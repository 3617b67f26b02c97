//! YAML with positions: a tree in which every key and value knows its place
//!
//! Read from the parser's events rather than from a finished document, so that aliases can be refused before they
//! multiply, depth is bounded, and of two equal keys neither is lost.

use super::{
    codes::Code,
    diagnostic::{Diagnostic, Diagnostics, Place},
};
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};
use serde_json::Value;
use std::{collections::HashMap, sync::Arc};

/// Deepest nesting that is read
const MAX_DEPTH: usize = 32;
/// Largest whole number that every JSON reader keeps exactly
const MAX_SAFE: i64 = (1 << 53) - 1;

/// A place without its file
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    line: u32,
    column: u32,
    length: u32,
}

impl Mark {
    /// The beginning of a file
    pub const START: Self = Self { line: 1, column: 1, length: 1 };

    /// The place in `file`
    pub fn in_file(self, file: &Arc<str>) -> Place {
        Place { file: Arc::clone(file), line: self.line, column: self.column, length: self.length }
    }

    fn of(span: &Span) -> Self {
        let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let length = if span.start.line() == span.end.line() { span.len() } else { 1 };
        Self {
            line: narrow(span.start.line().max(1)),
            column: narrow(span.start.col() + 1),
            length: narrow(length.max(1)),
        }
    }
}

/// A value and where it is
#[derive(Debug)]
pub struct Node {
    /// Where it is
    pub mark: Mark,
    /// What it is
    pub value: Yaml,
}

/// A key and where it is
#[derive(Debug)]
pub struct Key {
    /// Where it is
    pub mark: Mark,
    /// What it says
    pub text: String,
}

/// What a value is
#[derive(Debug)]
pub enum Yaml {
    /// Nothing
    Null,
    /// True or false
    Bool(bool),
    /// A whole number
    Int(i64),
    /// Another number
    Float(f64),
    /// A text
    Text(String),
    /// A list
    List(Vec<Node>),
    /// A mapping, in its order
    Map(Vec<(Key, Node)>),
}

impl Yaml {
    /// What it is, for messages
    pub const fn noun(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a truth value",
            Self::Int(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

impl Yaml {
    /// The entries of a mapping, none of nothing; or what it is instead
    pub fn into_entries(self) -> Result<Vec<(Key, Node)>, &'static str> {
        match self {
            Self::Map(entries) => Ok(entries),
            Self::Null => Ok(Vec::new()),
            Self::Bool(_) | Self::Int(_) | Self::Float(_) | Self::Text(_) | Self::List(_) => Err(self.noun()),
        }
    }

    /// The text that it is, if it is one
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

impl Node {
    /// The value as JSON
    pub fn to_json(&self) -> Value {
        match &self.value {
            Yaml::Null => Value::Null,
            Yaml::Bool(value) => Value::from(*value),
            Yaml::Int(value) => Value::from(*value),
            Yaml::Float(value) => Value::from(*value),
            Yaml::Text(text) => Value::from(text.as_str()),
            Yaml::List(items) => items.iter().map(Self::to_json).collect(),
            Yaml::Map(entries) => {
                entries.iter().map(|(key, node)| (key.text.clone(), node.to_json())).collect()
            }
        }
    }

    /// The value under `key`
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Yaml::Map(entries) => entries.iter().find(|(k, _)| k.text == key).map(|(_, node)| node),
            Yaml::Null | Yaml::Bool(_) | Yaml::Int(_) | Yaml::Float(_) | Yaml::Text(_) | Yaml::List(_) => {
                None
            }
        }
    }

    /// Where the value at `path` (`nodes.2.id`) is, or the innermost part of it that is there
    pub fn mark_of(&self, path: &str) -> Mark {
        let mut here = self;
        for part in path.split('.') {
            let next = match &here.value {
                Yaml::List(items) => part.parse::<usize>().ok().and_then(|i| items.get(i)),
                Yaml::Map(_) => here.get(part),
                Yaml::Null | Yaml::Bool(_) | Yaml::Int(_) | Yaml::Float(_) | Yaml::Text(_) => None,
            };
            match next {
                Some(next) => here = next,
                None => break,
            }
        }
        here.mark
    }
}

/// What is being built: a list, or a mapping with the key that waits for its value
enum Open {
    List(Mark, Vec<Node>),
    Map { mark: Mark, entries: Vec<(Key, Node)>, key: Option<Key>, seen: HashMap<String, u32> },
}

struct Builder<'a> {
    file: &'a Arc<str>,
    open: Vec<Open>,
    root: Option<Node>,
    diagnostics: &'a mut Diagnostics,
}

/// The tree of `text`: nothing if it is empty or cannot be read, which is then among the diagnostics
pub fn parse(file: &Arc<str>, text: &str, diagnostics: &mut Diagnostics) -> Option<Node> {
    let mut builder = Builder { file, open: Vec::new(), root: None, diagnostics };
    let mut parser = Parser::new_from_str(text);
    let mut documents = 0;
    while let Some(event) = parser.next_event() {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => {
                builder.syntax(&error);
                return None;
            }
        };
        if matches!(event, Event::DocumentStart(_)) {
            documents += 1;
        }
        if documents > 1 {
            builder.error(
                Code::NotAMapping,
                Mark::of(&span),
                "a file holds one document; `---` begins another",
                "move it to a file of its own",
            );
            return None;
        }
        builder.take(event, &span)?;
    }
    builder.root
}

impl Builder<'_> {
    /// One event; nothing if the rest of the file means nothing any more
    fn take(&mut self, event: Event<'_>, span: &Span) -> Option<()> {
        let mark = Mark::of(span);
        match event {
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
            Event::Alias(_) => {
                self.error(Code::AliasRefused, mark, "aliases are not read", "write the value out");
                return None;
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse(anchor, tag.is_some(), mark);
                self.scalar(&text, style, mark);
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse(anchor, tag.is_some(), mark);
                self.begin(Open::List(mark, Vec::new()), mark)?;
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse(anchor, tag.is_some(), mark);
                self.begin(Open::Map { mark, entries: Vec::new(), key: None, seen: HashMap::new() }, mark)?;
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List(mark, items)) => self.put(Node { mark, value: Yaml::List(items) }),
                Some(Open::Map { mark, entries, .. }) => self.put(Node { mark, value: Yaml::Map(entries) }),
                None => {}
            },
        }
        Some(())
    }

    fn begin(&mut self, open: Open, mark: Mark) -> Option<()> {
        if self.open.len() >= MAX_DEPTH {
            self.error(
                Code::TooDeep,
                mark,
                format!("values are nested more than {MAX_DEPTH} levels deep"),
                "no field needs that",
            );
            return None;
        }
        if let Some(Open::Map { key: None, .. }) = self.open.last() {
            self.error(Code::WrongType, mark, "a key must be a text", "write a plain word before the `:`");
            return None;
        }
        self.open.push(open);
        Some(())
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, mark: Mark) {
        if let Some(Open::Map { key: key @ None, seen, .. }) = self.open.last_mut() {
            *key = Some(Key { mark, text: text.to_owned() });
            if let Some(first) = seen.insert(text.to_owned(), mark.line) {
                let message = format!("`{}` stands twice here", clip(text));
                self.error(
                    Code::DuplicateKey,
                    mark,
                    message,
                    format!("the first is on line {first}; keep one"),
                );
            }
            return;
        }
        let value = if style == ScalarStyle::Plain { plain(text) } else { Yaml::Text(text.to_owned()) };
        if let Yaml::Int(n) = value
            && !(-MAX_SAFE..=MAX_SAFE).contains(&n)
        {
            self.error(
                Code::OutOfRange,
                mark,
                "the number is too large to be kept exactly",
                "write it in quotes",
            );
        }
        self.put(Node { mark, value });
    }

    fn put(&mut self, node: Node) {
        match self.open.last_mut() {
            Some(Open::List(_, items)) => items.push(node),
            Some(Open::Map { entries, key, .. }) => {
                if let Some(key) = key.take() {
                    entries.push((key, node));
                }
            }
            None => self.root = Some(node),
        }
    }

    fn refuse(&mut self, anchor: usize, tagged: bool, mark: Mark) {
        if anchor != 0 || tagged {
            self.error(
                Code::AliasRefused,
                mark,
                "anchors and tags are not read",
                "take it away, and write the value out where it is needed",
            );
        }
    }

    fn error(&mut self, code: Code, mark: Mark, message: impl Into<String>, help: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error(code, mark.in_file(self.file), message).help(help));
    }

    fn syntax(&mut self, error: &ScanError) {
        let mark = Mark::of(&Span::empty(*error.marker()));
        self.diagnostics.push(Diagnostic::error(
            Code::Syntax,
            mark.in_file(self.file),
            format!("this is not YAML: {}", error.info()),
        ));
    }
}

/// What a plain scalar means, by the core schema of YAML 1.2: `no` is a text, `007` is the number 7
fn plain(text: &str) -> Yaml {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Yaml::Null,
        "true" | "True" | "TRUE" => return Yaml::Bool(true),
        "false" | "False" | "FALSE" => return Yaml::Bool(false),
        _ => {}
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let numeric = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let radix =
        |prefix, radix| text.strip_prefix(prefix).and_then(|rest| i64::from_str_radix(rest, radix).ok());
    if !numeric {
        Yaml::Text(text.to_owned())
    } else if let Some(n) = radix("0x", 16).or_else(|| radix("0o", 8)) {
        Yaml::Int(n)
    } else if let Ok(n) = text.parse() {
        Yaml::Int(n)
    } else {
        let decimal =
            digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
        match text.parse::<f64>() {
            Ok(n) if decimal && n.is_finite() => Yaml::Float(n),
            _ => Yaml::Text(text.to_owned()),
        }
    }
}

fn clip(text: &str) -> String {
    text.chars().take(80).filter(|c| !c.is_control()).collect()
}
