//! The agent: serves one target on the machine that it runs on

pub mod files;
pub mod unpack;
