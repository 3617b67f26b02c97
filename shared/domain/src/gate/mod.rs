//! Gates: conditions that a node of an operation waits for, and how they are decided

pub mod spec;

pub use spec::{ApprovalRule, FreezeRule, FreezeWindow, GateSpec};
