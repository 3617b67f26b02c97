//! The agent as a real process, against a server that behaves as the API does

mod archive;
mod deploys;
mod registration;
mod rig;
mod server;
mod server_http;
mod trouble;
