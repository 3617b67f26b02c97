//! The typed API client, the CLI and the agent.

pub mod agent;
pub mod api;
pub mod cli;
pub mod clock;
