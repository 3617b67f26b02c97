//! The whole stack on one machine
//!
//! [`stack::Stack`] is all of it: a pinned emulator of AWS ([`python`], [`emulator`]), the functions as
//! warm local processes ([`host`], [`artefacts`]), the same template as on AWS ([`deploy`]) and the HTTP
//! API on one address ([`gateway`]). Everything it writes lies in one folder ([`state::StateDir`]).
//!
//! Nothing here decides anything about releases: what runs locally is what runs on AWS.

pub mod agents;
pub mod artefacts;
pub mod chaos;
pub mod cli;
pub mod deploy;
pub mod emulator;
pub mod error;
pub mod gateway;
pub mod host;
pub mod inspect;
pub mod net;
pub mod process;
pub mod progress;
pub mod python;
pub mod slack;
pub mod stack;
pub mod state;
pub mod story;
pub mod tokens;
