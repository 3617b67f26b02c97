//! The reactors functions: one artefact.
