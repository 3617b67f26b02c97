//! Evidence: the immutable, signed statement of what was decided or done, and why
//!
//! A packet (requirement 004) is the predicate of an in-toto Statement, and the statement is the payload of a
//! DSSE envelope: what public tools read and verify. It is written once, before its operation is said to have
//! ended, and never again.

mod envelope;
mod packet;

pub use envelope::{Envelope, EvidenceError, PAYLOAD_TYPE, Signature, Statement, Subject, open, pae, verify};
pub use packet::{
    Decision, EvidenceContent, EvidencePacket, Execution, ExecutionNode, GateRecord, PacketType, ReleaseRef,
};
