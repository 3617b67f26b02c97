//! Gates that wait for something else to end well

use super::{
    answer::{Earliest, GateAnswer},
    spec::Dependency,
    verdict::{ReasonCode, Verdict, VerdictResult},
};
use crate::operation::OperationStatus;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// How it stands with what is waited for
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum DependencyState {
    /// An operation
    Operation {
        /// Its status; none where there is no such operation
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<OperationStatus>,
    },
    /// A release
    Release {
        /// How many targets the environment has
        targets: u32,
        /// How many of them run it
        running: u32,
        /// Nobody may promote it any more
        withdrawn: bool,
    },
}

/// What a dependency answers
pub(super) fn answer(on: &Dependency, state: Option<&DependencyState>) -> GateAnswer {
    let (result, reason) = match state {
        Some(DependencyState::Operation { status }) => operation(*status),
        Some(DependencyState::Release { targets, running, withdrawn }) => {
            if *targets > 0 && running == targets {
                (VerdictResult::Allow, ReasonCode::DependencyMet)
            } else if *withdrawn {
                (VerdictResult::Deny, ReasonCode::DependencyFailed)
            } else {
                (VerdictResult::Pending, ReasonCode::DependencyPending)
            }
        }
        None => (VerdictResult::Pending, ReasonCode::DependencyPending),
    };
    GateAnswer {
        verdict: Verdict::new(result, reason),
        inputs: json!({ "on": on, "state": state }),
        what: words(on),
        who: match on {
            Dependency::Operation(id) => format!("whoever `{id}` waits for"),
            Dependency::Release(release) => format!("whoever promotes to {}", release.environment),
        },
        earliest: match result {
            VerdictResult::Allow => Earliest::Now {},
            VerdictResult::Pending => Earliest::Unknown {},
            VerdictResult::Deny => Earliest::Never {},
        },
    }
}

fn operation(status: Option<OperationStatus>) -> (VerdictResult, ReasonCode) {
    match status {
        Some(OperationStatus::Succeeded) => (VerdictResult::Allow, ReasonCode::DependencyMet),
        Some(OperationStatus::Failed | OperationStatus::Cancelled | OperationStatus::RolledBack) => {
            (VerdictResult::Deny, ReasonCode::DependencyFailed)
        }
        Some(
            OperationStatus::Created
            | OperationStatus::Queued
            | OperationStatus::Running
            | OperationStatus::WaitingGate
            | OperationStatus::WaitingIntervention
            | OperationStatus::Paused
            | OperationStatus::Verifying,
        ) => (VerdictResult::Pending, ReasonCode::DependencyPending),
        // It will not come to be: an id is given when an operation is made.
        None => (VerdictResult::Deny, ReasonCode::DependencyMissing),
    }
}

/// The dependency in words: `operation op_… to succeed`
pub fn words(on: &Dependency) -> String {
    match on {
        Dependency::Operation(id) => format!("operation {id} to succeed"),
        Dependency::Release(release) => {
            let version = release.version.as_deref().unwrap_or("any version");
            format!("{} of {} to run in {}", version, release.service, release.environment)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Id as _, OperationId};
    use strum::VariantArray as _;

    #[test]
    fn it_opens_for_what_ended_well_and_is_denied_by_what_cannot_any_more() {
        let on = Dependency::Operation(OperationId::new(1, 1));
        let ask = |status| answer(&on, Some(&DependencyState::Operation { status })).verdict.result;
        for status in OperationStatus::VARIANTS {
            let expected = match (status.is_terminal(), *status == OperationStatus::Succeeded) {
                (false, _) => VerdictResult::Pending,
                (true, true) => VerdictResult::Allow,
                (true, false) => VerdictResult::Deny,
            };
            assert_eq!(ask(Some(*status)), expected, "{status:?}");
        }
        assert_eq!(ask(None), VerdictResult::Deny);
    }

    #[test]
    fn a_release_has_to_run_on_every_target() {
        let on: Dependency = serde_json::from_value(json!({
            "release": {"service": "service.db", "environment": "environment.production", "version": "2.0.0"}
        }))
        .unwrap();
        for (targets, running, withdrawn, expected) in [
            (0, 0, false, VerdictResult::Pending),
            (2, 1, false, VerdictResult::Pending),
            (2, 2, false, VerdictResult::Allow),
            (2, 1, true, VerdictResult::Deny),
            (2, 2, true, VerdictResult::Allow),
        ] {
            let state = DependencyState::Release { targets, running, withdrawn };
            assert_eq!(answer(&on, Some(&state)).verdict.result, expected, "{state:?}");
        }
        assert_eq!(words(&on), "2.0.0 of service.db to run in environment.production");
    }
}
