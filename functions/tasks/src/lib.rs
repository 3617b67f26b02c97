//! The tasks functions: one artefact.

pub mod functions;
