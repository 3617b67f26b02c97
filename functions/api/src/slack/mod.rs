//! Slack: people decide at gates from where the message is

mod interact;
mod interaction;
mod people;
#[cfg(test)]
mod tests;

pub use interact::SlackInteract;
