//! What a template is given: checked against what it asks for, with its defaults

use super::PlanError;
use crate::definition::{nearest::nearest, spec::InputSpec};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What was given, completed with defaults; an input that is neither given nor has a default is `null`
pub(super) fn complete(
    specs: &BTreeMap<String, InputSpec>,
    given: &Map<String, Value>,
) -> Result<Map<String, Value>, PlanError> {
    let refuse = |input: &str, problem: String| PlanError::Input { input: input.to_owned(), problem };
    if let Some(unknown) = given.keys().find(|name| !specs.contains_key(*name)) {
        let near = nearest(unknown, specs.keys().map(String::as_str));
        let known = specs.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "it takes none".to_owned(),
            None => format!("it takes {known}"),
        };
        return Err(refuse(unknown, format!("is not one of the template's: {help}")));
    }
    let mut complete = Map::new();
    for (name, spec) in specs {
        let value = given.get(name).or(spec.default.as_ref()).filter(|value| !value.is_null());
        if let (Some(value), Some(wanted)) = (value, spec.input_type)
            && !wanted.fits(value)
        {
            return Err(refuse(name, format!("has to be of type `{wanted}`")));
        }
        if value.is_none() && spec.required {
            let what = spec.description.as_ref().map_or(String::new(), |what| format!(": {what}"));
            return Err(refuse(name, format!("is required and was not given{what}")));
        }
        complete.insert(name.clone(), value.cloned().unwrap_or(Value::Null));
    }
    Ok(complete)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn inputs_are_what_was_asked_for_or_are_refused() {
        let specs: BTreeMap<String, InputSpec> = serde_json::from_value(json!({
            "region": { "type": "string", "default": "eu" },
            "count": { "type": "integer", "required": true, "description": "how many" },
            "note": {},
        }))
        .unwrap();
        let given = |value: Value| complete(&specs, value.as_object().unwrap());
        assert_eq!(
            Value::Object(given(json!({ "count": 2 })).unwrap()),
            json!({ "region": "eu", "count": 2, "note": null })
        );
        for (value, expected) in [
            (json!({}), "input `count` is required and was not given: how many"),
            (json!({ "count": null }), "input `count` is required and was not given: how many"),
            (json!({ "count": "2" }), "input `count` has to be of type `integer`"),
            (json!({ "count": 1, "region": 2 }), "input `region` has to be of type `string`"),
            (
                json!({ "count": 1, "regoin": "eu" }),
                "input `regoin` is not one of the template's: did you mean `region`?",
            ),
        ] {
            assert_eq!(given(value).unwrap_err().to_string(), expected);
        }
    }
}
