//! The tasks functions: one artefact.
