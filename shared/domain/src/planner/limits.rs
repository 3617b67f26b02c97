//! How long what is built in can take: a function makes its calls, and lives for a quarter of an hour

use super::{HTTP_CALL, Performer, VERIFY_METRIC, capability};
use serde_json::{Map, Value};

/// Seconds that the function lives that runs one attempt of a job
pub const JOB_FUNCTION_S: u32 = 900;

/// Most seconds that such an attempt may take: the rest is for reading what is to be done, and for telling how it ended
pub const ATTEMPT_MAX_S: u32 = JOB_FUNCTION_S - 60;

/// How `verify.metric` asks where it is not said
const SAMPLES_DEFAULT: u64 = 5;
const INTERVAL_DEFAULT_S: u64 = 10;

/// A time that no function has
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TooLong {
    /// The field of the step
    pub field: &'static str,
    /// What is wrong with it
    pub problem: String,
    /// What to do about it
    pub help: &'static str,
}

/// What of a step that asks for `asked`, is given `with` and has `timeout_s` for each attempt takes longer than a function
/// lives; what is said by a reference is known only when it is planned
pub(crate) fn too_long(asked: &str, with: &Map<String, Value>, timeout_s: u32) -> Option<TooLong> {
    let by = capability(asked)?.by;
    if !matches!(by, Performer::Job | Performer::Provider) {
        return None;
    }
    let answers = with.get("answers").and_then(Value::as_str);
    let answers_later = asked == HTTP_CALL && answers.is_some_and(|answers| answers != "now");
    if timeout_s > ATTEMPT_MAX_S && !answers_later {
        return Some(TooLong {
            field: "timeout_s",
            problem: format!("gives one attempt {timeout_s} s, and `{asked}` has {ATTEMPT_MAX_S} s at most"),
            help: "give it less, let whoever is called answer later (`http.call` with `answers: later`), or ask an agent",
        });
    }
    let number = |field: &str, usual: u64| with.get(field).map_or(Some(usual), Value::as_u64);
    let samples = number("attempts", SAMPLES_DEFAULT)?.max(number("window", 1)?);
    let all = samples.saturating_mul(number("interval_s", INTERVAL_DEFAULT_S)?);
    (asked == VERIFY_METRIC && all > u64::from(ATTEMPT_MAX_S)).then(|| TooLong {
        field: "with.attempts",
        problem: format!(
            "asks {samples} times over {all} s, and `{asked}` has {ATTEMPT_MAX_S} s at most"
        ),
        help: "ask less often (`with.attempts`, `with.window`, `with.interval_s`), or again after a failure (`attempts` of \
               the step)",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_function_does_is_over_before_the_function_is() {
        for (asked, with, timeout_s, expected) in [
            ("http.call", json!({}), 840, None),
            ("http.call", json!({}), 841, Some("timeout_s")),
            ("http.call", json!({ "answers": "now" }), 841, Some("timeout_s")),
            ("http.call", json!({ "answers": "later" }), 86_400, None),
            ("http.call", json!({ "answers": "${inputs.how}" }), 86_400, None),
            ("lambda.invoke", json!({ "answers": "later" }), 841, Some("timeout_s")),
            ("assignments.fetch", json!({}), 841, Some("timeout_s")),
            ("command.run", json!({}), 86_400, None),
            ("moon.land", json!({}), 86_400, None),
            ("verify.metric", json!({}), 600, None),
            ("verify.metric", json!({ "attempts": 84 }), 600, None),
            ("verify.metric", json!({ "attempts": 85 }), 600, Some("with.attempts")),
            ("verify.metric", json!({ "window": 29, "interval_s": 30 }), 600, Some("with.attempts")),
            ("verify.metric", json!({ "attempts": 85, "interval_s": "${inputs.every}" }), 600, None),
        ] {
            let found = too_long(asked, with.as_object().unwrap(), timeout_s).map(|found| found.field);
            assert_eq!(found, expected, "{asked} {with} {timeout_s}");
        }
    }
}
