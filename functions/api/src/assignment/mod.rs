//! Assignments of external directories

mod run_create;
mod snapshot_list;
#[cfg(test)]
mod tests;

pub use run_create::AssignmentRunCreate;
pub use snapshot_list::AssignmentSnapshotList;
