//! What jobs are told in confidence, by name
//!
//! A contract holds `${NAME}`; the value is put in where it is sent, and nowhere else.

use crate::{Call, Failed};
use serde_json::Value;
use std::{collections::BTreeMap, fmt};

/// Values by name
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(BTreeMap<String, String>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Secrets that cannot be read. It does not say what stands there: it may be one
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a JSON object of texts: line {line}, column {column}")]
pub struct SecretsError {
    line: usize,
    column: usize,
}

impl Secrets {
    /// Reads `{"NAME": "value", …}`; an empty text holds none
    pub fn from_json(text: &str) -> Result<Self, SecretsError> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_str(text)
            .map(Self)
            .map_err(|error| SecretsError { line: error.line(), column: error.column() })
    }

    /// The value called `name`
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The value that `reference`, a `${NAME}`, stands for
    pub fn value(&self, reference: &str) -> Result<&str, Failed> {
        let name = name(reference).ok_or_else(|| {
            Failed::terminal("bad_inputs", "a secret is named as `${NAME}`, never written out")
        })?;
        self.get(name).ok_or_else(|| missing(name))
    }

    /// `text` with every `${NAME}` in it replaced; each must be one that the contract lets the job see
    pub fn fill(&self, call: &Call, text: &str) -> Result<String, Failed> {
        self.put_in(call, text, |_| true)
    }

    /// `value` with every `${NAME}` in its texts replaced that the contract lets the job see; others are what they say,
    /// since whoever gave the job its inputs may have written them
    pub fn fill_value(&self, call: &Call, value: &Value) -> Result<Value, Failed> {
        Ok(match value {
            Value::String(text) => Value::String(self.fill_seen(call, text)?),
            Value::Array(items) => {
                items.iter().map(|item| self.fill_value(call, item)).collect::<Result<_, _>>()?
            }
            Value::Object(fields) => {
                let filled = fields.iter().map(|(name, it)| Ok((name.clone(), self.fill_value(call, it)?)));
                Value::Object(filled.collect::<Result<_, Failed>>()?)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        })
    }

    fn fill_seen(&self, call: &Call, text: &str) -> Result<String, Failed> {
        self.put_in(call, text, |name| call.secrets.iter().any(|seen| seen == name))
    }

    /// `text` with every name in it replaced that `is_name` knows
    ///
    /// Of the dollars before a brace that are nothing but text, the planner writes twice as many
    /// (`weir_domain::definition`): `$${NAME}` is what somebody gave that looks like a name, and is sent as `${NAME}`.
    fn put_in(&self, call: &Call, text: &str, is_name: impl Fn(&str) -> bool) -> Result<String, Failed> {
        let (mut filled, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once("${") {
            let words = before.trim_end_matches('$');
            let dollars = before.len() - words.len() + 1;
            filled.push_str(words);
            filled.push_str(&"$".repeat(dollars / 2));
            rest = match after.split_once('}').filter(|(name, _)| dollars % 2 == 1 && is_name(name)) {
                Some((name, tail)) => {
                    filled.push_str(self.seen_by(call, name)?);
                    tail
                }
                None => {
                    filled.push_str(if dollars % 2 == 1 { "${" } else { "{" });
                    after
                }
            };
        }
        filled.push_str(rest);
        Ok(filled)
    }

    /// The value called `name`, if the contract lets the job see it
    fn seen_by(&self, call: &Call, name: &str) -> Result<&str, Failed> {
        if !call.secrets.iter().any(|seen| seen == name) {
            let message = format!("the contract does not let this job see the secret `{name}`");
            return Err(Failed::terminal("secret_not_allowed", message));
        }
        self.get(name).ok_or_else(|| missing(name))
    }
}

/// It may be put there while the operation waits for its next attempt
fn missing(name: &str) -> Failed {
    Failed::retryable("secret_missing", format!("nobody has given this deployment the secret `{name}`"))
}

/// The name in `${NAME}`
fn name(reference: &str) -> Option<&str> {
    reference.strip_prefix("${")?.strip_suffix('}').filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_secret_is_put_in_where_the_contract_lets_it_be_seen() {
        let secrets = Secrets::from_json(r#"{"TOKEN": "s3cr3t", "OTHER": "0ther"}"#).unwrap();
        let call = Call { secrets: vec!["TOKEN".to_owned(), "GONE".to_owned()], ..crate::tests::call() };
        assert_eq!(secrets.fill(&call, "Bearer ${TOKEN}!").unwrap(), "Bearer s3cr3t!");
        assert_eq!(secrets.fill(&call, "plain").unwrap(), "plain");
        for (text, code) in [
            ("${OTHER}", "secret_not_allowed"),
            ("${GONE}", "secret_missing"),
            ("${TOKEN", "${TOKEN"),
            ("${}", "secret_not_allowed"),
            ("$${TOKEN} $${OTHER}", "${TOKEN} ${OTHER}"),
            ("US$$${TOKEN} $$$${TOKEN} $$", "US$s3cr3t $${TOKEN} $$"),
        ] {
            match secrets.fill(&call, text) {
                Ok(filled) => assert_eq!(filled, code),
                Err(failed) => assert_eq!(failed.code, code),
            }
        }
        assert_eq!(secrets.value("${TOKEN}").unwrap(), "s3cr3t");
        let body = json!({ "${TOKEN}": ["a ${TOKEN} b ${OTHER} ${", 1], "x": { "y": "${TOKEN}${TOKEN}" } });
        assert_eq!(
            secrets.fill_value(&call, &body).unwrap(),
            json!({ "${TOKEN}": ["a s3cr3t b ${OTHER} ${", 1], "x": { "y": "s3cr3ts3cr3t" } })
        );
        let given = json!({ "note": ["$${TOKEN}", "to ${TOKEN}: $${TOKEN} $${"] });
        assert_eq!(
            secrets.fill_value(&call, &given).unwrap(),
            json!({ "note": ["${TOKEN}", "to s3cr3t: ${TOKEN} ${"] }),
            "what only looks like a name is sent as it is"
        );
        assert_eq!(secrets.fill_value(&call, &json!("${GONE}")).unwrap_err().code, "secret_missing");
        assert_eq!(secrets.value("s3cr3t").unwrap_err().code, "bad_inputs");
    }

    #[test]
    fn secrets_and_what_is_wrong_with_them_do_not_print() {
        let secrets = Secrets::from_json(r#"{"TOKEN": "s3cr3t"}"#).unwrap();
        assert_eq!(format!("{secrets:?}"), r#"{"TOKEN"}"#);
        let error = Secrets::from_json(r#"{"TOKEN": s3cr3t}"#).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3cr3t"));
        assert_eq!(Secrets::from_json(" ").unwrap(), Secrets::default());
    }
}
