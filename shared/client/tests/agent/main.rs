//! The agent as a real process, against a server that behaves as the API does

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "all of this crate is tests: what helpers meet unexpectedly is a failure"
)]

mod archive;
mod commands;
mod deploys;
mod keeping;
mod registration;
mod rig;
mod server;
mod server_http;
mod trouble;
