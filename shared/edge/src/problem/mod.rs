//! RFC 9457 problems: the one place where an error becomes an HTTP status

mod from;

pub use crate::wire::problem::Kind;

use crate::wire::problem as wire;
use weir_domain::definition::diagnostic::{Diagnostic, Severity};

/// Diagnostics of one answer; `weir validate` shows all
const DIAGNOSTICS_MAX: usize = 100;

/// An error on its way to the caller
#[derive(Debug, thiserror::Error)]
#[error("{}: {detail}", .kind.slug())]
pub struct Problem {
    /// Which kind
    pub kind: Kind,
    /// What the caller is told of this occurrence, and what would satisfy the rule that refused
    pub detail: String,
    /// Every place of the request that was wrong
    pub errors: Vec<wire::FieldError>,
    /// When it is worth trying again, in seconds
    pub retry_after: Option<u32>,
    /// For the log only: never leaves the function
    #[source]
    pub cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Problem {
    /// A problem of this kind
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), errors: Vec::new(), retry_after: None, cause: None }
    }

    /// Nothing there, or nothing that the caller may know of: `what` such as "release `rel_…`"
    pub fn not_found(what: impl std::fmt::Display) -> Self {
        Self::new(Kind::NotFound, format!("there is no {what} here"))
    }

    /// Our own failure: the caller learns nothing of `cause`
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(
            Kind::Internal,
            "the request could not be completed; try again with the same `Idempotency-Key`",
        )
        .because(cause)
    }

    /// Something that we depend on does not answer; trying again is safe
    pub fn unavailable(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let detail = "a service that this needs did not answer; try again with the same `Idempotency-Key`";
        Self::new(Kind::Unavailable, detail).after(1).because(cause)
    }

    /// The same with what is only for the log
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// The same with one more place that was wrong
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        let error = wire::FieldError { pointer: pointer.into(), message: message.into(), place: None };
        self.errors.push(error);
        self
    }

    /// The same with what is wrong in the definition that the body's `definition` names, as far as an answer holds it
    #[must_use]
    pub fn in_definition(mut self, diagnostics: &[Diagnostic]) -> Self {
        let errors = diagnostics.iter().filter(|it| it.severity == Severity::Error);
        self.errors.extend(errors.take(DIAGNOSTICS_MAX).map(|it| wire::FieldError {
            pointer: "/definition".to_owned(),
            message: it.message.clone(),
            place: Some(wire::DefinitionPlace {
                code: it.code,
                file: it.place.file.to_string(),
                line: it.place.line,
                column: it.place.column,
            }),
        }));
        self
    }

    /// The same, worth trying again after so many seconds
    #[must_use]
    pub const fn after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// What the caller is told about its request `request_id` to `instance`
    pub fn body(&self, instance: &str, request_id: &str) -> wire::Problem {
        wire::Problem {
            kind: self.kind.uri(),
            title: self.kind.title().to_owned(),
            status: self.kind.status(),
            detail: Some(self.detail.clone()),
            instance: Some(instance.to_owned()),
            code: self.kind.code().to_owned(),
            request_id: Some(request_id.to_owned()),
            errors: self.errors.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_for_the_log_only() {
        let problem = Problem::internal("password=hunter2 at table weir-prod");
        let body = serde_json::to_string(&problem.body("/v1/releases", "req_1")).unwrap();
        assert!(!body.contains("hunter2"), "{body}");
        assert!(body.contains("https://weir.dev/problems/internal"), "{body}");
    }
}
