//! Agents: registered with a one-time token, kept alive by heartbeats

mod create;
mod heartbeat;
mod list;
#[cfg(test)]
mod tests;
mod token_create;
mod view;

pub use create::AgentCreate;
pub use heartbeat::AgentHeartbeat;
pub use list::AgentList;
pub use token_create::AgentTokenCreate;
