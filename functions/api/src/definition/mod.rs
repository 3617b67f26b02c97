//! The definition: what should be, and making it so

mod apply_create;

pub use apply_create::DefinitionApply;
