//! Job templates: jobs that templates share

mod template_get;
mod template_list;

pub use template_get::JobTemplateGet;
pub use template_list::JobTemplateList;
