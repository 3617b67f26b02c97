//! Where a step may name secrets, as `${NAME}`, and which it names
//!
//! A value is put in by the adapter, where it is sent. Anywhere else the text itself would be used, and nobody would
//! know: so it is refused where it is written.

use super::{
    codes::Code,
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

/// The names of the secrets that `value` asks for, as `${NAME}` anywhere in it
pub fn named(value: &Value) -> BTreeSet<String> {
    let text = value.to_string();
    let asked = text.split("${").skip(1).filter_map(|rest| rest.split_once('}'));
    let secrets = asked.filter_map(|(name, _)| format!("${{{name}}}").parse::<SecretRef>().ok());
    secrets.map(|secret| secret.name().to_owned()).collect()
}

/// The first field of what a step is given that names a secret which whatever does `capability` does not fill in
pub fn misplaced(capability: &str, with: &FreeForm) -> Option<Misplaced> {
    let filled: &[&str] = match capability {
        HTTP_CALL => &[SIGN_WITH, "headers", "body"],
        VERIFY_METRIC => &["headers"],
        _ => &[],
    };
    let signs = |field: &str| capability == HTTP_CALL && field == SIGN_WITH;
    with.iter().find_map(|(field, value)| {
        let one = value.as_str().is_some_and(|text| text.parse::<SecretRef>().is_ok());
        if signs(field) && !one {
            let message = format!("`{field}` is the name of one secret, `${{NAME}}`, and nothing else");
            let help = "write `${NAME}` here and the value into the git-ignored `.env`";
            return Some(Misplaced { field: field.clone(), code: Code::SecretLiteral, message, help });
        }
        let secret = named(value).into_iter().next().filter(|_| !filled.contains(&field.as_str()))?;
        let message =
            format!("`{field}` names the secret `{secret}`, and `{capability}` fills in none there");
        let help = help(capability);
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
        ] {
            let found = misplaced(capability, with.as_object().unwrap());
            let told = found.as_ref().map(|it| (it.field.as_str(), it.code));
            assert_eq!(told, expected, "{capability} {with}");
        }
        assert_eq!(
            named(&json!(["${A}", { "x": "a ${B_2} ${inputs.c} ${1}" }])),
            ["A", "B_2"].map(str::to_owned).into()
        );
    }
}
