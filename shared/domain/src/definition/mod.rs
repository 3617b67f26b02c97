//! The definition: the folder of files that says what should be
//!
//! Files come in as a [`Bundle`](bundle::Bundle), become resources with typed addresses, and are compared with
//! the ledger of what has been applied. Requirement 002.

pub mod address;
pub mod codes;
mod cycle;
mod nearest;
pub mod spec;
