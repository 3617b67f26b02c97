//! Conditions: whether a node of a template is part of a plan
//!
//! ```text
//! or      = and ("||" and)*
//! and     = not ("&&" not)*
//! not     = "!" not | "(" or ")" | operand (("==" | "!=" | "in") operand)?
//! operand = "${" reference "}" | 'text' | "text" | number | true | false | null
//! ```
//!
//! An operand by itself holds unless it is `false`, `null`, `0`, or empty.

use super::{ExpressionError, Facts, Reference, clip, reference, whole};
use serde_json::Value;

/// How deeply conditions may be nested: they are written by hand
const DEPTH_MAX: u32 = 32;

/// A condition, as it was read
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// One of them holds
    Any(Vec<Condition>),
    /// All of them hold
    All(Vec<Condition>),
    /// It does not hold
    Not(Box<Condition>),
    /// Both are the same
    Equal(Operand, Operand),
    /// The first is an element of the second, or a part of it where it is a text
    In(Operand, Operand),
    /// It is something
    Holds(Operand),
}

/// One side of a comparison
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// What a reference refers to
    Reference(Reference),
    /// A value that is written out
    Literal(Value),
}

impl Operand {
    const fn reference(&self) -> Option<&Reference> {
        match self {
            Self::Reference(reference) => Some(reference),
            Self::Literal(_) => None,
        }
    }

    fn value(&self, facts: &Facts) -> Result<Value, ExpressionError> {
        match self {
            Self::Reference(reference) => facts.get(reference).map(whole),
            Self::Literal(value) => Ok(value.clone()),
        }
    }
}

impl Condition {
    /// Reads a condition
    pub fn read(text: &str) -> Result<Self, ExpressionError> {
        let mut reader = Reader { rest: text, depth: 0 };
        let condition = reader.any()?;
        if reader.rest.trim_start().is_empty() {
            Ok(condition)
        } else {
            Err(reader.wrong("nothing more was expected"))
        }
    }

    /// Whether it holds
    pub fn holds(&self, facts: &Facts) -> Result<bool, ExpressionError> {
        Ok(match self {
            Self::Any(of) => of.iter().try_fold(false, |found, one| Ok(found || one.holds(facts)?))?,
            Self::All(of) => of.iter().try_fold(true, |all, one| Ok(all && one.holds(facts)?))?,
            Self::Not(one) => !one.holds(facts)?,
            Self::Equal(a, b) => a.value(facts)? == b.value(facts)?,
            Self::In(a, b) => is_in(&a.value(facts)?, &b.value(facts)?),
            Self::Holds(operand) => is_something(&operand.value(facts)?),
        })
    }

    /// Every reference in it
    pub fn references(&self) -> Vec<&Reference> {
        let (mut operands, mut open) = (Vec::new(), vec![self]);
        while let Some(condition) = open.pop() {
            match condition {
                Self::Any(of) | Self::All(of) => open.extend(of),
                Self::Not(one) => open.push(one),
                Self::Equal(a, b) | Self::In(a, b) => operands.extend([a, b]),
                Self::Holds(operand) => operands.push(operand),
            }
        }
        operands.into_iter().filter_map(Operand::reference).collect()
    }
}

fn is_in(value: &Value, of: &Value) -> bool {
    match (value, of) {
        (_, Value::Array(items)) => items.contains(value),
        (Value::String(name), Value::Object(fields)) => fields.contains_key(name),
        (Value::String(part), Value::String(text)) => text.contains(part),
        (_, Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => false,
    }
}

fn is_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(is) => *is,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

struct Reader<'a> {
    rest: &'a str,
    depth: u32,
}

impl<'a> Reader<'a> {
    fn wrong(&self, what: &'static str) -> ExpressionError {
        ExpressionError::Condition(clip(self.rest.trim_start()), what)
    }

    /// Takes `token` if it is next
    fn takes(&mut self, token: &str) -> bool {
        let rest = self.rest.trim_start();
        match rest.strip_prefix(token) {
            Some(after) => {
                self.rest = after;
                true
            }
            None => false,
        }
    }

    /// Takes `word` if it is next and is not the beginning of a longer one
    fn takes_word(&mut self, word: &str) -> bool {
        let rest = self.rest.trim_start();
        let after =
            rest.strip_prefix(word).filter(|after| !after.starts_with(|c: char| c.is_ascii_alphanumeric()));
        if let Some(after) = after {
            self.rest = after;
        }
        after.is_some()
    }

    fn any(&mut self) -> Result<Condition, ExpressionError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.wrong("it is nested too deeply"));
        }
        let mut of = vec![self.all()?];
        while self.takes("||") {
            of.push(self.all()?);
        }
        self.depth -= 1;
        Ok(one_or(of, Condition::Any))
    }

    fn all(&mut self) -> Result<Condition, ExpressionError> {
        let mut of = vec![self.not()?];
        while self.takes("&&") {
            of.push(self.not()?);
        }
        Ok(one_or(of, Condition::All))
    }

    fn not(&mut self) -> Result<Condition, ExpressionError> {
        let mut times = 0_usize;
        while !self.rest.trim_start().starts_with("!=") && self.takes("!") {
            times += 1;
        }
        let condition = if self.takes("(") {
            let inner = self.any()?;
            if !self.takes(")") {
                return Err(self.wrong("expected `)`"));
            }
            inner
        } else {
            self.comparison()?
        };
        Ok(if times % 2 == 1 { Condition::Not(Box::new(condition)) } else { condition })
    }

    fn comparison(&mut self) -> Result<Condition, ExpressionError> {
        let left = self.operand()?;
        if self.takes("==") {
            return Ok(Condition::Equal(left, self.operand()?));
        }
        if self.takes("!=") {
            return Ok(Condition::Not(Box::new(Condition::Equal(left, self.operand()?))));
        }
        if self.takes_word("in") {
            return Ok(Condition::In(left, self.operand()?));
        }
        Ok(Condition::Holds(left))
    }

    fn operand(&mut self) -> Result<Operand, ExpressionError> {
        if self.takes("${") {
            return self.until('}').and_then(reference).map(Operand::Reference);
        }
        for quote in ['\'', '"'] {
            if self.takes(quote.encode_utf8(&mut [0; 4])) {
                let text = self.until(quote)?;
                return Ok(Operand::Literal(Value::String(text.to_owned())));
            }
        }
        for (word, value) in
            [("true", Value::Bool(true)), ("false", Value::Bool(false)), ("null", Value::Null)]
        {
            if self.takes_word(word) {
                return Ok(Operand::Literal(value));
            }
        }
        let rest = self.rest.trim_start();
        let end = rest.find(|c: char| !(c.is_ascii_digit() || matches!(c, '-' | '.'))).unwrap_or(rest.len());
        let (number, after) = rest.split_at(end);
        let number: serde_json::Number = serde_json::from_str(number).map_err(|_| {
            self.wrong("expected `${…}`, a text in quotes, a number, `true`, `false` or `null`")
        })?;
        self.rest = after;
        Ok(Operand::Literal(Value::Number(number)))
    }

    /// What stands before `end`, which is taken too
    fn until(&mut self, end: char) -> Result<&'a str, ExpressionError> {
        let Some((inside, after)) = self.rest.split_once(end) else {
            return Err(self.wrong("it is not closed"));
        };
        self.rest = after;
        Ok(inside)
    }
}

fn one_or(mut of: Vec<Condition>, many: fn(Vec<Condition>) -> Condition) -> Condition {
    match of.len() {
        1 => of.swap_remove(0),
        _ => many(of),
    }
}
