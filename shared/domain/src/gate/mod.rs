//! Gates: conditions that a node of an operation waits for, and how they are decided
//!
//! "Rejected" is what a person says; "denied" is what a gate answers. Whatever opens a gate opens that one only.

pub mod answer;
pub mod approval;
pub mod automatic;
mod config;
mod dependency;
mod people;
mod policy;
pub mod record;
mod schedule;
mod security;
pub mod spec;
pub mod verdict;

pub use answer::{Earliest, GateAnswer, GateFacts, GateResult};
pub use approval::{decide, judge, tally, void};
pub use automatic::{Freeze, closure_hash, freeze, freeze_verdict, rebound};
pub use config::{GateConfigError, GateContext};
pub use dependency::DependencyState;
pub use people::{People, who_may};
pub use policy::PlanFacts;
pub use record::{
    DecisionAction, DecisionRequest, Gate, GateCommand, GateDecision, GateEvent, GateRefusal, GateStatus,
    apply,
};
pub use schedule::{opening, opening_between};
pub use security::Brought;
pub use spec::{ApprovalGate, Dependency, DependencyGate, FreezeGate, GateSpec, ScheduleGate};
pub use verdict::{ReasonCode, Verdict, VerdictResult};

impl GateSpec {
    /// What is waited for in words, where nothing is known but the plan
    pub fn words(&self) -> String {
        match self {
            Self::Approval(gate) => format!("{} approvals", gate.rule.required_approvals),
            Self::FreezeWindow(gate) => format!("no freeze window of {}", gate.environment),
            Self::Manual(gate) => gate.instructions.clone().unwrap_or_else(|| "somebody's hand".to_owned()),
            Self::Schedule(gate) => schedule::words(&gate.schedule),
            Self::Dependency(gate) => dependency::words(&gate.on),
            Self::Policy(gate) => format!("{} rules", gate.rules.len()),
            Self::Security(gate) => {
                let kinds: Vec<&str> = gate.require.iter().map(|kind| kind.as_str()).collect();
                format!("passed {}", kinds.join(", "))
            }
        }
    }
}
