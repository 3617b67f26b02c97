//! `weir` against a server that behaves: every command, what it prints where, and how it ends

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::result_large_err,
    reason = "all of this crate is tests: what helpers meet unexpectedly is a failure"
)]

mod binary;
mod chain;
mod definition;
mod delivery;
mod gates;
mod packs;
mod plans;
mod proof;
mod rig;
mod server;
mod state;
mod things;
mod views;
mod workflows;
