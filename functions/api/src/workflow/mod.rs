//! Workflows: views of operations, their nodes and the templates of their plans (requirements 001 and 004)

mod run_get;
mod run_list;
mod step_runs;
mod template_get;
mod template_list;
#[cfg(test)]
mod tests;
mod view;

pub(crate) use template_get::find as template;
pub(crate) use template_list::page as templates;
pub(crate) use view::{log, plan_of, run};

pub use run_get::WorkflowRunGet;
pub use run_list::WorkflowRunList;
pub use step_runs::WorkflowStepRuns;
pub use template_get::WorkflowTemplateGet;
pub use template_list::WorkflowTemplateList;
