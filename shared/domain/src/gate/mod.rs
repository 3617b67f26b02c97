//! Gates: conditions that a node of an operation waits for, and how they are decided
//!
//! "Rejected" is what a person says; "denied" is what a gate answers. Whatever opens a gate opens that one only.

pub mod approval;
pub mod automatic;
pub mod spec;
pub mod verdict;

pub use approval::{
    DecisionAction, DecisionRequest, Gate, GateCommand, GateDecision, GateEvent, GateRefusal, GateStatus,
    apply, decide, end, expire, tally,
};
pub use automatic::{Freeze, closure_hash, freeze, freeze_verdict};
pub use spec::{ApprovalGate, FreezeGate, GateSpec};
pub use verdict::{ReasonCode, Verdict, VerdictResult};
