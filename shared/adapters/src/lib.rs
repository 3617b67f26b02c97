//! What a job calls: one file per adapter, one trait.
