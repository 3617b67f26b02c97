//! The api functions: one artefact.
