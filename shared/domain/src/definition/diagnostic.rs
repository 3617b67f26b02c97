//! Diagnostics: what is wrong, where, and what to do about it

use super::codes::Code;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Most diagnostics of one run: beyond that there is one mistake, made everywhere
pub const MAX_DIAGNOSTICS: usize = 1_000;

/// How bad it is
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The definition is refused
    Error,
    /// It is taken, and probably not what was meant
    Warning,
}

/// A place in a file
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// The file, from the definition's folder
    pub file: Arc<str>,
    /// From 1
    pub line: u32,
    /// In characters, from 1
    pub column: u32,
    /// In characters, at least 1
    pub length: u32,
}

/// One thing that is wrong. It never repeats a value that could be a secret
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Diagnostic {
    /// What it is: `weir help W0207` tells more
    pub code: Code,
    /// How bad it is
    pub severity: Severity,
    /// Where
    #[serde(flatten)]
    pub place: Place,
    /// What is wrong
    pub message: String,
    /// What to write under the place itself
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// What would be right
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// What else helps to understand it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Diagnostic {
    /// An error at `place`
    pub fn error(code: Code, place: Place, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            place,
            message: message.into(),
            label: None,
            help: None,
            note: None,
        }
    }

    /// With what would be right
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// With what to write under the place
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// With what else helps
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }
}

/// The diagnostics of a run, as they are found
#[derive(Debug, Default)]
pub struct Diagnostics {
    found: Vec<Diagnostic>,
    suppressed: usize,
}

impl Diagnostics {
    /// One more, unless there are too many already
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if self.found.len() < MAX_DIAGNOSTICS {
            self.found.push(diagnostic);
        } else {
            self.suppressed += 1;
        }
    }

    /// How many there are
    pub fn count(&self) -> usize {
        self.found.len() + self.suppressed
    }

    /// Whether there are few enough that searching what was meant is worth its time
    pub fn are_few(&self) -> bool {
        self.found.len() < 50
    }

    /// Whether something is refused
    pub fn refuse(&self) -> bool {
        self.found.iter().any(|it| it.severity == Severity::Error)
    }

    /// All, in the order of their places; the last says how many were left out
    pub fn finish(mut self) -> Vec<Diagnostic> {
        self.found.sort_by(|a, b| a.place.cmp(&b.place).then(a.code.cmp(&b.code)));
        let suppressed = self.suppressed;
        if let Some(last) = self.found.last_mut().filter(|_| suppressed > 0) {
            last.note = Some(format!("{suppressed} more are not shown"));
        }
        self.found
    }
}
