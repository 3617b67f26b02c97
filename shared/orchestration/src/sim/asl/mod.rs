//! The state machines, interpreted: exactly the subset of the Amazon States Language that `statemachines/` uses
//!
//! A field that is not known here is an error when the file is read, so that a machine cannot use what the simulator
//! does not do.

mod path;
mod run;

pub use run::{Host, Raised, execute};

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A machine, or the inner machine of a Map
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Machine {
    #[serde(default, rename = "Comment")]
    _comment: String,
    #[serde(default, rename = "ProcessorConfig")]
    _config: Option<ProcessorConfig>,
    start_at: String,
    states: BTreeMap<String, State>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ProcessorConfig {
    #[serde(rename = "Mode")]
    _mode: Inline,
}

#[derive(Debug, Clone, Deserialize)]
enum Inline {
    #[serde(rename = "INLINE")]
    Inline,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "Type")]
enum State {
    Task(Box<Task>),
    Map(Box<Map>),
    Pass(Pass),
    Choice(Choice),
    Succeed {
        #[serde(default, rename = "Comment")]
        _comment: String,
    },
    Fail(Fail),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Task {
    #[serde(default, rename = "Comment")]
    _comment: String,
    resource: String,
    parameters: Option<Value>,
    result_selector: Option<Value>,
    #[serde(default, deserialize_with = "path::place")]
    result_path: Place,
    timeout_seconds: Option<u64>,
    #[serde(default)]
    retry: Vec<Retrier>,
    #[serde(default)]
    catch: Vec<Catcher>,
    next: Option<String>,
    #[serde(default)]
    end: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Map {
    #[serde(default, rename = "Comment")]
    _comment: String,
    items_path: Option<String>,
    max_concurrency: Option<usize>,
    item_selector: Option<Value>,
    item_processor: Machine,
    #[serde(default, deserialize_with = "path::place")]
    result_path: Place,
    next: Option<String>,
    #[serde(default)]
    end: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Pass {
    #[serde(default, rename = "Comment")]
    _comment: String,
    input_path: Option<String>,
    result: Option<Value>,
    #[serde(default, deserialize_with = "path::place")]
    result_path: Place,
    next: Option<String>,
    #[serde(default)]
    end: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Choice {
    #[serde(default, rename = "Comment")]
    _comment: String,
    choices: Vec<Rule>,
    default: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Rule {
    variable: String,
    string_equals: String,
    next: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Fail {
    #[serde(default, rename = "Comment")]
    _comment: String,
    error: String,
    cause: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Retrier {
    error_equals: Vec<String>,
    #[serde(default = "one")]
    interval_seconds: u64,
    #[serde(default = "three")]
    max_attempts: u32,
    #[serde(default = "two")]
    backoff_rate: f64,
    max_delay_seconds: Option<u64>,
    jitter_strategy: Option<Jitter>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Jitter {
    Full,
    None,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Catcher {
    error_equals: Vec<String>,
    #[serde(default, deserialize_with = "path::place")]
    result_path: Place,
    next: String,
}

/// Where a result goes: in place of the input, nowhere, or to a field of the input
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Whole,
    Nowhere,
    Field(String),
}

const fn one() -> u64 {
    1
}
const fn three() -> u32 {
    3
}
const fn two() -> f64 {
    2.0
}

impl Machine {
    /// The machine that `text` describes, if it uses nothing but what is known here
    pub fn read(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

#[cfg(test)]
mod tests;
