//! Paths and templates: `$`, `$.a.b`, `$$.Task.Token`, and objects whose keys end in `.$`

use super::{Place, run::Raised};
use serde::{Deserialize as _, Deserializer};
use serde_json::{Map, Value};

/// `null` is a place of its own, and no field at all is another
pub(super) fn place<'de, D: Deserializer<'de>>(from: D) -> Result<Place, D::Error> {
    Ok(match Option::<String>::deserialize(from)? {
        None => Place::Nowhere,
        Some(path) if path == "$" => Place::Whole,
        Some(path) => Place::Field(path),
    })
}

/// What `path` names in the input, or where it begins with `$$` in the context
pub(super) fn find<'a>(path: &str, input: &'a Value, context: &'a Value) -> Result<&'a Value, Raised> {
    let (root, steps) = match path.strip_prefix("$$") {
        Some(steps) => (context, steps),
        None => (input, path.strip_prefix('$').unwrap_or(path)),
    };
    let mut found = root;
    for step in steps.split('.').filter(|step| !step.is_empty()) {
        found = found.get(step).ok_or_else(|| {
            Raised::new("States.ParameterPathFailure", format!("`{path}` is not in the input"))
        })?;
    }
    Ok(found)
}

/// `template` with every `"key.$": "path"` replaced by `"key": what the path names`
pub(super) fn fill(template: &Value, input: &Value, context: &Value) -> Result<Value, Raised> {
    match template {
        Value::Object(fields) => {
            let mut filled = Map::new();
            for (key, value) in fields {
                match (key.strip_suffix(".$"), value) {
                    (Some(key), Value::String(path)) => {
                        filled.insert(key.to_owned(), find(path, input, context)?.clone());
                    }
                    _ => {
                        filled.insert(key.clone(), fill(value, input, context)?);
                    }
                }
            }
            Ok(Value::Object(filled))
        }
        Value::Array(items) => {
            items.iter().map(|item| fill(item, input, context)).collect::<Result<_, _>>().map(Value::Array)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(template.clone()),
    }
}

/// The state's output: `result` put into `input` where `place` says
pub(super) fn put(place: &Place, input: Value, result: Value) -> Result<Value, Raised> {
    let path = match place {
        Place::Whole => return Ok(result),
        Place::Nowhere => return Ok(input),
        Place::Field(path) => path,
    };
    let steps: Vec<&str> = path.trim_start_matches('$').split('.').filter(|step| !step.is_empty()).collect();
    let mut output = input;
    let mut at = &mut output;
    for step in steps {
        let Value::Object(fields) = at else {
            let cause = format!("`{path}` is not in an object");
            return Err(Raised::new("States.ResultPathMatchFailure", cause));
        };
        at = fields.entry(step).or_insert_with(|| Value::Object(Map::new()));
    }
    *at = result;
    Ok(output)
}
