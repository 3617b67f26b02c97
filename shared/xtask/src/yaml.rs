//! JSON values as plain YAML: text quoted where it could be read as anything else, short lists on one line

use serde_json::Value;
use std::fmt::Write as _;

/// The longest list that is written on one line
const FLOW_MAX: usize = 80;

/// `value` as a YAML document, without a first line
pub fn write(value: &Value) -> String {
    let mut out = String::new();
    block(&mut out, value, 0);
    out
}

/// The lines of a mapping or sequence, each indented by `depth`
fn block(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                let _ = write!(out, "{:depth$}{}:", "", text(key));
                nested(out, value, depth + 2);
            }
        }
        Value::Array(list) if !list.is_empty() => {
            for item in list {
                let mut inner = String::new();
                block(&mut inner, item, depth + 2);
                // The first line of a nested block stands behind the dash.
                let _ = writeln!(out, "{:depth$}- {}", "", inner.trim());
            }
        }
        Value::Object(_)
        | Value::Array(_)
        | Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_) => {
            let _ = writeln!(out, "{:depth$}{}", "", scalar(value));
        }
    }
}

/// What follows `key:`
fn nested(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            out.push('\n');
            block(out, value, depth);
        }
        Value::Array(list) if !list.is_empty() => match flow(list) {
            Some(line) => {
                let _ = writeln!(out, " {line}");
            }
            None => {
                out.push('\n');
                block(out, value, depth);
            }
        },
        Value::Object(_)
        | Value::Array(_)
        | Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_) => {
            let _ = writeln!(out, " {}", scalar(value));
        }
    }
}

/// `list` on one line, if it is short and holds no other list or mapping
fn flow(list: &[Value]) -> Option<String> {
    let item = |value: &Value| match value {
        Value::Object(_) | Value::Array(_) => None,
        Value::String(string) if string.contains(',') => Some(Value::from(string.as_str()).to_string()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Some(scalar(value)),
    };
    let line = format!("[{}]", list.iter().map(item).collect::<Option<Vec<_>>>()?.join(", "));
    (line.len() <= FLOW_MAX).then_some(line)
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(string) => text(string),
        Value::Object(_) => "{}".to_owned(),
        Value::Array(_) => "[]".to_owned(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// `string` plain if nothing else can be read in it, else as a JSON string, which YAML reads too
fn text(string: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:$, ()".contains(c);
    let word = string.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && string.chars().all(plain)
        && !string.contains(": ")
        && !string.ends_with([':', ' '])
        && !matches!(
            string.to_ascii_lowercase().as_str(),
            "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "y" | "n"
        );
    if word { string.to_owned() } else { Value::from(string).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_written_like_this() {
        let value = json!({
            "Ref": "AWS::StackName",
            "list": [1, "two", { "a": [{ "b": true, "c": "x: y" }], "d": {} }, []],
            "flow": ["a", 1, "b, c"],
            "quoted": { "a": "yes", "b": "2012-10-17", "c": "*", "d": "${A}-b", "e": "", "f": "a:", "g": "~" },
        });
        let expected = "\
Ref: AWS::StackName
list:
  - 1
  - two
  - a:
      - b: true
        c: \"x: y\"
    d: {}
  - []
flow: [a, 1, \"b, c\"]
quoted:
  a: \"yes\"
  b: \"2012-10-17\"
  c: \"*\"
  d: \"${A}-b\"
  e: \"\"
  f: \"a:\"
  g: \"~\"
";
        assert_eq!(write(&value), expected);
    }
}
