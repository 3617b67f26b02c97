//! The definition: what should be, and making it so

mod apply_create;
#[cfg(test)]
mod apply_tests;
mod plan_create;
#[cfg(test)]
mod tests;
mod upload_create;

pub use apply_create::DefinitionApply;
pub use plan_create::DefinitionPlan;
pub use upload_create::DefinitionUpload;
