//! The typed API client, the CLI and the agent.
