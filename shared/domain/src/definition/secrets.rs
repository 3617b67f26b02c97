//! Where a step may name secrets, as `${NAME}`, and which it names
//!
//! A value is put in by the adapter, where it is sent. Anywhere else the text itself would be used, and nobody would
//! know: so it is refused where it is written.

use super::{
    codes::Code,
    expression::{self, ExpressionError, Facts},
    marks,
    spec::{Finding, FreeForm, SecretRef},
};
use crate::planner::{COMMAND_RUN, DEPLOY_HOST, HTTP_CALL, LAMBDA_INVOKE, VERIFY_COMMAND, VERIFY_METRIC};
use serde_json::Value;
use std::collections::BTreeSet;

/// The field that says with which secret a request is signed
const SIGN_WITH: &str = "sign_with";

/// A secret where none is filled in
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misplaced {
    /// The field of `with`
    pub field: String,
    /// The diagnostic's code
    pub code: Code,
    /// What is wrong
    pub message: String,
    /// What to do about it
    pub help: &'static str,
}

impl Misplaced {
    /// The same, of the step or job whose `with` stands at `path`
    pub fn finding(self, path: &str) -> Finding {
        let Self { field, code, message, help } = self;
        Finding { path: format!("{path}.{field}"), code, message, help: Some(help.to_owned()) }
    }
}

/// The names of the secrets that `value`, as a recipe says it, asks for: as `${NAME}` anywhere in it, and not as `$${NAME}`
pub fn named(value: &Value) -> BTreeSet<String> {
    let text = value.to_string();
    let pieces: Vec<&str> = text.split("${").collect();
    let asked = pieces.windows(2).filter_map(|around| match around {
        [before, after] if !before.ends_with('$') => after.split_once('}'),
        _ => None,
    });
    asked.map(|(name, _)| name).filter(|name| marks::is_secret(name)).map(str::to_owned).collect()
}

/// The fields of what is given for `capability` in which secrets are filled in where it is sent
fn filled_in(capability: &str) -> &'static [&'static str] {
    match capability {
        HTTP_CALL => &[SIGN_WITH, "headers", "body"],
        VERIFY_METRIC => &["headers"],
        _ => &[],
    }
}

/// What is `said` for `capability`, filled in; only what is said, and nothing that is put in, names a secret
pub fn fill_inputs(capability: &str, said: &FreeForm, facts: &Facts) -> Result<FreeForm, ExpressionError> {
    let beside_secrets = facts.clone().beside_secrets();
    let fill = |(field, value): (&String, &Value)| {
        let facts = if filled_in(capability).contains(&field.as_str()) { &beside_secrets } else { facts };
        Ok((field.clone(), expression::fill(value, facts)?))
    };
    said.iter().map(fill).collect()
}

/// The inputs of a contract for `capability`, every field of which is marked as those are in which secrets stand
pub fn marked(capability: &str, inputs: FreeForm) -> FreeForm {
    let mark = |(field, value): (String, Value)| {
        let value =
            if filled_in(capability).contains(&field.as_str()) { value } else { marks::literal(&value) };
        (field, value)
    };
    inputs.into_iter().map(mark).collect()
}

/// The inputs of a contract for `capability`, of which every field is marked: nobody reads those in which no secret is
/// filled in
pub fn unmarked(capability: &str, inputs: FreeForm) -> FreeForm {
    let unmark = |(field, value): (String, Value)| {
        let value =
            if filled_in(capability).contains(&field.as_str()) { value } else { marks::plain(&value) };
        (field, value)
    };
    inputs.into_iter().map(unmark).collect()
}

/// The first field of what a step is given that names a secret which whatever does `capability`, if it asks for one, does
/// not fill in
pub fn misplaced(capability: Option<&str>, with: &FreeForm) -> Option<Misplaced> {
    let filled = capability.map(filled_in).unwrap_or_default();
    let signs = |field: &str| capability == Some(HTTP_CALL) && field == SIGN_WITH;
    with.iter().find_map(|(field, value)| {
        let one = value.as_str().is_some_and(|text| text.parse::<SecretRef>().is_ok());
        if signs(field) && !one {
            let message = format!("`{field}` is the name of one secret, `${{NAME}}`, and nothing else");
            let help = "write `${NAME}` here and the value into the git-ignored `.env`";
            return Some(Misplaced { field: field.clone(), code: Code::SecretLiteral, message, help });
        }
        let secret = named(value).into_iter().next().filter(|_| !filled.contains(&field.as_str()))?;
        let why = match capability {
            Some(capability) => format!("`{capability}` fills in none there"),
            None => "a step that asks for no capability is told none".to_owned(),
        };
        let message = format!("`{field}` names the secret `{secret}`, and {why}");
        let help = help(capability.unwrap_or_default());
        Some(Misplaced { field: field.clone(), code: Code::SecretMisplaced, message, help })
    })
}

fn help(capability: &str) -> &'static str {
    match capability {
        HTTP_CALL => "secrets are filled in in `headers`, `body` and `sign_with`; an address is logged",
        VERIFY_METRIC => "secrets are filled in in `headers`; an address is logged",
        LAMBDA_INVOKE => "a function reads its secrets itself, by its own role",
        DEPLOY_HOST | COMMAND_RUN | VERIFY_COMMAND => {
            "agents are not given secrets: keep it on the host, where the command finds it"
        }
        _ => "only `http.call` and `verify.metric` are told secrets",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_secret_is_refused_wherever_it_is_not_filled_in() {
        for (capability, with, expected) in [
            (
                HTTP_CALL,
                json!({ "url": "/x", "sign_with": "${HOOK}", "headers": { "a": "Bearer ${T}" }, "body": ["${B}"] }),
                None,
            ),
            (HTTP_CALL, json!({ "url": "/x?key=${KEY}" }), Some(("url", Code::SecretMisplaced))),
            (HTTP_CALL, json!({ "sign_with": "Bearer ${HOOK}" }), Some(("sign_with", Code::SecretLiteral))),
            (HTTP_CALL, json!({ "sign_with": 7 }), Some(("sign_with", Code::SecretLiteral))),
            (VERIFY_METRIC, json!({ "headers": { "a": "${T}" } }), None),
            (
                LAMBDA_INVOKE,
                json!({ "payload": { "k": "${KEY}" } }),
                Some(("payload", Code::SecretMisplaced)),
            ),
            (COMMAND_RUN, json!({ "command": "x", "env": "${KEY}" }), Some(("env", Code::SecretMisplaced))),
            ("other.thing", json!({ "a": "${inputs.a} and ${lower}" }), None),
            (COMMAND_RUN, json!({ "command": "x", "args": ["$${HOME}/bin"] }), None),
        ] {
            let found = misplaced(Some(capability), with.as_object().unwrap());
            let told = found.as_ref().map(|it| (it.field.as_str(), it.code));
            assert_eq!(told, expected, "{capability} {with}");
        }
        let by_hand = misplaced(None, json!({ "key": "${KEY}" }).as_object().unwrap()).unwrap();
        assert_eq!(
            by_hand.message,
            "`key` names the secret `KEY`, and a step that asks for no capability is told none"
        );
        assert_eq!(
            named(&json!(["${A}", { "x": "a ${B_2} ${inputs.c} ${1} $${C}" }])),
            ["A", "B_2"].map(str::to_owned).into()
        );
    }
}
