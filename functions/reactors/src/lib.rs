//! The reactors functions: one artefact.

pub mod functions;
